"""Sheets of finished drawings, as PNG and as SVG with a path for each stroke."""

import math
from pathlib import Path

import numpy as np

from saccade.pipeline import outputs
from saccade.pipeline.animate import film
from saccade.pipeline.animate.palette import BELIEF, INK
from saccade.pipeline.checkpoint.atomic_files import write_whole
from saccade.pipeline.contract import Trace
from saccade.sketch.picture import BORDER, finished_tile
from saccade.sketch.strokes import to_strokes

ENDINGS = (".png", ".svg")
CELL = 160
"""Side of a drawing's cell in an SVG, user units."""


def write_sheet(trace: Trace, path: Path, columns: int | None = None, *, overwrite: bool = False) -> Path:
    """Write the finished drawings of a trace; the ending chooses PNG or SVG.

    Raises:
        InputError: see `saccade.pipeline.outputs.check`.
    """
    count = len(trace.batch.labels)
    columns = columns or math.ceil(math.sqrt(count))
    if path.suffix.lower() == ".svg":
        outputs.check(path, ENDINGS, overwrite=overwrite)
        write_whole(path, svg(trace, columns).encode())
        return path
    tiles = [finished_tile(trace, example) for example in range(count)]
    return film.write_strip(path, tiles, columns, overwrite=overwrite)


def svg(trace: Trace, columns: int) -> str:
    """Return the drawings as SVG: a group each, a path for each stroke; what a person drew in blue."""
    batch, groups = trace.batch, []
    for example, length in enumerate(batch.lengths.tolist()):
        moves = batch.moves[example, :length].cpu().numpy()
        strokes, given = to_strokes(moves), int(batch.given[example])
        points = np.concatenate(strokes)
        low, size = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1e-6)
        scale = CELL * (1 - 2 * BORDER) / size
        middle = (low + points.max(axis=0)) / 2
        corner = np.array([example % columns, example // columns]) * CELL + CELL / 2
        paths, first = [], 0
        for stroke in strokes:
            placed = (stroke - middle) * scale + corner
            colour = BELIEF if first < given else INK
            paths.append(f'<path d="{_path(placed)}" stroke="#{bytes(colour).hex()}"/>')
            first += len(stroke)
        groups.append("<g>" + "".join(paths) + "</g>")
    width, height = columns * CELL, math.ceil(len(groups) / columns) * CELL
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<metadata>{outputs.MARK.decode()}</metadata>"
        '<g fill="none" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round">\n'
        + "\n".join(groups)
        + "\n</g></svg>\n"
    )


def _path(points: np.ndarray) -> str:
    places = [f"{x:.2f},{y:.2f}" for x, y in points]
    return f"M{places[0]}L{' '.join(places[1:] or places)}"
