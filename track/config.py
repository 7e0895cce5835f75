"""Settings of the tracker and of its videos. Torch-free, so that the command line starts at once."""

from typing import Literal

from pydantic import Field, field_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Facts, Metric, Spec

KINDS = ("moving", "balls", "scenes", "mixed")
"""Generated videos."""

FRAME = 64
"""Height and width of generated frames, in pixels."""


@dataclass(frozen=True, config=STRICT)
class TrackData:
    """The videos. They are generated; no data files are needed."""

    dataset: str = "moving"
    """Videos: moving (digits that bounce), balls (bouncing balls), scenes (textured things before photographs), or
    mixed (a quarter, a quarter, and half)."""
    digits: Literal["digits", "mnist"] = "digits"
    """Source of the digits: digits (embedded) or mnist."""
    data_dir: str | None = None
    """Folder of MNIST; by default the one that SACCADE_DATA names."""
    frames: int = Field(default=10, ge=2, le=1000)
    """Frames of a video; the first one gives the box."""
    others: int = Field(default=0, ge=0, le=8)
    """Number of further digits that move around (moving); balls and scenes have up to 3 other things of their own."""
    hidden_percent: int = Field(default=20, ge=0, le=100)
    """Percentage of the scenes in which something passes in front of the target."""
    epoch_videos: int = Field(default=2_000, ge=1, le=10_000_000)
    """Number of training videos in an epoch; every batch has new ones."""
    held_out: int = Field(default=500, ge=1, le=10_000)
    """Number of videos in the test set and in the validation set, the same in every run."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        if dataset in KINDS:
            return dataset
        raise ValueError(f"one of {', '.join(KINDS)}")


@dataclass(frozen=True, config=STRICT)
class TrackFacts(Facts):
    """Facts of a run's videos. The network's shape depends on none of them: it follows things in videos of any size."""

    channels: int = Field(ge=1, le=3)
    """1 for grey, 3 for colour."""
    height: int = Field(ge=1, le=100_000)
    """Height of a frame in pixels."""
    width: int = Field(ge=1, le=100_000)
    """Width of a frame in pixels."""


@dataclass(frozen=True, config=STRICT)
class Config:
    """The tracker: a Gaussian window, features, a model of the target's appearance, and a recurrent core."""

    method: Literal["appearance", "ratm"] = "appearance"
    """Source of the window's moves: the likeness to the target's appearance and a recurrent core, or, as in the paper,
    the recurrent core alone (ratm), which follows whatever it was trained to follow."""
    window: int = Field(default=32, ge=8, le=256)
    """Filters along each side of the window, N."""
    reach: float = Field(default=3.0, ge=1.5, le=10)
    """Side of the window, in sides of the target's box."""
    features: int = Field(default=16, ge=1, le=1024)
    """Channels of the convolutional features."""
    hidden: int = Field(default=64, ge=1, le=16384)
    """Units of the recurrent core."""
    core: Literal["rnn", "lstm", "gru"] = "gru"
    """Recurrent core; the paper's is a vanilla RNN."""
    layers: int = Field(default=1, ge=1, le=16)
    """Number of recurrent layers, each with its own weights."""
    memory: float = Field(default=0.2, gt=0, le=1)
    """Largest weight of a frame in the running appearance: the smaller, the less it drifts in long videos."""
    localisation: float = Field(default=1.0, ge=0)
    """Weight of the localisation loss: the error of the box."""
    response: float = Field(default=0.3, ge=0)
    """Weight of the cross-entropy of the place within the window."""
    appearance: float = Field(default=1.0, ge=0)
    """Weight of the appearance loss: the difference, in pixels, of what is in the answer's and in the true box."""
    confidence: float = Field(default=0.3, ge=0)
    """Weight of the cross-entropy of the confidence."""


NOTE = (
    "Mean overlap (intersection over union) of the answer's and the true box, over all frames but the first, in "
    "percent; frames in which the target is hidden are left out."
)

SPEC = Spec(
    config=Config,
    data=TrackData(),
    facts=TrackFacts,
    unit="videos",
    metrics=(
        Metric("iou_percent", "measured", "% mean overlap", NOTE, better="higher"),
        Metric("success_auc_percent", "success, AUC", better="higher"),
        Metric("precision_percent", "precision", better="higher"),
        Metric("lost_error_percent", "wrong about being lost", optional=True),
    ),
    train=TrainConfig(epochs=2, batch_size=16, learning_rate=3e-3, warmup=0.1, final_learning_rate=0.02, clip=1.0),
)
