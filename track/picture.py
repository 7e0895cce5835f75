"""One frame of a tracking: the video with the window and the answer, what the window sees, and the confidence.

The window is orange, the answer blue (dashed where the tracker says "lost"), the truth, where it is known, white.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from saccade.pipeline.animate.page import Box, Page, Pixels, resize
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, INK, OTHER_BELIEF, QUIET, STAGE, WHITE, WRONG, Colour
from saccade.pipeline.contract import Trace
from saccade.recurrent.tree import count
from saccade.track.window import overlap

WIDTH, HEIGHT, MARGIN = 960, 540, 32
TITLE_BASELINE, CAPTION_BASELINE = 46, 88
VIDEO, SIGHT = Box(MARGIN, 98, 600, 340), Box(688, 98, 240, 240)
CHART = Box(MARGIN, 462, WIDTH - 2 * MARGIN, 46)
SMALL_TILE, LARGE_TILE, MANY = 96, 192, 16
DASH = 6
"""Length of a dash in pixels."""

GLOW = 0.75
"""Opacity of the likeliest place."""


class Frame(NamedTuple):
    """One example at one step. Boxes are (x, y, w, h), see `saccade.track.window`."""

    picture: Pixels
    step: int
    steps: int
    answer: NDArray[np.floating]
    window: NDArray[np.floating]
    truth: NDArray[np.floating] | None
    """None where it is not known."""
    visible: bool
    patch: Pixels
    place: NDArray[np.floating]
    """Probability of each place in the window [N, N]."""
    confidences: NDArray[np.floating]
    """Probability that the answer is right, at every step [T]."""
    overlaps: NDArray[np.floating] | None
    """Overlap with the truth at every step [T], 0 where the target is hidden; None if the truth is not known."""

    @property
    def lost(self) -> bool:
        return bool(self.confidences[self.step] < 0.5)


def read_frame(trace: Trace, t: float, example: int) -> Frame:
    """Read one example at step t from a trace."""
    step, outputs = int(t), trace.outputs
    at = lambda leaf: leaf[step, example].detach().float().cpu().numpy()  # noqa: E731
    truth = trace.batch.boxes[example, 1:].float()
    known = not bool(truth.isnan().any())
    visible = trace.batch.visible[example, 1:]
    overlaps = (overlap(outputs.box[:, example].float(), truth) * visible).cpu().numpy() if known else None
    return Frame(
        _pixels(trace.episode.inputs[step, example].cpu().numpy()),
        step,
        len(outputs.box),
        at(outputs.box),
        at(outputs.window),
        truth[step].numpy() if known else None,
        bool(visible[step]) or not known,
        _pixels(np.rint(at(outputs.patch).clip(0, 1) * 255).astype(np.uint8)),
        at(outputs.place.exp()),
        torch.sigmoid(outputs.confidence[:, example].detach().float()).cpu().numpy(),
        overlaps,
    )


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the large frame: uint8 [540, 960, 3]."""
    now = read_frame(trace, t, example)
    page = Page(WIDTH, HEIGHT)
    x = page.text(f"Frame {now.step + 2} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {now.steps + 1}", x, TITLE_BASELINE, 26, QUIET)
    sure = f"{now.confidences[now.step]:.0%} sure"
    page.text(
        "lost" if now.lost else sure,
        WIDTH - MARGIN,
        TITLE_BASELINE,
        24,
        WRONG if now.lost else BELIEF,
        bold=True,
        align="right",
    )
    x = page.text("the window ", VIDEO.left, CAPTION_BASELINE, 15, GAZE, bold=True)
    x = page.text("and the answer", x, CAPTION_BASELINE, 15, BELIEF, bold=True)
    if now.truth is not None:
        page.text("; white: the truth" + ("" if now.visible else ", hidden"), x, CAPTION_BASELINE, 15, QUIET)
    _video(page, VIDEO, now)
    page.text("what the window sees,", SIGHT.left, CAPTION_BASELINE, 15, QUIET)
    _sight(page, SIGHT, now)
    below = SIGHT.top + SIGHT.height
    page.text("and, in orange, where", SIGHT.left, below + 24, 15, QUIET)
    page.text("the target is in it", SIGHT.left, below + 44, 15, QUIET)
    said = "confidence" if now.overlaps is None else "confidence, as bars; the line is the overlap with the truth"
    page.text(said, CHART.left, CHART.top - 7, 13, QUIET)
    _chart(page, CHART, now)
    return page.pixels()


