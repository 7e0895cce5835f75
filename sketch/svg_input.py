"""A person's SVG as strokes: paths, lines and shapes, curves flattened. Nothing outside of the file is ever read.

The XML goes through a parser that refuses document types and entities, the means of XML bombs; elements that refer to
others or to other files are refused too. Path data and transforms are svgelements'.
"""

import math
from pathlib import Path
from typing import cast
from xml.etree.ElementTree import Element, ParseError

import numpy as np
import svgelements
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from saccade.errors import InputError
from saccade.sketch.strokes import LARGEST, Points

MOST_BYTES = 4 << 20
MOST_ELEMENTS = 20_000
MOST_DEEP = 100
MOST_POINTS = 200_000
"""Points of all flattened curves together."""

MOST_DATA = 400_000
"""Characters of path data and points in one element."""

PIECES = 24
"""Straight pieces that a curve is flattened to; the simplification then leaves out what it does not need."""

SHAPES = {
    "path": svgelements.Path,
    "line": svgelements.SimpleLine,
    "polyline": svgelements.Polyline,
    "polygon": svgelements.Polygon,
    "rect": svgelements.Rect,
    "circle": svgelements.Circle,
    "ellipse": svgelements.Ellipse,
}
CONTAINERS = ("svg", "g", "a", "switch")
REFERRING = ("use", "image", "foreignObject", "script", "feImage", "iframe", "object", "embed")
"""Elements that bring in something else than their own strokes."""

STUMBLES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Exceptions that the library raises for malformed path data and transforms."""

DO = "draw with the pen or line tools, and save as plain SVG"


def read_svg(path: Path) -> list[Points]:
    """Return the strokes of a file in the order in which they stand in it, in user units, y downwards.

    Raises:
        InputError: no SVG; document types, entities or references; no stroke; too many or too large ones.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"an SVG of at most {MOST_BYTES:,} bytes", f"{size:,} in {path}", "simplify the drawing")
        root = fromstring(path.read_bytes(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except OSError as error:
        raise InputError(f"a file at {path}", error.strerror or "none that can be read", DO) from error
    except DefusedXmlException as error:
        found = f"{type(error).__name__} in {path}"
        raise InputError("an SVG without document types and entities", found, "save it as plain SVG") from None
    except (ParseError, ValueError, RecursionError) as error:
        raise InputError("an SVG file", f"{str(error)[:80]} in {path}", DO) from None
    if _name(root) != "svg":
        raise InputError("an SVG file", f"XML of the kind {_name(root):.40} in {path}", DO)
    found = _Strokes(path)
    found.add(root, svgelements.Matrix(), 0)
    if not found.strokes:
        raise InputError("an SVG with a path, a line or a shape", f"none in {path}", DO)
    return found.strokes


class _Strokes:
    """The strokes of a file, collected element by element."""

    def __init__(self, path: Path) -> None:
        self.path, self.strokes, self.elements, self.points = path, list[Points](), 0, 0

    def add(self, element: Element, outer: svgelements.Matrix, depth: int) -> None:
        """Add the strokes of an element and of those in it."""
        self.elements += 1
        if self.elements > MOST_ELEMENTS or depth > MOST_DEEP:
            found = f"more in {self.path}"
            raise InputError(f"at most {MOST_ELEMENTS:,} elements, {MOST_DEEP} deep", found, "simplify the drawing")
        name = _name(element)
        self._check(element, name)
        if name not in SHAPES and name not in CONTAINERS:
            return
        try:
            own = svgelements.Matrix(element.get("transform") or "") * outer
            if name in SHAPES:
                self._shape(element, name, own)
        except STUMBLES as error:
            found = f"{type(error).__name__}: {str(error)[:60]} in <{name}> of {self.path}"
            raise InputError("path data, points and transforms of SVG", found, DO) from None
        for child in element:
            self.add(child, own, depth + 1)

    def _check(self, element: Element, name: str) -> None:
        """Refuse references to anything."""
        linked = [key for key in element.attrib if key.rpartition("}")[2] == "href" and name != "a"]
        if linked or name in REFERRING:
            found = f"<{name}> in {self.path}"
            raise InputError("strokes that stand in the file itself", found, f"break links and clones; {DO}")

    def _shape(self, element: Element, name: str, matrix: svgelements.Matrix) -> None:
        if max(len(element.get(key, "")) for key in ("d", "points")) > MOST_DATA:
            found = f"more in <{name}> of {self.path}"
            raise InputError(f"at most {MOST_DATA:,} characters of path data", found, "simplify the drawing")
        kept = {key: value for key, value in element.attrib.items() if key not in ("transform", "style", "class", "id")}
        shape = SHAPES[name](kept) * matrix
        line: list[tuple[float, float]] = []
        for segment in svgelements.Path(shape).reify():
            if isinstance(segment, svgelements.Move):
                self._keep(line)
                line = []
                points = [segment.end]
            elif isinstance(segment, svgelements.Line):  # Close is one
                points = [segment.start, segment.end]
            else:
                points = [segment.point(i / PIECES) for i in range(PIECES + 1)]
            line += [(float(cast(float, p.x)), float(cast(float, p.y))) for p in points if p is not None]
            self.points += len(points)
            if self.points > MOST_POINTS:
                raise InputError(f"at most {MOST_POINTS:,} points", f"more in {self.path}", "simplify the drawing")
        self._keep(line)

    def _keep(self, line: list[tuple[float, float]]) -> None:
        if not line:
            return
        if not all(math.isfinite(n) and abs(n) <= LARGEST for point in line for n in point):
            raise InputError("points of a finite size", f"a point beyond {LARGEST:,.0f} in {self.path}", DO)
        points = np.array(line)
        repeated = (np.diff(points, axis=0) == 0).all(axis=1)
        self.strokes.append(np.delete(points, np.flatnonzero(repeated) + 1, axis=0))


def _name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
