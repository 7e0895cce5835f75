"""A trained DRAW in Python: draws from noise, writes a text, finishes an unfinished image."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from saccade.draw.completion import complete
from saccade.draw.config import Config
from saccade.draw.model import Draw
from saccade.draw.sampling import generate
from saccade.draw.unfinished import Part, Side, read_part
from saccade.errors import InputError
from saccade.images.system import ImageSystem, ImageTrained
from saccade.json_types import Record
from saccade.pipeline.contract import Trace

ANY_CLASS = -1
"""Label of a drawing without a requested class."""


class Drawings(NamedTuple):
    """New images."""

    images: Tensor
    """The finished images, float32 [N, C, H, W] in [0, 1]."""
    classes: list[str | None]
    """The class of each; None for a network without labels."""
    trace: Trace
    """The trace of the drawing, for `saccade.film`."""


class Endings(NamedTuple):
    """Several ways to finish an image."""

    images: Tensor
    """The finished images, float32 [N, C, H, W] in [0, 1]."""
    found: Record
    """Bounds and agreement of every ending with the given pixels, as `saccade draw complete --json` prints them."""
    trace: Trace
    """The trace of the drawing, for `saccade.film`."""


class Painter(ImageTrained[Config]):
    """A trained DRAW."""

    def generate(self, what: int | str = 1, seed: int = 0) -> Drawings:
        """Draw new images from noise alone.

        Args:
            what: the number of images; or a text, one class per character (networks trained with labels).
            seed: of the latents.

        Raises:
            InputError: a character that is no class, a text for a network without labels, fewer than 1 image.
        """
        labels = self.labels_of(what) if isinstance(what, str) else [ANY_CLASS] * what
        if not labels:
            raise InputError("1 image or more", str(what), "raise the number")
        trace = self.of_classes(torch.tensor(labels), seed)
        return Drawings(trace.batch.images, self._names(trace.batch.labels), trace)

    def of_classes(self, labels: Tensor, seed: int = 0) -> Trace:
        """Draw an image for each label, int64 [N]; -1 draws any class."""
        return generate(self._draw(), self.config, labels, self.facts, seed)

    def labels_of(self, text: str) -> list[int]:
        """Return the classes that a text names, one per character.

        Raises:
            InputError: no character, or one that is no class.
        """
        classes = self.facts.classes
        known = [name for name in classes if len(name) == 1]
        for character in text:
            if character not in known:
                found = f"{character!r} in {text!r}"
                raise InputError(f"characters among {''.join(known) or '(none)'}", found, "change the text")
        if not text:
            raise InputError("a text of one character or more", "an empty one", "give one")
        return [classes.index(character) for character in text]

    def unfinished(self, path: Path, mask: Path | None = None, keep: Side | None = None) -> Part:
        """Read a user's picture and the mask of its given pixels: see `saccade.draw.unfinished.read_part`."""
        system, shape = self.system, self.facts.shape
        assert isinstance(system, ImageSystem)
        data = system.data_for(self.config, self.run.data)
        digits = not data.dataset.startswith("folder:")
        return read_part(path, shape, mask=mask, keep=keep, digits=digits, two_levels=data.binarise != "none")

    def complete(self, part: Part, count: int = 6, seed: int = 0) -> Endings:
        """Finish an unfinished image in several ways; report how well each explains and keeps the given pixels.

        Args:
            part: the image and the mask of its given pixels, e.g. from `unfinished`.
            count: number of endings.
            seed: of the latents.
        """
        trace, fit = complete(self._draw(), self.config, *part, self.facts, count=count, seed=seed)
        rows = torch.stack([fit.bound, fit.kl, fit.nats_per_pixel, fit.agreement_percent], dim=1).tolist()
        keys = ("bound_nats", "kl_nats", "nats_per_given_pixel", "agreement_percent")
        names = self._names(trace.batch.labels)
        endings = [{"class": name, **dict(zip(keys, row, strict=True))} for name, row in zip(names, rows, strict=True)]
        means = {"bound_nats": fit.bound.mean().item(), "amortised_bound_nats": fit.amortised_bound.mean().item()}
        found = {"given_pixels": int(part.given.sum()), **means, "endings": endings}
        return Endings(torch.sigmoid(trace.outputs.canvas[-1]), found, trace)

    def _draw(self) -> Draw:
        assert isinstance(self.core, Draw)
        return self.core

    def _names(self, labels: Tensor) -> list[str | None]:
        return [self.facts.classes[label] if label >= 0 else None for label in labels.tolist()]
