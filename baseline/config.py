"""Which network looks once, and how wide it is. Torch-free, so that the command line starts at once."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from saccade.images.config import ImageData, ImageFacts
from saccade.pipeline.config import STRICT
from saccade.pipeline.systems import Metric, Spec


@dataclass(frozen=True, config=STRICT)
class Config:
    """The network; what its size depends on besides (the images, the classes) comes from the data."""

    kind: Literal["fc", "conv", "modern"] = "modern"
    """The paper's fc (two hidden layers) or conv (a convolution, a hidden layer), or modern, a small residual CNN."""
    hidden: int = Field(default=256, ge=1, le=16384)
    """Units of each hidden fully connected layer of fc and conv; the paper's are 64 and 256."""


SPEC = Spec(
    config=Config,
    data=ImageData(),
    facts=ImageFacts,
    unit="images",
    learning_term="cross_entropy",
    metrics=(Metric("error_percent", "measured", "% test error", "Test error in percent."),),
)
