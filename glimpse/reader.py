"""A trained RAM in Python: read images, see where it looked, and how far an answer can be believed."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.glimpse.worth import gaze_worth
from saccade.images.digits_apart import BLOB, SCATTERED, SEVERAL
from saccade.images.inputs import Picture, to_pictures
from saccade.images.likeness import UNLIKE
from saccade.images.system import ImageTrained
from saccade.json_types import Values
from saccade.pipeline.contract import Trace
from saccade.pipeline.device import own_device
from saccade.recurrent.tree import map_tensors

DOUBTS = (None, UNLIKE, SEVERAL, BLOB, SCATTERED)
"""Doubts by their number in `ReadBatch.doubt`."""


class ReadBatch(NamedTuple):
    """A user's images, where each comes from, and what is wrong with it."""

    images: Float[Tensor, "B C H W"]
    labels: Int64[Tensor, " B"]
    places: None
    """The digits' places are not known."""
    doubt: Int64[Tensor, " B"]
    """Index in `DOUBTS`."""
    part: Int64[Tensor, "B 3"]
    """Index of the picture; number of the digit in it, from 1; number of its digits."""


class Reading(NamedTuple):
    """An answer to one image."""

    label: str
    """The most probable class."""
    probabilities: dict[str, float]
    """Probability of every class, by its name."""
    gaze: list[tuple[float, float]]
    """Locations of the glimpses, (x, y) in [-1, 1]."""
    truth: str | None = None
    """The true class; None if unknown."""
    doubt: str | None = None
    """Why the answer should not be believed; None if nothing speaks against it."""
    picture: int = 0
    """Index of the picture that was given."""
    digit: int = 1
    """Number of the digit in that picture, from 1, left to right."""
    digits: int = 1
    """Number of digits in that picture."""


class Reader(ImageTrained[Config]):
    """A trained RAM."""

    def read(
        self,
        images: Picture | Sequence[Picture],
        condition: str | None = None,
        *,
        framed: bool = False,
        as_is: bool = False,
    ) -> list[Reading]:
        """Read images: label, probabilities, gaze and doubt of each digit.

        A picture of several digits gives several readings, left to right. Files and PIL images are always framed as
        MNIST's digits are. Arrays of the network's size are taken as they are, as a dataset's images.

        Args:
            images: paths, PIL images, arrays or tensors, see `saccade.images.inputs.Picture`.
            condition: choice of the locations, e.g. "random" or "fixed_scan"; by default the policy's mean.
            framed: frame arrays of the network's size too.
            as_is: frame nothing: scale every picture to the network's size, light ink on dark expected.

        Raises:
            InputError: images that the network cannot take; both `framed` and `as_is`.
        """
        return readings(self.trace(images, condition, framed=framed, as_is=as_is))

    def remark(self, metrics: Values) -> str | None:
        """Return a sentence about the worth of its learned gaze; None if its gaze is not learned or not measured."""
        return gaze_worth(metrics) if self.config.policy == "learned" else None

    def trace(
        self,
        images: Picture | Sequence[Picture],
        condition: str | None = None,
        *,
        framed: bool = False,
        as_is: bool = False,
    ) -> Trace:
        """Run the network on a user's images; its batch is a `ReadBatch`. Arguments and errors as `read`."""
        if framed and as_is:
            raise InputError("framed or as_is", "both", "give one of them")
        dataset = self.run.data.dataset
        digits, apart = not dataset.startswith("folder:"), dataset != "pairs"
        how = True if framed else False if as_is else None
        batch, parts = to_pictures(images, self.facts, digits=digits, apart=apart, framed=how)
        trace = self.look(map_tensors(lambda leaf: leaf.to(own_device()), batch), condition)
        doubt = torch.tensor([DOUBTS.index(part.doubt) for part in parts])
        part = torch.tensor([part[:3] for part in parts])
        return trace._replace(batch=ReadBatch(trace.batch.images, trace.batch.labels, None, doubt, part))


def readings(trace: Trace) -> list[Reading]:
    """Return the answers of a trace, one for each example."""
    classes, batch = trace.facts.classes, trace.batch
    probabilities = trace.outputs.logits[-1].float().softmax(dim=1).tolist()
    gazes = trace.outputs.location.transpose(0, 1).tolist()
    found = []
    for example, (by_class, gaze, label) in enumerate(zip(probabilities, gazes, batch.labels.tolist(), strict=False)):
        named = dict(zip(classes, by_class, strict=True))
        truth = classes[label] if label >= 0 else None
        reading = Reading(max(named, key=named.__getitem__), named, [(x, y) for x, y in gaze], truth)
        if isinstance(batch, ReadBatch):
            picture, digit, digits = batch.part[example].tolist()
            doubt = DOUBTS[int(batch.doubt[example])]
            reading = reading._replace(doubt=doubt, picture=picture, digit=digit, digits=digits)
        found.append(reading)
    return found
