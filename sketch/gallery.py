"""Drawings that were made: for pictures and for Python; and the way between two places in the space of z."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from saccade.pipeline.contract import Trace
from saccade.sketch.strokes import Points


class Gallery(NamedTuple):
    """Drawings to show: the batch of a trace whose moves the network, or a person, made."""

    moves: Float[Tensor, "B T 3"]
    lengths: Tensor
    labels: Tensor
    given: Tensor
    """First moves that a person made, int64 [B]."""
    original: Float[Tensor, "B S 3"] | None = None
    """The drawings that are redrawn."""
    original_lengths: Tensor | None = None
    heat: Tensor | None = None
    """True to show the density of the next point, bool [B]; None: no."""


class Drawings(NamedTuple):
    """New drawings."""

    strokes: list[list[Points]]
    """Strokes of each, points (x, y) in the data's own unit, y downwards, from the first point on."""
    classes: list[str | None]
    """The requested class of each; None for a network without classes."""
    unfinished: int
    """Number of drawings that were stopped before the network ended them."""
    trace: Trace
    """The trace of the pen, for `saccade.film`."""


class Reading(NamedTuple):
    """A class for a drawing."""

    label: str
    probabilities: dict[str, float]
    """Probability of each class, by its name."""


def spherical(a: Float[Tensor, "1 Z"], b: Float[Tensor, "1 Z"], share: Float[Tensor, "N 1"]) -> Float[Tensor, "N Z"]:
    """Interpolate along the great circle from a to b; straight where they point the same way."""
    cosine = F.cosine_similarity(a, b).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if float(torch.sin(angle)) < 1e-4:
        return a + (b - a) * share
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
