"""Divide the ink of a picture into digits, left to right, and say what does not look like one."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from saccade.images.drawn_lines import boxes_of, without_lines
from saccade.images.extent import extent

SOLID, FAINT = 0.22, 0.12
"""Ink from which a pixel belongs to a stroke; ink of a stroke's soft edge."""

SPECK = 0.15
"""Parts smaller than this share of the tallest one's height, in both extents, are specks."""

TALL = 0.5
"""A part of at least this share of the tallest one's height may be a digit of its own."""

MOST_DIGITS = 12
"""More marks than this side by side are no number that a person wrote."""

SEVERAL, BLOB, SCATTERED = "several digits that touch?", "a filled shape", "scattered marks"


class Mark(NamedTuple):
    """One digit's ink, or what may be one."""

    ink: Float[np.ndarray, "h w"]
    """In [0, 1], cropped to its strokes."""
    doubt: str | None
    """Why its form is not a digit's; None if it may be one."""


def marks(ink: Float[np.ndarray, "H W"], *, apart: bool = True) -> list[Mark]:
    """Return the digits of a picture from left to right, without boxes, ruled lines and specks.

    Args:
        ink: in [0, 1], see `find_ink`.
        apart: False takes all ink as one mark.
    """
    solid = ink > SOLID
    clean = without_lines(solid)
    labels, boxes = boxes_of(clean)
    heights = np.array([box[0].stop - box[0].start for box in boxes])
    sizes = np.array([max(box[0].stop - box[0].start, box[1].stop - box[1].start) for box in boxes])
    kept = [i for i in range(len(boxes)) if sizes[i] >= SPECK * heights.max()]
    if sum(sizes[i] >= 2 for i in kept) > 5 * MOST_DIGITS:
        return [_mark(ink, solid, clean, SCATTERED)]
    groups = _groups([boxes[i] for i in kept]) if apart else [list(range(len(kept)))]
    if len(groups) > MOST_DIGITS:
        return [_mark(ink, solid, clean, SCATTERED)]
    found = []
    for group in groups:
        mask = np.isin(labels, [kept[i] + 1 for i in group])
        found.append(_mark(ink, solid, mask, _doubt(mask, len(group))))
    return found


def _groups(boxes: list[tuple[slice, slice]]) -> list[list[int]]:
    """Put parts together that stand over one another, and small ones to the nearest tall one; left to right.

    Short parts beside a digit (a flag, a broken stroke) go to the nearest tall one; those farther away than 0.3 of the
    tallest one's height are left out.
    """
    tallest = max(box[0].stop - box[0].start for box in boxes)
    order = sorted(range(len(boxes)), key=lambda i: boxes[i][1].start)
    tall = [i for i in order if boxes[i][0].stop - boxes[i][0].start >= TALL * tallest]
    groups: list[list[int]] = []
    for i in tall:
        if groups and _belongs(boxes[i], [boxes[k] for k in groups[-1]], tallest):
            groups[-1].append(i)
        else:
            groups.append([i])
    for i in set(order) - set(tall):
        gaps = [_gap(boxes[i], [boxes[k] for k in group]) for group in groups]
        nearest = int(np.argmin(gaps))
        if gaps[nearest] <= 0.3 * tallest:
            groups[nearest].append(i)
    return groups


def _belongs(box: tuple[slice, slice], group: list[tuple[slice, slice]], tallest: int) -> bool:
    """Tell if a tall part is of the group's digit: over or under it, or near and at another height."""
    rows, columns = (slice(min(b[k].start for b in group), max(b[k].stop for b in group)) for k in (0, 1))
    if _overlap(box[1], columns) >= 0.5:
        return True
    return _overlap(box[0], rows) <= 0.3 and _gap(box, group) <= 0.2 * tallest


def _overlap(one: slice, other: slice) -> float:
    """Return what two intervals have in common, as a share of the shorter one."""
    common = min(one.stop, other.stop) - max(one.start, other.start)
    return common / min(one.stop - one.start, other.stop - other.start)


def _gap(box: tuple[slice, slice], group: list[tuple[slice, slice]]) -> float:
    """Return the distance in pixels, horizontal or vertical, from a part to a group's nearest."""

    def between(one: slice, other: slice) -> int:
        return max(0, one.start - other.stop, other.start - one.stop)

    return min(max(between(box[0], other[0]), between(box[1], other[1])) for other in group)


def _mark(ink: np.ndarray, solid: np.ndarray, mask: np.ndarray, doubt: str | None) -> Mark:
    """Cut out the ink of a mask, with its soft edges and without other strokes."""
    near = mask.copy()
    near[1:] |= mask[:-1]
    near[:-1] |= mask[1:]
    wide = near.copy()
    wide[:, 1:] |= near[:, :-1]
    wide[:, :-1] |= near[:, 1:]
    alone = np.where(mask | (wide & ~solid), ink, 0)
    is_small = max(mask.shape) <= 2 * 28  # an edge of a pixel counts in small pictures only
    return Mark(alone[extent(alone > FAINT if is_small else mask)], doubt)


def trimmed(ink: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"] | None:
    """Crop ink to its strokes; None if there are fewer than four pixels of it."""
    solid = ink > SOLID
    if solid.sum() < 4:
        return None
    return ink[extent(solid)]


def _doubt(mask: Bool[np.ndarray, "H W"], parts: int) -> str | None:
    """Return why a mark's form is not a digit's: too wide, filled, in two rows, in many parts."""
    form = mask[extent(mask)]
    height, width = form.shape
    if width > 1.5 * height:
        return SEVERAL
    if parts > 4:
        return SCATTERED
    _, boxes = boxes_of(form)
    upright = [
        rows for rows, columns in boxes if rows.stop - rows.start >= max(0.3 * height, columns.stop - columns.start)
    ]
    upright.sort(key=lambda rows: rows.start)
    if any(below.start > above.stop for above, below in pairwise(upright)):
        return SEVERAL
    if min(height, width) > 0.5 * max(height, width) and stroke_width(form) > 0.5 * min(height, width):
        return BLOB
    return None


def stroke_width(form: Bool[np.ndarray, "h w"]) -> float:
    """Return the mean width of the strokes in pixels: twice the area by the length of the edge."""
    solid = np.pad(form, 1)
    inner = solid[1:-1, 1:-1] & solid[:-2, 1:-1] & solid[2:, 1:-1] & solid[1:-1, :-2] & solid[1:-1, 2:]
    return 2 * solid.sum() / max(solid.sum() - inner.sum(), 1)
