"""Sheets of finished drawings, and the checks of the files that DRAW's verbs write."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saccade.pipeline.animate import film
from saccade.pipeline.animate.page import magnified_size, resize, to_pixels
from saccade.pipeline.contract import Trace

SHEET_TILE = 112
"""Pixels along the side of an image on a sheet."""


def check(*, films: Sequence[Path | None] = (), sheets: Sequence[Path | None] = ()) -> None:
    """Check that files of these names can be written, where they are given; call it before the work.

    Raises:
        InputError: see `film.check` and `film.check_strip`.
    """
    for path in filter(None, films):
        film.check(path)
    for path in filter(None, sheets):
        film.check_strip(path)


def sheet(trace: Trace, path: Path, columns: int | None = None) -> Path:
    """Write the finished images of a trace as one PNG; return the file."""
    drawn = [to_pixels(image) for image in trace.batch.images.cpu().numpy()]
    width, height = magnified_size(drawn[0].shape[1], drawn[0].shape[0], SHEET_TILE)
    tiles = [np.asarray(resize(pixels, width, height)) for pixels in drawn]
    return film.write_strip(path, tiles, columns or math.ceil(math.sqrt(len(tiles))))
