"""Parts of the films of clips: a frame, a strip of frames, curves of probability, and bars of labels over time."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from saccade.pipeline.animate.page import Box, Page, Pixels, magnified_size, resize, shorten, text_width, to_pixels
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, INK, QUIET, STAGE, WHITE, Colour
from saccade.videos.config import VideoFacts
from saccade.videos.joints import BONES

Frames = NDArray[np.generic]  # uint8 [T, C, H, W] or float32 [T, J, 3]

THUMBNAILS = 15
"""Most frames in a strip."""


def frame_panel(page: Page, panel: Box, frames: Frames, t: int, facts: VideoFacts) -> None:
    """Draw frame t of a clip, enlarged, in the middle of a dark panel."""
    if facts.kind == "joints":
        page.paste(resize(skeleton(frames, t, panel.width, panel.height), panel.width, panel.height), *panel[:2])
        return
    page.fill(panel, STAGE)
    height, width = frames.shape[2:]
    across, down = magnified_size(width, height, panel.width)
    factor = min(1.0, panel.height / down)
    across, down = round(across * factor), round(down * factor)
    left, top = panel.left + (panel.width - across) // 2, panel.top + (panel.height - down) // 2
    page.paste(resize(to_pixels(frames[t] / 255), across, down), left, top)


def skeleton(frames: Frames, t: int, width: int, height: int) -> Pixels:
    """Draw a skeleton from the front, x to the right and y upwards; the view is the same for the whole clip."""
    stage = Page(width, height, STAGE)
    low, high = frames[..., :2].min((0, 1)), frames[..., :2].max((0, 1))
    scale = 0.9 * min(width / max(high[0] - low[0], 1e-3), height / max(high[1] - low[1], 1e-3))
    middle = (low + high) / 2
    places = (frames[t, :, :2] - middle) * scale * (1, -1) + (width / 2, height / 2)
    thickness = max(1.0, height / 60)
    for parent, child in BONES:
        start, end = (tuple(map(float, places[joint])) for joint in (parent, child))
        stage.line((start[0], start[1]), (end[0], end[1]), thickness, WHITE)
    for x, y in places.tolist():
        stage.dot((x, y), thickness, GAZE)
    return stage.pixels()


def strip(page: Page, box: Box, frames: Frames, t: int, facts: VideoFacts) -> None:
    """Draw the frames so far, side by side, along a time axis that fills the box's width; the present one is framed."""
    length = len(frames)
    count = min(length, THUMBNAILS)
    shown = [round(i * (length - 1) / max(1, count - 1)) for i in range(count)]
    pitch = box.width / len(shown)
    for column, index in enumerate(shown):
        tile = Box(round(box.left + column * pitch), box.top, round(pitch) - 2, box.height)
        if index > t:
            page.fill(tile, FAINT)
            continue
        frame_panel(page, tile, frames, index, facts)
    now = Box(round(box.left + box.width * t / length), box.top - 5, max(2, round(box.width / length)), 3)
    page.fill(now, INK)


def curves(page: Page, box: Box, values: NDArray[np.floating], t: int, colours: list[Colour], names: list[str]) -> None:
    """Draw probabilities over time [T, n] up to step t, each with its name at its end."""
    page.fill(box, FAINT)
    steps = len(values)
    place = lambda step, value: (  # noqa: E731
        box.left + box.width * (step + 0.5) / steps,
        box.top + box.height * (1 - value),
    )
    taken: list[float] = []
    for line, (colour, name) in enumerate(zip(colours, names, strict=True)):
        points = [place(step, float(values[step, line])) for step in range(t + 1)]
        for start, end in pairwise(points):
            page.line(start, end, 3, colour)
        page.dot(points[-1], 5, colour)
        width = text_width(name, 15, bold=True)
        x = min(points[-1][0] + 10, box.left + box.width - width - 4)
        y = min(max(points[-1][1] - 8, box.top + 16), box.top + box.height - 6)
        while any(abs(y - other) < 17 for other in taken):
            y += 17 if y < box.top + box.height / 2 else -17
        taken.append(y)
        page.text(name, x, y, 15, colour, bold=True)


def segments(
    page: Page, box: Box, labels: list[int], names: tuple[str, ...], quiet: int, until: int, colour: Colour = BELIEF
) -> None:
    """Draw runs of equal labels as bars with their names; classes from `quiet` on are faint, later frames empty."""
    page.fill(box, FAINT)
    start, length = 0, len(labels)
    for end in range(1, until + 2):
        if end <= until and labels[end] == labels[start]:
            continue
        left, right = (round(box.left + box.width * at / length) for at in (start, end))
        label = labels[start]
        if 0 <= label < quiet:
            page.fill(Box(left, box.top, max(1, right - left - 1), box.height), colour)
            name = shorten(names[label], right - left - 4, 13)
            if text_width(name, 13) <= right - left - 2:
                page.text(name, (left + right) / 2, box.top + box.height / 2 + 5, 13, WHITE, align="middle")
        start = end


def caption(page: Page, text: str, x: float, baseline: float, width: float, size: int = 15) -> None:
    """Write a quiet line of text, shortened to fit."""
    page.text(shorten(text, width, size), x, baseline, size, QUIET)
