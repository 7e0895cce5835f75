"""A trained RAM in Python: reads images and returns labels, probabilities and gaze."""

from collections.abc import Sequence
from typing import NamedTuple

from saccade.glimpse.config import Config
from saccade.images.inputs import Picture
from saccade.images.system import ImageTrained
from saccade.pipeline.contract import Trace


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


class Reader(ImageTrained[Config]):
    """A trained RAM."""

    def read(self, images: Picture | Sequence[Picture], condition: str | None = None) -> list[Reading]:
        """Read images: label, probabilities and gaze of each.

        Args:
            images: paths, PIL images, arrays or tensors, see `saccade.images.inputs.Picture`.
            condition: choice of the locations, e.g. "random" or "fixed_scan"; by default the policy's mean.

        Raises:
            InputError: images that the network cannot take.
        """
        return readings(self.trace(images, condition))


def readings(trace: Trace) -> list[Reading]:
    """Return the answers of a trace, one for each example."""
    classes = trace.facts.classes
    probabilities = trace.outputs.logits[-1].float().softmax(dim=1).tolist()
    gazes = trace.outputs.location.transpose(0, 1).tolist()
    found = []
    for by_class, gaze, label in zip(probabilities, gazes, trace.batch.labels.tolist(), strict=False):
        named = dict(zip(classes, by_class, strict=True))
        truth = classes[label] if label >= 0 else None
        found.append(Reading(max(named, key=named.__getitem__), named, [(x, y) for x, y in gaze], truth))
    return found
