"""Drawing of a gaze: the picture in its panel, windows, the path of the locations, a bar of progress."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.pipeline.animate.page import Box, Page, Pixels, Point, magnified_size, resize
from saccade.pipeline.animate.palette import (
    DISTANT_GAZE,
    FAINT,
    GAZE,
    GROUND,
    INK,
    QUIET,
    RIGHT,
    STAGE,
    WHITE,
    gaze_shade,
    mix,
)

BORDER = 0.08
"""Part of the panel's side that is kept free around the image, for windows that reach beyond it."""

LANDED = 0.6
"""Fraction of a step's time in which the gaze moves."""


def image_box(panel: Box, width: int, height: int) -> Box:
    """Return the box of an image of width x height pixels in a panel: in the middle, as large as the border allows."""
    room = round(min(panel.width, panel.height) * (1 - 2 * BORDER))
    across, down = magnified_size(width, height, room)
    return Box(panel.left + (panel.width - across) // 2, panel.top + (panel.height - down) // 2, across, down)


def image_and_windows(stage: Page, box: Box, image: Pixels, windows: NDArray[np.float64]) -> None:
    """Draw an image, and every scale's window (x, y, half-width, half-height) around the gaze, the finest first."""
    stage.paste(resize(image, box.width, box.height), box.left, box.top)
    scales = len(windows)
    for scale in reversed(range(scales)):
        window = box.window(*windows[scale])
        stage.outline(window, INK, 4, 0.5)  # sets the outline off from bright pixels
        stage.outline(window, gaze_shade(scale, scales), 3)


def cross(stage: Page, centre: Point, reach: float) -> None:
    """Draw a cross at a place that the network does not know; the gaze's dot may cover it."""
    x, y = centre
    for colour, thickness in ((WHITE, 6.0), (RIGHT, 3.0)):
        stage.line((x - reach, y), (x + reach, y), thickness, colour, 0.9)
        stage.line((x, y - reach), (x, y + reach), thickness, colour, 0.9)


def path(stage: Page, points: Sequence[Point]) -> None:
    """Draw the locations joined by a line, earlier ones fainter, and a ringed dot at the gaze."""
    faded = [max(0.3, 0.95 * 0.8 ** (len(points) - 1 - i)) for i in range(len(points))]
    for halo in (True, False):
        colour, extra = (INK, 2.0) if halo else (DISTANT_GAZE, 0.0)
        for start, end, opacity in zip(points, points[1:], faded[1:], strict=False):
            stage.line(start, end, 2 + extra, colour, opacity * (0.6 if halo else 1))
        for point, opacity in zip(points[:-1], faded[:-1], strict=True):
            stage.dot(point, 4 + extra / 2, colour, opacity)
    stage.dot(points[-1], 6.5, INK)
    stage.dot(points[-1], 5.5, WHITE)
    stage.dot(points[-1], 3.5, GAZE)


def retina(page: Page, box: Box, patches: Sequence[Pixels], *, moving: bool) -> int:
    """Draw each scale's patch, magnified, in a frame of its window's shade; dimmed while the gaze moves.

    Return where they end, in pixels from the page's top.
    """
    scales, gap, frame = len(patches), 10, 3
    side = min(box.width, (box.height - gap * (scales - 1)) // scales) - 2 * frame
    width, height = magnified_size(patches[0].shape[1], patches[0].shape[0], side)
    top = box.top + frame
    for scale, patch in enumerate(patches):
        place = Box(box.left + frame, top, width, height)
        page.paste(resize(patch, width, height), place.left, place.top)
        shade = gaze_shade(scale, scales)
        if moving:
            page.fill(place, STAGE, 0.8)
            shade = mix(shade, GROUND, 0.6)
        page.outline(place, shade, frame)
        top += height + 2 * frame + gap
    return top


def progress_bar(page: Page, box: Box, steps: int, step: int, progress: float) -> None:
    """Draw a bar with a segment for each glimpse: `step` is the current one, `progress` the number made."""
    gap = 4 if box.width / steps > 12 else 0
    for i in range(steps):
        left, right = (round(box.left + (box.width + gap) * k / steps) for k in (i, i + 1))
        width = right - left - gap
        page.fill(Box(left, box.top, width, box.height), FAINT)
        done = min(1.0, max(0.0, progress - i))
        page.fill(Box(left, box.top, round(width * done), box.height), INK if i == step else QUIET)


def ease(part: float) -> float:
    """Ease from 0 to 1, with slope 0 at both ends."""
    part = min(1.0, max(0.0, part))
    return part * part * (3 - 2 * part)


def between(first: NDArray[np.float64], second: NDArray[np.float64], amount: float) -> NDArray[np.float64]:
    """Interpolate linearly."""
    return first + (second - first) * amount
