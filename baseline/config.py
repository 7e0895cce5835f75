"""Settings of the feed-forward baselines. Torch-free, so that the command line starts at once."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from saccade.images.config import ImageData, ImageFacts
from saccade.pipeline.config import STRICT
from saccade.pipeline.systems import Metric, Spec


@dataclass(frozen=True, config=STRICT)
class Config:
    """The network. Its input and output sizes follow from the data."""

    kind: Literal["fc", "conv", "modern"] = "modern"
    """Network: the paper's fc (2 hidden layers) or conv (a convolution, a hidden layer), or modern, a residual CNN."""
    hidden: int = Field(default=256, ge=1, le=16384)
    """Units of each fully connected hidden layer of fc and conv; the paper uses 64 and 256."""


SPEC = Spec(
    config=Config,
    data=ImageData(),
    facts=ImageFacts,
    unit="images",
    learning_term="cross_entropy",
    metrics=(Metric("error_percent", "measured", "% test error", "Test error in percent."),),
)
