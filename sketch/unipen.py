"""UNIPEN text, as in the Pen-Based Recognition of Handwritten Digits data (Alimoglu & Alpaydin 1996).

Lines that begin with a dot are commands: .SEGMENT names what follows, .PEN_DOWN and .PEN_UP begin and end a stroke;
other lines are points "x y", y upwards.
"""

import gzip
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saccade.errors import InputError
from saccade.sketch.strokes import Points

MOST_BYTES = 1 << 28
"""Largest unpacked size of a file."""

LABEL = re.compile(r'^\.SEGMENT\s+\S+\s+\S+\s+\S+\s+"([^"]{1,40})"')


class Segment(NamedTuple):
    """A written character."""

    label: str
    strokes: list[Points]


def read_unipen(path: Path) -> list[Segment]:
    """Read the segments of a file, plain or .gz; y is turned to point downwards.

    Raises:
        InputError: no such file, no UNIPEN text, or a point without two numbers.
    """
    segments: list[Segment] = []
    points: list[tuple[float, float]] | None = None
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.startswith(".SEGMENT"):
            label = LABEL.match(line)
            if label is None or not label[1].isprintable():
                raise InputError(
                    'a .SEGMENT line with its label in quotes ("8")', f"{line:.60} in line {number} of {path}", DO
                )
            segments.append(Segment(label[1], []))
            points = None
        elif line.startswith(".PEN_DOWN"):
            points = []
        elif line.startswith("."):
            if points and segments:
                segments[-1].strokes.append(np.array(points) * (1.0, -1.0))
            points = None
        elif points is not None and line.strip():
            points.append(_point(line, number, path))
    if not segments:
        raise InputError("UNIPEN text with .SEGMENT lines", f"none in {path}", DO)
    return segments


DO = "give a file like the UCI archive's pendigits-orig.tra"


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"a file at {path}", getattr(error, "strerror", None) or "none that can be read", DO
        ) from error
    if len(data) > MOST_BYTES:
        raise InputError(f"at most {MOST_BYTES:,} bytes", f"more in {path}", "split it")
    return data.decode("latin-1")


def _point(line: str, number: int, path: Path) -> tuple[float, float]:
    try:
        x, y = map(float, line.split()[:2])
    except ValueError:
        raise InputError("a point, two numbers", f"{line!r:.40} in line {number} of {path}", DO) from None
    return x, y
