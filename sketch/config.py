"""Settings of sketch-rnn and of its data. Torch-free."""

from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from saccade.images.config import ClassName
from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Facts, Metric, Spec

MOST_POINTS = 5_000
"""Points of the longest drawing that is taken at all."""


@dataclass(frozen=True, config=STRICT)
class SketchData:
    """The drawings and their preparation."""

    dataset: str = "digits"
    """Drawings: digits (embedded), pendigits, npz:FILE, ndjson:FILE or unipen:TRAIN,TEST. Several npz or ndjson files,
    with commas between them, are classes."""

    data_dir: str | None = None
    """Folder that file names are relative to; for pendigits the folder of its two files, by default SACCADE_DATA."""

    longest: int = Field(default=0, ge=0, le=MOST_POINTS)
    """Longer drawings are left out of every split, and counted; 0 leaves out none."""

    simplify: float = Field(default=2.0, ge=0, le=50)
    """Tolerance of the Ramer-Douglas-Peucker simplification, for a drawing whose longer side is 255 (all but npz)."""

    validation: int = Field(default=0, ge=0)
    """Training drawings held out for choosing settings, selected by the seed; npz files bring their own."""

    scale: float = Field(default=0.15, ge=0, lt=1)
    """Augmentation: stretch width and height of a training drawing by random factors within 1 - scale and 1 + scale."""

    drop: float = Field(default=0.1, ge=0, lt=1)
    """Augmentation: probability with which a point between two others of a stroke is dropped."""

    slant: float = Field(default=0.0, ge=0, le=1)
    """Augmentation: rotate a training drawing by up to slant x 45 degrees, and shear it by up to slant."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        kind, _, files = dataset.partition(":")
        if dataset in ("digits", "pendigits") or (
            kind in ("npz", "ndjson", "unipen") and files and files.isprintable()
        ):
            return dataset
        raise ValueError("digits, pendigits, npz:FILE, ndjson:FILE or unipen:TRAIN,TEST")


@dataclass(frozen=True, config=STRICT)
class SketchFacts(Facts):
    """Facts of the drawings that a network learns."""

    longest: int = Field(ge=1, le=MOST_POINTS)
    """Moves of the longest drawing, the paper's N_max."""

    unit: float = Field(gt=0)
    """Standard deviation of the training offsets, in the data's own unit: the network's unit of length."""

    size: float = Field(gt=0)
    """Longer side of a drawing (median), in the data's own unit."""

    classes: tuple[ClassName, ...] = Field(min_length=1, max_length=100_000)
    """Class names, in the order of their labels."""

    left_out: int = Field(default=0, ge=0)
    """Drawings that were left out as too long."""

    def describe(self) -> dict[str, str]:
        """Return rows for the model card."""
        return {
            "drawings": f"of at most {self.longest} moves, {len(self.classes)} classes; left out: {self.left_out}",
            "unit of length": f"{self.unit:.4g} units of the data, the standard deviation of the training offsets",
        }


@dataclass(frozen=True, config=STRICT)
class Config:
    """The model and its objective. The defaults learn the embedded digits; experiments/sketch.toml has the paper's."""

    task: Literal["draw", "read"] = "draw"
    """Draw; or read: a classifier of drawings over the moves of the pen."""
    latent: int = Field(default=32, ge=0, le=16384)
    """Number of latent variables z of a drawing; 0 leaves out the encoder: the paper's decoder-only model."""
    labelled: bool = False
    """Give the class to the decoder, so that it can draw a given class."""
    core: Literal["lstm", "layer-norm-lstm", "gru"] = "lstm"
    """Recurrent core of encoder, decoder and reader."""
    encoder: int = Field(default=128, ge=1, le=16384)
    """Units of the encoder, in each direction."""
    decoder: int = Field(default=256, ge=1, le=16384)
    """Units of the decoder, or of the reader."""
    mixtures: int = Field(default=20, ge=1, le=1000)
    """Bivariate Gaussians M in the mixture for the next offset."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Recurrent dropout (layer-norm-lstm), or dropout on a reader's answer."""
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Label smoothing of a reader's answer."""
    kl_weight: float = Field(default=0.5, ge=0, le=100)
    """w_KL, the weight of the KL term."""
    kl_floor: float = Field(default=0.2, ge=0, le=100)
    """KL_min, nats per latent variable: below it the KL term does not push."""
    kl_start: float = Field(default=0.01, ge=0, le=1)
    """eta_min: the KL term's share at the start of training."""
    kl_end: float = Field(default=0.01, gt=0, le=1)
    """R^steps: the part of the annealing that is left at the end of training."""
    known: Literal["all", "first half", "nothing"] = "all"
    """Part of a drawing that an evaluation shows before it measures: all; or, for the second half alone, the first half
    or nothing."""

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        if self.dropout and self.task == "draw" and self.core != "layer-norm-lstm":
            raise ValueError("core layer-norm-lstm for recurrent dropout")
        return self


NOTE = (
    "The variational bound on the test drawings, nats a point, one sample each (exact for a network without latents); "
    "the unit of length is the standard deviation of the training offsets, so only numbers of one dataset compare."
)

SPEC = Spec(
    config=Config,
    data=SketchData(),
    facts=SketchFacts,
    unit="drawings",
    metrics=(
        Metric("nats_per_point", "measured", "nats a point, bound", NOTE, optional=True),
        Metric("reconstruction", "L_R", optional=True),
        Metric("kl", "L_KL", optional=True),
        Metric("error_percent", "error", "% of the drawings wrong", optional=True),
    ),
    train=TrainConfig(
        epochs=60, batch_size=100, learning_rate=5e-3, warmup=0.05, final_learning_rate=0.02, clip=1.0, ema=0.99
    ),
)
