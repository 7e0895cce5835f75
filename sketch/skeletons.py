"""The embedded default: scikit-learn's 1,797 digits as strokes, from the skeletons of their enlarged images.

The data set has no pen in it. The strokes follow the ink's middle line, and their order is a guess: a stroke begins at
an end of the line, the topmost first, and goes straight on where lines cross.
"""

import math
from functools import cache
from typing import cast

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from saccade.images.digits import TEST, held_out
from saccade.sketch.collection import Drawings
from saccade.sketch.strokes import Points, framed, to_moves

ENLARGED, INK = 6, 0.42
"""Factor by which the 8 x 8 pixels are enlarged, and the level in [0, 1] from which a pixel is ink."""

SMOOTH = 1.5
"""Standard deviation, in enlarged pixels, of the filter along a stroke: skeletons are ragged."""

SHORTEST = 5
"""Pixels of the shortest stroke: shorter ones are spurs of the skeleton."""

NEIGHBOURS = [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]
"""The four that share a side first."""


@cache
def load_skeletons(tolerance: float) -> tuple[Drawings, Drawings, tuple[str, ...]]:
    """Return training (1,397) and test (400) drawings of the embedded digits, and their classes; all is at hand."""
    import torch
    from skimage.morphology import skeletonize
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    moves = []
    for image in images.reshape(-1, 8, 8):
        large = np.asarray(ndimage.zoom(np.pad(image, 1) / 16, ENLARGED, order=3), np.float64)
        level = min(INK, 0.6 * float(large.max()))
        ink, _ = cast(tuple[np.ndarray, int], ndimage.label(large > level, np.ones((3, 3))))
        largest = np.bincount(ink.ravel())[1:].argmax() + 1
        moves.append(to_moves(framed(trace_lines(skeletonize(ink == largest)), tolerance)))
    held = held_out(torch.tensor(classes), TEST).numpy()
    parts = [
        Drawings([moves[i] for i in of], [int(classes[i]) for i in of]) for of in map(np.flatnonzero, (~held, held))
    ]
    return parts[0], parts[1], tuple(str(digit) for digit in range(10))


def trace_lines(skeleton: Bool[np.ndarray, "h w"]) -> list[Points]:
    """Follow a skeleton's lines; return them as smooth strokes of points (x, y), the topmost first."""
    left = {(int(y), int(x)) for y, x in np.argwhere(skeleton)}
    all_of, strokes = frozenset(left), []
    while left:
        line = _line(left, all_of)
        if len(line) >= SHORTEST or (not strokes and not left):
            strokes.append(_smooth(np.array(line, np.float64)[:, ::-1]))
    return strokes


def _line(left: set[tuple[int, int]], all_of: frozenset[tuple[int, int]]) -> list[tuple[int, int]]:
    """Take one line out of the pixels that are left, from an end of it; a loop begins at its top."""
    ends = [pixel for pixel in left if len(_near(pixel, left)) <= 1]
    line = [min(ends or left)]
    left.discard(line[0])
    while near := _near(line[-1], left):
        step = near[0] if len(near) == 1 else max(near, key=lambda pixel: _straight(line, pixel))
        left.difference_update(near if len(near) == 2 and _touch(*near) else ())  # a corner of two pixels is one point
        left.discard(step)
        line.append(step)
    for joint in (_near(line[0], all_of - set(line[:3])), _near(line[-1], all_of - set(line[-3:]))):
        if joint and len(line) > 2:  # the line began or ended at another one: reach it
            line = [joint[0], *line] if joint[0] in _near(line[0], all_of) else [*line, joint[0]]
    return line


def _near(pixel: tuple[int, int], among: set[tuple[int, int]] | frozenset[tuple[int, int]]) -> list[tuple[int, int]]:
    y, x = pixel
    return [(y + dy, x + dx) for dy, dx in NEIGHBOURS if (y + dy, x + dx) in among]


def _touch(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) == 1


def _straight(line: list[tuple[int, int]], pixel: tuple[int, int]) -> float:
    """Return how straight a line goes on to a pixel: the cosine of the turn."""
    (y, x), (back_y, back_x) = line[-1], line[max(0, len(line) - 6)]
    step, past = (pixel[0] - y, pixel[1] - x), (y - back_y, x - back_x)
    return (step[0] * past[0] + step[1] * past[1]) / (math.hypot(*step) * (math.hypot(*past) or 1))


def _smooth(points: Points) -> Points:
    """Smooth a stroke along itself; its ends stay where they are, a closed one stays closed."""
    closed = len(points) > 8 and np.abs(points[0] - points[-1]).max() <= 1
    if closed:
        points = np.concatenate([points, points[:1]])
    smooth = ndimage.gaussian_filter1d(points, SMOOTH, axis=0, mode="wrap" if closed else "nearest")
    if not closed:
        smooth[[0, -1]] = points[[0, -1]]
    return smooth
