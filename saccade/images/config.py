"""Settings and facts of image datasets. Torch-free."""

from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, field_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT
from saccade.pipeline.systems import Facts

ON_CANVASES = ("translated", "cluttered", "pairs")
"""Datasets of digits on larger canvases; every batch has new canvases."""

DATASETS = ("digits", "mnist", *ON_CANVASES)


@dataclass(frozen=True, config=STRICT)
class ImageData:
    """The dataset and its preparation."""

    dataset: str = "digits"
    """Dataset: digits (embedded), mnist, translated, cluttered, pairs (two digits), or folder:PATH with a folder per
    class."""

    data_dir: str | None = None
    """Folder of downloaded data; without it SACCADE_DATA, and without that ~/.cache/saccade."""

    validation: int = Field(default=0, ge=0)
    """Number of training images held out for choosing settings, selected by the seed; 0 trains on all images."""

    canvas: int = Field(default=60, ge=28, le=4096)
    """Height and width of the canvas in pixels (translated, cluttered, pairs)."""

    pieces: int = Field(default=4, ge=0, le=1000)
    """Number of pieces of other digits on the canvas (cluttered)."""

    pool: Literal["mnist", "digits"] = "mnist"
    """Source of the digits on canvases: mnist, or the embedded digits."""

    smallest: int = Field(default=28, ge=4)
    """Smallest digit size in pixels; sizes are uniform between smallest and largest. An MNIST image, border included,
    has 28."""

    largest: int = Field(default=28, ge=4)
    """Largest digit size in pixels."""

    piece_size: int = Field(default=8, ge=1, le=28)
    """Height and width of a piece in pixels (cluttered)."""

    shift: int = Field(default=0, ge=0)
    """Augmentation: shift training images by up to this many pixels, horizontally and vertically."""

    binarise: Literal["none", "fixed", "dynamic", "auto"] = "none"
    """Make images black and white, each pixel white with its grey level as probability: fixed samples once, dynamic
    for every batch (canvases always are); auto follows the model's likelihood: none or fixed."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        if dataset in DATASETS or (dataset.startswith("folder:") and dataset != "folder:" and dataset.isprintable()):
            return dataset
        raise ValueError(f"one of {', '.join(DATASETS)} or folder:PATH")


class Shape(NamedTuple):
    """Size of the images in pixels, and the number of classes."""

    channels: int
    height: int
    width: int
    classes: int


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a printable class name")
    return name


ClassName = Annotated[str, AfterValidator(_printable)]


@dataclass(frozen=True, config=STRICT)
class ImageFacts(Facts):
    """Size of the images, and the names of the classes."""

    channels: int = Field(ge=1, le=4)
    """Colour channels: 1 grey, 3 RGB."""

    height: int = Field(ge=1, le=4096)
    """Height in pixels."""

    width: int = Field(ge=1, le=4096)
    """Width in pixels."""

    classes: tuple[ClassName, ...] = Field(min_length=1, max_length=100_000)
    """Class names, in the order of their labels."""

    @property
    def shape(self) -> Shape:
        """Channels, height, width and number of classes."""
        return Shape(self.channels, self.height, self.width, len(self.classes))

    def describe(self) -> dict[str, str]:
        """Return a row for the model card."""
        colours = "grey" if self.channels == 1 else f"{self.channels} channels"
        return {"images": f"{self.width} x {self.height} pixels, {colours}, {len(self.classes)} classes"}
