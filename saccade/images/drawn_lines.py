"""Remove drawn boxes and ruled lines from a mask of ink, and leave the strokes that cross them."""

from functools import lru_cache
from typing import cast

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from saccade.images.extent import extent

Mask = Bool[np.ndarray, "h w"]

SLOPES = np.linspace(-0.12, 0.12, 25)
"""Slopes of lines that are searched for: up to 7 degrees."""

COVERED = 0.8
"""Share of its length that a line must cover with ink."""

THICKEST = 0.05
"""Thickest line, as a share of the picture's side."""

EIGHT = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together."""


def without_lines(ink: Mask) -> Mask:
    """Return the ink without a frame around the rest and without lines from edge to edge of the picture."""
    for _ in range(2):  # a frame in a frame
        inside = _inside_frame(ink)
        if inside is None:
            break
        ink = inside
    return _without_ruling(_without_ruling(_without_box(ink)).T, margins_only=True).T


def boxes_of(ink: Mask) -> tuple[np.ndarray, list[tuple[slice, slice]]]:
    """Label the connected parts; return the labels (0 paper) and each part's rows and columns."""
    labels, _ = cast(tuple[np.ndarray, int], ndimage.label(ink, EIGHT))
    return labels, ndimage.find_objects(labels)


def _inside_frame(ink: Mask) -> Mask | None:
    """Return the ink inside a closed frame that touches nothing: a box, a circle. None: there is no such frame."""
    labels, boxes = boxes_of(ink)
    for number, box in sorted(enumerate(boxes, 1), key=lambda item: -_area(item[1])):
        part, rest = labels[box] == number, ink[box] & (labels[box] != number)
        height, width = part.shape
        if min(height, width) < 0.25 * max(ink.shape) or not rest.any():
            return None
        rows = np.flatnonzero(rest.any(axis=1))
        if rows[-1] - rows[0] + 1 < 0.25 * height:
            continue
        rim = max(2, round(0.15 * min(height, width)))
        middle = part[rim:-rim, rim:-rim]
        sides = (part[:rim].any(0), part[-rim:].any(0), part[:, :rim].any(1), part[:, -rim:].any(1))
        if middle.sum() < 0.25 * part.sum() and min(side.mean() for side in sides) > 0.65:
            found = np.zeros_like(ink)
            found[box] = rest
            return found
    return None


def _area(box: tuple[slice, slice]) -> int:
    return (box[0].stop - box[0].start) * (box[1].stop - box[1].start)


def _without_box(ink: Mask) -> Mask:
    """Remove four lines at the edges of the ink that a digit touches; the ink if there are no four, or nothing else."""
    if not ink.any():
        return ink
    whole = extent(ink)
    part = ink[whole]
    across, down = _lines(part), _lines(part.T)
    for found, length in ((across, part.shape[0]), (down, part.shape[1])):
        places = [(first + last) / 2 / length for _, first, last in found]
        if not places or min(places) > 0.15 or max(places) < 0.85:
            return ink
    left = _erased(_erased(part, across).T, down).T
    left = _without_crumbs(left)
    if not left.any():
        return ink
    rows, _ = extent(left)
    if rows.stop - rows.start < 0.25 * part.shape[0] or left.sum() < 0.02 * left.size:
        return ink
    result = np.zeros_like(ink)
    result[whole] = left
    return result


def _without_ruling(ink: Mask, *, margins_only: bool = False) -> Mask:
    """Remove lines that run over the whole width, if what stays is so much narrower that they are no bar of a digit.

    A single line must be wider than one of several: it may be the bar of a seven that fills its picture.
    """
    found = _lines(ink)
    if margins_only and len(found) < 3:
        height = len(ink)
        found = [line for line in found if min(line[1] + line[2], 2 * height - line[1] - line[2]) < 0.3 * height]
    if not found:
        return ink
    left = _without_crumbs(_erased(ink, found))
    if not left.any():
        return ink
    ratio = 1.25 if len(found) > 1 or margins_only else 1.6
    rows, columns = extent(left)
    if (columns.stop - columns.start) * ratio > ink.shape[1] or rows.stop - rows.start < 0.1 * len(ink):
        return ink
    return left


