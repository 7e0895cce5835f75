"""A trained DRAW in Python: draw from noise, write a text, finish a half-drawn image."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saccade.draw.completion import complete
from saccade.draw.config import Config
from saccade.draw.model import Draw
from saccade.draw.sampling import generate
from saccade.draw.unfinished import Part, Side, read_part
from saccade.errors import InputError
from saccade.images.system import ImageSystem, ImageTrained
from saccade.pipeline.contract import Trace

AS_IT_LIKES = -1
"""Label of a drawing whose class the network chooses."""


class Drawings(NamedTuple):
    """What was drawn."""

    images: Tensor
    """The finished images, float32 [N, C, H, W] in [0, 1]."""
    classes: list[str | None]
    """The class of each, where one was asked for or chosen."""
    trace: Trace
    """How they were drawn, for `saccade.film`."""


class Endings(NamedTuple):
    """Several ways to finish an image."""

    images: Tensor
    """The finished images, float32 [N, C, H, W] in [0, 1]."""
    found: dict[str, Any]
    """Bounds and agreement of every ending with what was given, as `saccade draw complete --json` prints them."""
    trace: Trace
    """How they were drawn, for `saccade.film`."""


class Painter(ImageTrained[Config]):
    """A trained DRAW."""

    def generate(self, what: int | str = 1, seed: int = 0) -> Drawings:
        """Draw new images from noise alone.

        Args:
            what: how many; or a text, a class a character (networks trained with labels).
            seed: of the latents.

        Raises:
            InputError: a character that is no class, a text for a network without labels, fewer than 1 image.
        """
        labels = self.labels_of(what) if isinstance(what, str) else [AS_IT_LIKES] * what
        if not labels:
            raise InputError("1 image or more", str(what), "ask for some")
        trace = self.of_classes(torch.tensor(labels), seed)
        return Drawings(trace.batch.images, self._names(trace.batch.labels), trace)

    def of_classes(self, labels: Tensor, seed: int = 0) -> Trace:
        """Draw an image for each label, int64 [N]; -1 lets the network choose."""
        return generate(self._draw(), self.config, labels, self.facts, seed)

    def labels_of(self, text: str) -> list[int]:
        """Return the classes that a text names, one a character.

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
            raise InputError("a text of one character or more", "an empty one", "name some")
        return [classes.index(character) for character in text]

    def unfinished(self, path: Path, mask: Path | None = None, keep: Side | None = None) -> Part:
        """Read a user's picture and the part of it that is given: see `saccade.draw.unfinished.read_part`."""
        system, shape = self.system, self.facts.shape
        assert isinstance(system, ImageSystem)
        data = system.data_for(self.config, self.run.data)
        digits = not data.dataset.startswith("folder:")
        return read_part(path, shape, mask=mask, keep=keep, digits=digits, two_levels=data.binarise != "none")

    def complete(self, part: Part, count: int = 6, seed: int = 0) -> Endings:
        """Finish an unfinished image in several ways; report how well each explains and keeps what was given.

        Args:
            part: the image and which of its pixels are given, e.g. from `unfinished`.
            count: how many endings.
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
