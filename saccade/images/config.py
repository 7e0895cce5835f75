"""Settings and facts of image datasets. Torch-free."""

from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, field_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT
from saccade.pipeline.systems import Facts

LAID_OUT = ("translated", "cluttered", "pairs")
"""Data sets of MNIST's digits on larger canvases, which are drawn anew for every batch."""

DATASETS = ("digits", "mnist", *LAID_OUT)


@dataclass(frozen=True, config=STRICT)
class ImageData:
    """Which images to learn from, and how they are laid out."""

    dataset: str = "digits"
    """Images to use: digits (embedded), mnist, translated, cluttered, pairs (two digits), or folder:PATH with a folder
    per class."""

    data_dir: str | None = None
    """Folder of downloaded data; without it SACCADE_DATA, and without that ~/.cache/saccade."""

    validation: int = Field(default=0, ge=0)
    """Training images held back for choosing settings, drawn by the seed; 0 trains on all of them."""

    canvas: int = Field(default=60, ge=28, le=4096)
    """Height and width in pixels of the images of translated, cluttered and pairs."""

    pieces: int = Field(default=4, ge=0, le=1000)
    """Pieces of other digits scattered over a cluttered image."""

    pool: Literal["mnist", "digits"] = "mnist"
    """Whose digits the images of translated, cluttered and pairs show."""

    smallest: int = Field(default=28, ge=4)
    """Least side in pixels to which the digits of such images are brought, each size as likely as any other; an MNIST
    image, border included, has 28."""

    largest: int = Field(default=28, ge=4)
    """Greatest side of these digits."""

    piece_size: int = Field(default=8, ge=1, le=28)
    """Height and width in pixels of such a piece."""

    shift: int = Field(default=0, ge=0)
    """Augmentation: training images are moved by up to this many pixels, both ways."""

    binarise: Literal["none", "fixed", "dynamic", "auto"] = "none"
    """Black and white, each pixel white with its grey level as probability: drawn once, or anew for every batch (as
    canvases that are themselves new always are); auto: as the model's likelihood wants it, none or fixed."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        if dataset in DATASETS or (dataset.startswith("folder:") and dataset != "folder:" and dataset.isprintable()):
            return dataset
        raise ValueError(f"one of {', '.join(DATASETS)} or folder:PATH")


class Shape(NamedTuple):
    """Size of the images and number of their classes; height and width in pixels."""

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
    """What a network must know of its images, and the names of the classes."""

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