def _sheared(height: int, width: int, slope: float) -> np.ndarray:
    """Rows [height, width] along lines of a slope, with a border of 1 to be cut off."""
    aside = np.round(slope * (np.arange(width) - width / 2)).astype(int)
    return np.arange(height)[:, None] + aside


def _coverage(thick: Mask) -> np.ndarray:
    """Return the share of ink along every line of every slope, by its row in the middle: float64 [slopes, height].

    A line is a few pieces of rows, one for each row that it crosses: their ink is a difference of two running sums.
    """
    height, width = thick.shape
    slopes, aside, first, end = _pieces(width)
    sums = np.zeros((height, width + 1), np.int32)
    np.cumsum(thick, axis=1, out=sums[:, 1:])
    rows = np.arange(height) + aside[:, None]
    inside, rows = (rows >= 0) & (rows < height), rows.clip(0, height - 1)
    ink = (sums[rows, end[:, None]] - sums[rows, first[:, None]]) * inside  # [pieces, height]
    return np.add.reduceat(ink, slopes, axis=0) / width


@lru_cache(maxsize=16)
def _pieces(width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the pieces of lines: the first one of each slope; each one's distance in rows, first column and end."""
    slopes, aside, first = [], [], []
    for slope in SLOPES:
        off = _sheared(1, width, slope)[0]
        starts = np.flatnonzero(np.diff(off, prepend=off[0] + 1))
        slopes.append(len(first))
        aside += off[starts].tolist()
        first += starts.tolist()
    end = np.array([*first[1:], width])
    end[np.array([*slopes[1:], len(first)]) - 1] = width
    return np.array(slopes), np.array(aside), np.array(first), end


def _lines(ink: Mask) -> list[tuple[float, int, int]]:
    """Return the thin lines of the commonest slope over the whole width: slope, first and last row in the middle."""
    height, width = ink.shape
    if min(height, width) < 16:
        return []
    thick = ndimage.maximum_filter1d(ink, 3, axis=0)
    covered = dict(zip(SLOPES, _coverage(thick), strict=True))
    slope = max(covered, key=lambda one: (covered[one].max(), -abs(one)))
    along, _ = cast(tuple[np.ndarray, int], ndimage.label(covered[slope] >= COVERED))
    found = []
    for (band,) in ndimage.find_objects(along):
        if band.stop - band.start <= 3 + max(4, THICKEST * height):
            found.append((float(slope), band.start, band.stop - 1))
    return found


def _erased(ink: Mask, lines: list[tuple[float, int, int]]) -> Mask:
    """Erase lines; keep the columns where ink goes on above and below a line."""
    height, width = ink.shape
    left, columns = ink.copy(), np.arange(width)
    for slope, first, last in lines:
        rows = _sheared(height, width, slope)
        above, below = (
            ink[(rows[first] - 1).clip(0, height - 1), columns],
            ink[(rows[last] + 1).clip(0, height - 1), columns],
        )
        crossed = np.asarray(ndimage.binary_dilation(above & below), bool)
        for row in range(first - 1, last + 2):
            at = row + rows[0]
            inside = (at >= 0) & (at < height) & ~crossed
            left[at[inside], columns[inside]] = False
    return left


def _without_crumbs(ink: Mask) -> Mask:
    """Remove what a line leaves behind: parts smaller than a tenth of the largest in both extents."""
    labels, boxes = boxes_of(ink)
    if not boxes:
        return ink
    sides = np.array([max(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in boxes])
    return np.isin(labels, 1 + np.flatnonzero(sides >= 0.1 * sides.max())) & ink
