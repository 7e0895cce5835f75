"""Success and precision curves, as the OTB benchmark defines them (Wu, Lim & Yang 2013, section 4.1). Torch-free.

Boxes are (left, top, width, height) in pixels. Success at a threshold is the fraction of frames whose overlap is
greater than it; precision at a distance the fraction whose centres are at most so far apart.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]  # [T, 4]

THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(21))
"""Overlaps at which success is measured: 0, 0.05, ..., 1."""

DISTANCES = tuple(range(51))
"""Distances in pixels at which precision is measured: 0, 1, ..., 50."""

AT_PIXELS = 20
"""Distance at which the benchmark quotes precision."""


def overlaps(answers: Boxes, truth: Boxes) -> NDArray[np.float64]:
    """Return intersection over union of each pair of boxes [T]."""
    low = np.maximum(answers[:, :2], truth[:, :2])
    high = np.minimum(answers[:, :2] + answers[:, 2:], truth[:, :2] + truth[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(answers[:, 2:], axis=1) + np.prod(truth[:, 2:], axis=1) - shared
    return shared / np.maximum(union, 1e-12)


def distances(answers: Boxes, truth: Boxes) -> NDArray[np.float64]:
    """Return the distance of the centres of each pair of boxes, in pixels [T]."""
    apart = answers[:, :2] + answers[:, 2:] / 2 - truth[:, :2] - truth[:, 2:] / 2
    return np.hypot(apart[:, 0], apart[:, 1])


def success(answers: Boxes, truth: Boxes) -> list[float]:
    """Return the success at each of the `THRESHOLDS`."""
    found = overlaps(answers, truth)
    return [float((found > threshold).mean()) for threshold in THRESHOLDS]


def precision(answers: Boxes, truth: Boxes) -> list[float]:
    """Return the precision at each of the `DISTANCES`."""
    found = distances(answers, truth)
    return [float((found <= pixels).mean()) for pixels in DISTANCES]


def auc(curve: Sequence[float]) -> float:
    """Return the area under a success curve: the mean over the thresholds."""
    return sum(curve) / len(curve)
