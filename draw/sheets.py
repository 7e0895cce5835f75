"""Sheets of finished drawings."""

import math
from pathlib import Path

import numpy as np

from saccade.pipeline.animate import film
from saccade.pipeline.animate.page import magnified_size, resize, to_pixels
from saccade.pipeline.contract import Trace

SHEET_TILE = 112
"""Pixels along the side of an image on a sheet."""


def sheet(trace: Trace, path: Path, columns: int | None = None, *, overwrite: bool = False) -> Path:
    """Write the finished images of a trace as one PNG; return the file."""
    drawn = [to_pixels(image) for image in trace.batch.images.cpu().numpy()]
    width, height = magnified_size(drawn[0].shape[1], drawn[0].shape[0], SHEET_TILE)
    tiles = [np.asarray(resize(pixels, width, height)) for pixels in drawn]
    return film.write_strip(path, tiles, columns or math.ceil(math.sqrt(len(tiles))), overwrite=overwrite)
