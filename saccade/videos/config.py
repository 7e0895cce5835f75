"""Settings and facts of video data. Torch-free."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT
from saccade.pipeline.systems import Facts

FILES = ("grid", "joints", "npy")
"""Kinds of data that lie in a file: `KIND:PATH`."""


@dataclass(frozen=True, config=STRICT)
class VideoData:
    """The dataset and its preparation."""

    dataset: str = "moving"
    """Dataset: moving (digits that move, embedded), grid:FILE.npz (mouths that speak), joints:FILE.npz (skeletons), or
    npy:FILE.npy (the canonical Moving MNIST, to test on)."""

    data_dir: str | None = None
    """Folder to which FILE is relative, and which holds MNIST; without it SACCADE_DATA."""

    validation: int = Field(default=0, ge=0)
    """Number of training sentences held out for choosing settings (of skeletons: 1 holds out one training subject)."""

    context: int = Field(default=2, ge=0, le=20)
    """Frames before and after a word's given boundaries (grid, single words)."""

    mark: bool = False
    """Tell the network which frames are the word's own, and which are context (grid, single words)."""

    frames: int = Field(default=0, ge=0, le=1000)
    """Frames to which every skeleton clip is resampled; 0 leaves each as long as it is."""

    same_size: bool = False
    """Scale every skeleton clip so that all bodies have one size."""

    parts: int = Field(default=0, ge=0, le=1_000_000)
    """Number of epochs, at the beginning, that train on parts of sentences (grid): single words, then pairs, then
    triples, each with `context` frames on both sides."""

    augment: bool = True
    """Change training clips at random: pictures are mirrored, shifted and dimmed, skeletons turned and stretched, all
    played faster or slower."""

    jitter: int = Field(default=1, ge=0, le=20)
    """Augmentation: frames by which the ends of a word move."""

    shift: int = Field(default=2, ge=0, le=10)
    """Augmentation: pixels by which pictures move."""

    contrast: float = Field(default=0.2, ge=0, le=1)
    """Augmentation: largest change of contrast and brightness, as a fraction."""

    speed: float = Field(default=0.2, ge=0, le=0.5)
    """Augmentation: largest change of a clip's speed, as a fraction."""

    turn: float = Field(default=0.5, ge=0, le=3.2)
    """Augmentation: largest angle by which skeletons are turned, in radians."""

    stretch: float = Field(default=0.15, ge=0, le=0.5)
    """Augmentation: largest change of a bone's length, as a fraction."""

    mixup: float = Field(default=0.0, ge=0, le=10)
    """Augmentation: mix skeleton clips in pairs, each a share of Beta(mixup, mixup); 0 does not. Needs `frames`."""

    digits: Literal["digits", "mnist"] = "digits"
    """Source of moving digits: digits (embedded) or mnist."""

    objects: int = Field(default=2, ge=1, le=4)
    """Number of moving digits (next frames)."""

    given: int = Field(default=10, ge=2, le=1000)
    """Frames that are given before the prediction begins (next frames)."""

    predicted: int = Field(default=10, ge=1, le=1000)
    """Frames that are predicted (next frames)."""

    epoch_clips: int = Field(default=2_000, ge=1, le=10_000_000)
    """Number of training clips of moving digits in an epoch; every batch has new ones."""

    held_out: int = Field(default=1_000, ge=1, le=10_000)
    """Number of test clips of moving digits, the same in every run."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        kind, _, path = dataset.partition(":")
        if dataset == "moving" or (kind in FILES and path and path.isprintable()):
            return dataset
        raise ValueError("one of moving, grid:FILE.npz, joints:FILE.npz or npy:FILE.npy")

    @model_validator(mode="after")
    def _not_too_long(self) -> "VideoData":
        if self.given + self.predicted > 1000:
            raise ValueError("given and predicted frames of at most 1000 together")
        if self.mixup and not self.frames:
            raise ValueError("a number of frames with mixup, since clips that are mixed have one length")
        return self


def _printable(name: str) -> str:
    if not name.isprintable() or not name:
        raise ValueError("a printable name")
    return name


Name = Annotated[str, AfterValidator(_printable)]


@dataclass(frozen=True, config=STRICT)
class VideoFacts(Facts):
    """The clips of a run: size of a frame, classes, and the task that they are for."""

    added: ClassVar[frozenset[str]] = frozenset({"marked"})

    task: Literal["clip", "frames", "next"]
    """The task."""

    kind: Literal["pictures", "joints"]
    """Pictures, or joints in space."""

    channels: int = Field(ge=1, le=1000)
    """Colour channels of a picture, or number of joints."""

    height: int = Field(ge=1, le=1024)
    """Height in pixels; 1 for joints."""

    width: int = Field(ge=1, le=1024)
    """Width in pixels; 3, the coordinates, for joints."""

    classes: tuple[Name, ...] = Field(max_length=10_000)
    """Class names; none for next frames."""

    silent: int = Field(default=0, ge=0)
    """Number of classes, at the end of the list, that are no words of a sentence (silence, rest)."""

    given: int = Field(default=0, ge=0, le=1000)
    """Frames that are given (next frames)."""

    marked: bool = False
    """Clips are marked among frames around them."""

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the classes that are words."""
        return self.classes[: len(self.classes) - self.silent]

    def describe(self) -> dict[str, str]:
        """Return rows for the model card."""
        if self.kind == "joints":
            frame = f"{self.channels} joints in space"
        else:
            frame = f"{self.width} x {self.height} pixels, " + ("grey" if self.channels == 1 else "colour")
        about = f"{self.given} frames given" if self.task == "next" else f"{len(self.classes)} classes"
        return {"task": self.task, "frames": f"{frame}, {about}"}
