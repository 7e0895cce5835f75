"""QuickDraw's .ndjson: a drawing a line, raw (strokes of x, y and time) or simplified (strokes of x and y)."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saccade.errors import InputError, shown
from saccade.sketch.collection import Drawings, split_apart
from saccade.sketch.strokes import Points, check_moves, framed, to_moves

MOST_LINE = 1 << 24
"""Bytes of the longest line."""

DO = "give a file of QuickDraw's, raw or simplified"


class Line(NamedTuple):
    """A drawing and the word that was to be drawn."""

    word: str
    strokes: list[Points]


def load_ndjson(files: Sequence[Path], tolerance: float) -> tuple[Drawings, Drawings, tuple[str, ...]]:
    """Load files as training and test drawings; one drawing in ten is a test drawing. Each word is a class.

    Raises:
        InputError: as `read_ndjson`; or fewer than two drawings.
    """
    lines = [(line, f"drawing {n} of {path}") for path in files for n, line in enumerate(read_ndjson(path), 1)]
    classes = tuple(sorted({line.word for line, _ in lines}))
    moves = [check_moves(to_moves(framed(line.strokes, tolerance, where)), where) for line, where in lines]
    if len(moves) < 2:
        raise InputError("2 drawings or more", f"{len(moves)} in {', '.join(map(str, files))}", "give more")
    train, test = split_apart(Drawings(moves, [classes.index(line.word) for line, _ in lines]))
    return train, test, classes


def read_ndjson(path: Path) -> Iterator[Line]:
    """Yield the drawings of a file, one after the other.

    Raises:
        InputError: no such file, or a line that is no drawing of QuickDraw's.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while text := file.readline(MOST_LINE + 1):
                number += 1
                where = f"line {number} of {path}"
                if len(text) > MOST_LINE:
                    raise InputError(f"lines of at most {MOST_LINE:,} bytes", f"a longer one, {where}", DO)
                if text.strip():
                    yield parse_line(text, where)
    except OSError as error:
        raise InputError(f"a file at {path}", error.strerror or "none that can be read", DO) from error


def parse_line(text: bytes, where: str) -> Line:
    """Return the drawing of one line.

    Raises:
        InputError: no JSON object with a key "drawing", or one that holds no strokes of numbers.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("JSON, a drawing a line", f"{str(error)[:80]} in {where}", DO) from None
    drawing = found.get("drawing") if isinstance(found, dict) else None
    if not isinstance(drawing, list) or not drawing:
        raise InputError('an object with a list of strokes as "drawing"', f"{shown(drawing)} in {where}", DO)
    word = found.get("word", "drawing")
    if not isinstance(word, str) or not word.isprintable() or len(word) > 80:
        raise InputError('a word as "word"', f"{shown(word)} in {where}", DO)
    return Line(word, [_stroke(stroke, where) for stroke in drawing])


def _stroke(stroke: object, where: str) -> Points:
    """Return the points of [[x ...], [y ...]] or [[x ...], [y ...], [time ...]]."""
    expected = "strokes as lists of x, of y and, in raw files, of times, of one length"
    if not isinstance(stroke, list) or len(stroke) not in (2, 3) or not all(isinstance(axis, list) for axis in stroke):
        raise InputError(expected, f"{shown(stroke)} in {where}", DO)
    x, y = stroke[:2]
    if len(x) != len(y) or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in (*x, *y)):
        raise InputError(expected, f"{len(x)} x and {len(y)} y, or no numbers, in {where}", DO)
    try:
        return np.array([x, y], np.float64).T.reshape(-1, 2)
    except OverflowError:
        raise InputError("points of a finite size", f"a number beyond all bounds in {where}", DO) from None
