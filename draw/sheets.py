"""What the verbs of a system that draws do: sheets and films of what it makes up, and of what it redraws."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saccade.draw.unfinished import Part, Side, read_part
from saccade.errors import InputError
from saccade.pipeline import trained as verbs
from saccade.pipeline.animate import film as animate
from saccade.pipeline.animate.page import magnified_size, resize, to_pixels
from saccade.pipeline.contract import Trace, load

GLIDE_FRAMES, GLIDE_UP_TO = 3, 20
"""Frames between two steps, and the most steps for which there are any."""

SHEET_TILE = 112
"""Pixels along the side of an image on a sheet."""

STRIP_FRAMES = 10
"""Most frames of an example in a strip."""


def labels_of(text: str, classes: Sequence[str]) -> list[int]:
    """The classes that a text names, one a character.

    Raises:
        InputError: no character, or one that is no class.
    """
    known = [name for name in classes if len(name) == 1]
    for character in text:
        if character not in known:
            raise InputError(
                f"characters among {''.join(known) or '(none)'}", f"{character!r} in {text!r}", "change the text"
            )
    if not text:
        raise InputError("a text of one character or more", "an empty one", "name some")
    return [classes.index(character) for character in text]


def check(*, films: Sequence[Path | None] = (), sheets: Sequence[Path | None] = ()) -> None:
    """Whether files of these names can be written, where they are given; call it before the work.

    Raises:
        InputError: see `animate.check` and `animate.check_strip`.
    """
    for path in filter(None, films):
        animate.check(path)
    for path in filter(None, sheets):
        animate.check_strip(path)


def imagine(network: verbs.Network, labels: Sequence[int], seed: int) -> Trace:
    """What the network draws out of nothing, one for each label (-1: as it likes)."""
    folder = network.folder
    generate = load(folder.run.system).generate  # type: ignore[attr-defined]
    return generate(network.core, folder.run.model, torch.tensor(labels), folder.classes, seed)


def unfinished(network: verbs.Network, path: Path, mask: Path | None, keep: Side | None) -> Part:
    """A person's picture, and the part of it that is given; see `read_part`."""
    data, shape = network.folder.run.data, network.folder.shape
    digits = not data.dataset.startswith("folder:")
    return read_part(path, shape, mask=mask, keep=keep, digits=digits, two_levels=data.binarise != "none")


def finish(network: verbs.Network, part: Part, count: int, seed: int) -> tuple[Trace, dict[str, Any]]:
    """Endings of an unfinished picture, and how well each explains (nats) and keeps (percent) what was given."""
    folder = network.folder
    complete = load(folder.run.system).complete  # type: ignore[attr-defined]
    trace, fit = complete(network.core, folder.run.model, *part, folder.classes, count=count, seed=seed)
    names = [folder.classes[label] if label >= 0 else None for label in trace.targets.tolist()]
    rows = torch.stack([fit.bound, fit.kl, fit.nats_per_pixel, fit.agreement_percent], dim=1).tolist()
    keys = ("bound_nats", "kl_nats", "nats_per_given_pixel", "agreement_percent")
    endings = [{"class": name, **dict(zip(keys, row, strict=True))} for name, row in zip(names, rows, strict=True)]
    means = {"bound_nats": fit.bound.mean().item(), "amortised_bound_nats": fit.amortised_bound.mean().item()}
    return trace, {"given_pixels": int(part.given.sum()), **means, "endings": endings}


def film(network: verbs.Network, trace: Trace, path: Path, seconds: float, columns: int | None = None) -> str:
    """Draw a trace as a film: one example at large, several as a wall of tiles; the file written."""
    animate.check(path)
    steps = len(trace.outputs[0])
    between = GLIDE_FRAMES if steps <= GLIDE_UP_TO else 0
    system, examples = load(network.folder.run.system), range(len(trace.targets))
    renderer = system.picture if len(examples) == 1 else system.tile
    films = [animate.frames(renderer, trace, [example], between=between) for example in examples]
    shown = films[0] if len(films) == 1 else animate.grid(films, columns)
    return str(animate.write(path, shown, seconds_per_frame=seconds))


def strip(network: verbs.Network, trace: Trace, path: Path) -> str:
    """Draw a trace as a strip: a row for each example, its steps evenly chosen; the file written."""
    system, steps = load(network.folder.run.system), len(trace.outputs[0])
    count = min(steps, STRIP_FRAMES)
    times = [round(i * (steps - 1) / max(1, count - 1)) for i in range(count)]
    frames = [system.tile(trace, t, example) for example in range(len(trace.targets)) for t in times]
    return str(animate.write_strip(path, frames, count))


def sheet(network: verbs.Network, trace: Trace, path: Path, columns: int | None = None) -> str:
    """Write the finished images of a trace as one PNG; the file written."""
    drawn = [to_pixels(image) for image in trace.images.cpu().numpy()]
    width, height = magnified_size(drawn[0].shape[1], drawn[0].shape[0], SHEET_TILE)
    tiles = [np.asarray(resize(pixels, width, height)) for pixels in drawn]
    return str(animate.write_strip(path, tiles, columns or math.ceil(math.sqrt(len(tiles)))))
