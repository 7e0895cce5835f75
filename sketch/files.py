"""A person's drawing files, by their ending."""

from itertools import islice
from pathlib import Path

from saccade.errors import InputError
from saccade.sketch.ndjson import read_ndjson
from saccade.sketch.strokes import Points
from saccade.sketch.svg_input import read_svg

ENDINGS = (".svg", ".ndjson", ".json")
MOST_DRAWINGS = 2_000


def read_drawings(path: Path) -> list[list[Points]]:
    """Return the strokes of each drawing of a file: one of an SVG, any number of QuickDraw's JSON.

    Raises:
        InputError: another ending, or a file that is no drawing; see `read_svg` and `read_ndjson`.
    """
    kind = path.suffix.lower()
    if kind == ".svg":
        return [read_svg(path)]
    if kind not in ENDINGS:
        raise InputError(f"a drawing that ends in {', '.join(ENDINGS)}", repr(path.name[-80:]), "save it as SVG")
    drawings = [line.strokes for line in islice(read_ndjson(path), MOST_DRAWINGS + 1)]
    if not drawings:
        raise InputError("a drawing a line", f"none in {path}", "give a file of QuickDraw's")
    if len(drawings) > MOST_DRAWINGS:
        raise InputError(f"at most {MOST_DRAWINGS:,} drawings", f"more in {path}", "read them in several commands")
    return drawings