def tile(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the small frame for a wall of many examples: the video alone."""
    now = read_frame(trace, t, example)
    side = SMALL_TILE if count(trace.batch) > MANY else LARGE_TILE
    page = Page(side, side)
    _video(page, Box(0, 0, side, side), now)
    return page.pixels()


def _pixels(frame: NDArray[np.uint8]) -> Pixels:
    """Return a frame [C, H, W] as uint8 [H, W, 3]."""
    return np.repeat(frame, 3, axis=0).transpose(1, 2, 0) if len(frame) == 1 else frame.transpose(1, 2, 0)


def fitted(width: int, height: int, room: Box) -> tuple[int, int]:
    """Return the size at which a picture fills a box: a whole multiple where it is at least doubled, else any."""
    factor = min(room.width / width, room.height / height)
    factor = math.floor(factor) if factor >= 2 else factor
    return max(1, round(width * factor)), max(1, round(height * factor))


def _video(page: Page, room: Box, now: Frame) -> None:
    """Draw the frame with the window, the truth and the answer over it, cropped to its stage."""
    stage = Page(room.width, room.height, STAGE)
    width, height = fitted(now.picture.shape[1], now.picture.shape[0], room)
    inner = Box((room.width - width) // 2, (room.height - height) // 2, width, height)
    stage.paste(resize(now.picture, width, height), inner.left, inner.top)
    thick = 2 if room.width >= LARGE_TILE else 1
    if now.truth is not None:
        _outline(stage, inner.window(*now.truth.tolist()), WHITE, thick, dashed=not now.visible)
    _outline(stage, inner.window(*now.window.tolist()), GAZE, thick, dashed=False)
    _outline(stage, inner.window(*now.answer.tolist()), BELIEF, thick, dashed=now.lost)
    page.paste(stage.image, room.left, room.top)


def _outline(stage: Page, box: Box, colour: Colour, thickness: int, *, dashed: bool) -> None:
    """Frame a box, set off by a dark line; far outside the stage it is cropped."""
    far = 3 * max(stage.image.size)
    left, top = max(-far, min(box.left, far)), max(-far, min(box.top, far))
    right, bottom = max(-far, min(box.left + box.width, far)), max(-far, min(box.top + box.height, far))
    box = Box(left, top, max(1, right - left), max(1, bottom - top))
    stage.outline(box, INK, thickness + 1, 0.35)
    if not dashed:
        stage.outline(box, colour, thickness)
        return
    for start in range(0, box.width, 2 * DASH):
        for y in (box.top - thickness, box.top + box.height):
            stage.fill(Box(box.left + start, y, min(DASH, box.width - start), thickness), colour)
    for start in range(0, box.height, 2 * DASH):
        for x in (box.left - thickness, box.left + box.width):
            stage.fill(Box(x, box.top + start, thickness, min(DASH, box.height - start)), colour)


def _sight(page: Page, room: Box, now: Frame) -> None:
    """Draw the window's contents, in orange where the target's centre probably is."""
    glow = (now.place / max(now.place.max(), 1e-12))[..., None] * GLOW
    seen = np.rint(now.patch * (1 - glow) + np.array(GAZE) * glow).astype(np.uint8)
    page.paste(resize(seen, room.width, room.height), room.left, room.top)


def _chart(page: Page, box: Box, now: Frame) -> None:
    """Draw the confidence of every step as bars, later ones faint, and the overlap with the truth as a line."""
    page.fill(box, FAINT)
    edges = [round(box.left + box.width * n / now.steps) for n in range(now.steps + 1)]
    gap = 1 if box.width / now.steps > 4 else 0
    for n in range(now.step + 1):
        height = round(box.height * float(now.confidences[n]))
        colour = WRONG if now.confidences[n] < 0.5 else OTHER_BELIEF
        page.fill(Box(edges[n], box.top + box.height - height, max(1, edges[n + 1] - edges[n] - gap), height), colour)
    middle = box.top + box.height // 2
    page.fill(Box(box.left, middle, box.width, 1), QUIET, 0.4)
    if now.overlaps is None:
        return
    points = [
        ((edges[n] + edges[n + 1]) / 2, box.top + box.height * (1 - float(now.overlaps[n])))
        for n in range(now.step + 1)
    ]
    for start, end in pairwise(points):
        page.line(start, end, 2, INK)
    page.dot(points[-1], 4, INK)
