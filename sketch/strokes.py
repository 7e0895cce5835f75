"""Drawings as strokes and as moves, and the way between them.

Strokes are what a person draws: lists of points (x, y), y downwards. Moves are what a network draws, the paper's
section 3.1 without its one-hot coding: rows (dx, dy, lifted), where `lifted` is 1 if the pen is lifted after the move.
The pen starts on the paper, at the drawing's first point.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from simplification.cutil import simplify_coords

from saccade.errors import InputError
from saccade.sketch.config import MOST_POINTS

Points = Float[np.ndarray, "_ 2"]
Moves = Float[np.ndarray, "_ 3"]

FRAME = 255.0
"""Longer side of a framed drawing, as in QuickDraw's simplified files."""

LARGEST = 1e6
"""Largest coordinate or offset that is taken."""


def to_moves(strokes: Sequence[Points]) -> Moves:
    """Convert strokes to moves; a first stroke of one point becomes a move of length 0."""
    if len(strokes[0]) == 1:
        strokes = [np.repeat(strokes[0], 2, axis=0), *strokes[1:]]
    points = np.concatenate([np.asarray(stroke, np.float64) for stroke in strokes])
    lifted = np.zeros(len(points))
    lifted[np.cumsum([len(stroke) for stroke in strokes]) - 1] = 1
    return np.column_stack([np.diff(points, axis=0), lifted[1:]]).astype(np.float32)


def to_strokes(moves: Moves) -> list[Points]:
    """Convert moves to strokes, beginning at (0, 0)."""
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(moves[:, :2], axis=0, dtype=np.float64)])
    ends = np.flatnonzero(moves[:, 2] > 0.5) + 2
    return [stroke for stroke in np.split(points, ends) if len(stroke)]


def extent(strokes: Sequence[Points]) -> float:
    """Return the longer side of the box around a drawing."""
    return float(np.ptp(np.concatenate(strokes), axis=0).max())


def framed(
    strokes: Sequence[Points], tolerance: float, where: str = "a drawing", whole: float | None = None
) -> list[Points]:
    """Scale a drawing to a longer side of 255 and simplify its strokes, as QuickDraw's simplified files are made.

    Args:
        whole: longer side that counts as 255, where the strokes are only a part of a drawing; by default their own.

    Raises:
        InputError: fewer than two different points, or one that is not finite or too far out.
    """
    strokes = [np.asarray(stroke, np.float64).reshape(-1, 2) for stroke in strokes if len(stroke)]
    check_points(strokes, where)
    together = np.concatenate(strokes)
    scale = FRAME / (whole or extent(strokes))
    corner = together.min(axis=0)
    return [simplified((stroke - corner) * scale, tolerance) for stroke in strokes]


def simplified(stroke: Points, tolerance: float) -> Points:
    """Return a stroke without the points that are nearer than `tolerance` to the line through the others (RDP)."""
    if len(stroke) < 3 or tolerance <= 0:
        return stroke
    return np.asarray(simplify_coords(np.ascontiguousarray(stroke), tolerance), np.float64)


def check_points(strokes: Sequence[Points], where: str = "a drawing") -> None:
    """Refuse strokes that are no drawing.

    Raises:
        InputError: fewer than two points, all in one place, or one that is not finite or too far out.
    """
    count = sum(len(stroke) for stroke in strokes)
    if count < 2:
        raise InputError("a drawing of 2 points or more", f"{count} in {where}", "draw more, or leave it out")
    together = np.concatenate(strokes)
    if not np.isfinite(together).all() or np.abs(together).max() > LARGEST:
        found = f"a point that is not finite, or beyond {LARGEST:,.0f}, in {where}"
        raise InputError("points of a finite size", found, "scale the drawing down, or leave it out")
    if np.ptp(together, axis=0).max() <= 0:
        raise InputError("a drawing of 2 points or more", f"all points in one place in {where}", "draw more")


def check_moves(moves: np.ndarray, where: str) -> Moves:
    """Return rows (dx, dy, lifted) of someone's file as moves; a first point at the origin is left out, as implied.

    Raises:
        InputError: no drawing of at least 2 points, another shape, or numbers that no drawing has.
    """
    expected, do = "moves [N, 3] of dx, dy and pen lifted (0 or 1)", "give the sketch-rnn layout"
    if not isinstance(moves, np.ndarray) or moves.ndim != 2 or moves.shape[1] != 3 or moves.dtype.kind not in "iuf":
        raise InputError(expected, f"{type(moves).__name__} {getattr(moves, 'shape', '')} in {where}", do)
    found = moves.astype(np.float32)
    if len(found) > 1 and not found[0].any():
        found = found[1:]
    if len(found) == 0:
        raise InputError("a drawing of 2 points or more", f"an empty one in {where}", "leave it out")
    if len(found) > MOST_POINTS:
        raise InputError(f"at most {MOST_POINTS:,} points", f"{len(found):,} in {where}", "simplify the drawing")
    if not np.isfinite(found).all() or np.abs(found[:, :2]).max() > LARGEST:
        raise InputError("finite offsets", f"NaN or an offset beyond {LARGEST:,.0f} in {where}", "leave it out")
    if not np.isin(found[:, 2], (0, 1)).all():
        raise InputError(expected, f"a pen state of {found[:, 2].max():g} in {where}", do)
    return found
