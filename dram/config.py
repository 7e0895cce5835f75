"""Settings and facts of DRAM: pictures with several symbols, and the network that reads them. Torch-free."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Facts, Metric, Spec

MOST_DIGITS = 9
"""Most digits on one canvas."""

FULL_SIDE = 28
"""Height and width of a digit's image, border included, pixels."""


@dataclass(frozen=True, config=STRICT)
class SequenceData:
    """The pictures and their layout."""

    dataset: str = "digits:1-3"
    """Pictures: digits:FROM-TO (so many digits on a canvas), pairs (two), addition (two, the answer is their sum), or
    folder:PATH (pictures, and a text for each in labels.txt)."""

    pool: Literal["mnist", "digits"] = "digits"
    """Source of the digits: mnist, or the embedded digits."""

    data_dir: str | None = None
    """Folder of downloaded data; without it SACCADE_DATA, and without that ~/.cache/saccade."""

    canvas: int = Field(default=64, ge=28, le=2048)
    """Height and width of the canvas in pixels; pictures of a folder are scaled to it."""

    layout: Literal["row", "anywhere"] = "row"
    """Places of the digits: row (a number as people write it, level or slightly askew), or anywhere without overlap."""

    smallest: int = Field(default=20, ge=8, le=28)
    """Smallest side of a digit's image in pixels, border included; sizes are uniform up to the largest that fits."""

    largest: int = Field(default=28, ge=8, le=28)
    """Largest side of a digit's image in pixels. An MNIST image, border included, has 28."""

    pieces: int = Field(default=0, ge=0, le=1000)
    """Number of pieces of other digits on the canvas."""

    piece_size: int = Field(default=8, ge=1, le=28)
    """Height and width of a piece in pixels."""

    distort: float = Field(default=0.0, ge=0, le=1)
    """Augmentation: rotate, shear, scale and thicken each training digit at random, as RAM's `distort`."""

    validation: int = Field(default=0, ge=0)
    """Number of training digits (or pictures) held out for choosing settings, selected by the seed."""

    held_out: int = Field(default=2_000, ge=1, le=100_000)
    """Number of canvases in the frozen test and validation sets."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        if dataset in ("pairs", "addition"):
            return dataset
        if dataset.startswith("folder:") and dataset != "folder:" and dataset.isprintable():
            return dataset
        span = re.fullmatch(r"digits:([1-9])-([1-9])", dataset)
        if span and int(span[1]) <= int(span[2]):
            return dataset
        raise ValueError(f"digits:FROM-TO with 1 <= FROM <= TO <= {MOST_DIGITS}, pairs, addition or folder:PATH")

    @model_validator(mode="after")
    def _ordered(self) -> "SequenceData":
        if self.smallest > self.largest:
            raise ValueError("a smallest digit no larger than the largest")
        return self

    @property
    def digits(self) -> tuple[int, int]:
        """Fewest and most digits on a canvas."""
        if self.dataset.startswith("digits:"):
            return int(self.dataset[7]), int(self.dataset[9])
        return 2, 2

    @property
    def folder(self) -> str | None:
        """Folder of pictures; None if the canvases are generated."""
        return self.dataset.removeprefix("folder:") if self.dataset.startswith("folder:") else None


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a printable symbol")
    return name


Symbol = Annotated[str, AfterValidator(_printable)]


@dataclass(frozen=True, config=STRICT)
class SequenceFacts(Facts):
    """Size of the pictures, the symbols, and the number of symbols in a picture."""

    channels: int = Field(ge=1, le=4)
    """Colour channels: 1 grey, 3 RGB."""

    height: int = Field(ge=1, le=4096)
    """Height in pixels."""

    width: int = Field(ge=1, le=4096)
    """Width in pixels."""

    classes: tuple[Symbol, ...] = Field(min_length=1, max_length=10_000)
    """Symbols, in the order of their labels; the end symbol comes after them."""

    shortest: int = Field(ge=1, le=100)
    """Symbols in the shortest text."""

    longest: int = Field(ge=1, le=100)
    """Symbols in the longest text."""

    def describe(self) -> dict[str, str]:
        """Return a row for the model card."""
        colours = "grey" if self.channels == 1 else f"{self.channels} channels"
        count = f"{self.shortest} to {self.longest}" if self.shortest < self.longest else str(self.longest)
        size = f"{self.width} x {self.height} pixels, {colours}"
        return {"pictures": f"{size}, {count} of {len(self.classes)} symbols"}


@dataclass(frozen=True, config=STRICT)
class Config:
    """The model, its policy, its stopping and its loss."""

    network: Literal["attention", "cnn"] = "attention"
    """The attention model, or a convolutional network that sees all at once, with one output layer a place."""
    glimpses: int = Field(default=2, ge=1, le=100)
    """Glimpses N for each object; the answer comes after the last of them."""
    patch: int = Field(default=12, ge=1, le=1000)
    """Height and width of a patch in pixels; the finest patch covers the same area of the picture."""
    scales: int = Field(default=3, ge=1, le=6)
    """Number of patches per glimpse; each covers twice the side of the one before, and all are scaled to one size."""
    sees: Literal["dense", "conv"] = "dense"
    """Glimpse network: fully connected as RAM's, or three convolutions as DRAM's."""
    features: int = Field(default=128, ge=1, le=16384)
    """Units of the glimpse network's input layers, content and location; filters of conv: an eighth of it."""
    hidden: int = Field(default=256, ge=1, le=16384)
    """Units of the lower recurrent layer, which sees and answers, and of the glimpse network's output g_n."""
    upper: int = Field(default=128, ge=0, le=16384)
    """Units of the upper recurrent layer, which looks; 0: the lower one looks too (RAM)."""
    core: Literal["rnn", "lstm", "gru"] = "gru"
    """Recurrent core of both layers; the paper's is an LSTM."""
    glance: int = Field(default=24, ge=0, le=256)
    """Side in pixels of the coarse picture that starts the upper layer's state; 0: no glance."""
    glance_filters: int = Field(default=16, ge=1, le=512)
    """Filters of the glance's first convolution; the next two have twice as many."""
    action: Literal["place", "move"] = "move"
    """Output of the policy: a location (the paper's), or the move from the last one."""
    place_told: bool = True
    """Tell the upper layer where the eye is and how many glimpses the object has had."""
    policy: Literal["learned", "random", "centre", "oracle"] = "learned"
    """Choice of the locations: learned, or a control: random, centre, or oracle (the objects' middles, one after
    another, which the data must know)."""
    random_until: float = Field(default=0.1, ge=0, lt=1)
    """Fraction of the training, from its start, with a random gaze, at places in proportion to their contrast: it
    learns to read before it learns where to look."""
    policy_gain: float = Field(default=0.15, gt=0)
    """Factor on the policy's inputs (the paper's is 1); with Adam, a smaller one slows the learning of the policy."""
    std: float = Field(default=0.2, gt=0)
    """Standard deviation of the location policy at the start of training, image coordinates."""
    final_std: float = Field(default=0.02, gt=0)
    """Standard deviation at the end of training; it falls geometrically."""
    gaze: Literal["sampled", "mean"] = "sampled"
    """Look at the policy's sample, or at its mean (for evaluation only)."""
    rollouts: int = Field(default=4, ge=1, le=1000)
    """Number of rollouts M per picture; with 2 or more, the baseline is the other rollouts' mean reward."""
    reward_floor: float = Field(default=-3.0, lt=0)
    """Lower bound of the reward of an answer (its log-odds), nats; the reward of an object that is not read."""
    reward_ceiling: float = Field(default=6.0, gt=0)
    """Upper bound of the reward of an answer, nats."""
    discount: float = Field(default=0.5, ge=0, le=1)
    """Weight of the next object's reward, for the glimpses of this one; 1: the plain sum of all that follow."""
    reinforce_weight: float = Field(default=0.2, ge=0)
    """Weight of the REINFORCE term in the loss."""
    order: Literal["reading", "any"] = "reading"
    """Order in which answers count: reading (left to right), or any order that the network chooses."""
    stop: Literal["end-symbol", "halting", "count"] = "end-symbol"
    """Stopping: a symbol among the answers (the paper's), a learned halting probability after each object, or always
    after the longest text's number of objects."""
    glimpse_price: float = Field(default=0.1, ge=0)
    """Price of a glimpse in the reward of halting, nats."""
    halting_gradient: Literal["reinforce", "exact"] = "reinforce"
    """Gradient of halting: REINFORCE, or the expectation over all stops, which are few."""

    @property
    def each(self) -> int:
        """Steps for each object: the glimpses, or 1 of a network that sees all at once."""
        return self.glimpses if self.network == "attention" else 1

    @property
    def copies(self) -> int:
        """Copies of each picture in an episode: the rollouts, or 1 of a network that sees all at once."""
        return self.rollouts if self.network == "attention" else 1


NOTE = (
    "Pictures whose text is not read exactly, in percent, one rollout with the policy's mean, stopping by itself; in "
    "the next columns digits, the glimpses spent, stops, and the same weights at other locations."
)

SPEC = Spec(
    config=Config,
    data=SequenceData(),
    facts=SequenceFacts,
    unit="pictures",
    learning_term="classification",
    metrics=(
        Metric("error_percent", "whole text wrong", "% of the texts wrong", NOTE),
        Metric("error_percent.one_rollout", "sampled gaze", optional=True),
        Metric("symbol_error_percent", "symbols wrong"),
        Metric("glimpses_spent", "glimpses spent"),
        Metric("stops_percent.early", "stops early"),
        Metric("stops_percent.late", "stops late"),
        Metric("controls.another_picture", "another picture's gaze", optional=True),
        Metric("controls.random", "random gaze", optional=True),
        Metric("controls.centre", "gaze at the centre", optional=True),
        Metric("controls.oracle", "oracle", optional=True),
    ),
    train=TrainConfig(epochs=50, batch_size=64, optimizer="muon", learning_rate=3e-3),
)
