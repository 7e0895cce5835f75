"""One frame of the film of next frames: truth, prediction and error side by side, all so far below, and the objects."""

import numpy as np
from numpy.typing import NDArray

from saccade.pipeline.animate.page import Box, Page, Pixels, resize, to_pixels
from saccade.pipeline.animate.palette import BELIEF, DISTANT_GAZE, FAINT, GAZE, INK, QUIET, STAGE, WRONG, Colour
from saccade.pipeline.contract import Trace
from saccade.video.forecaster import Found
from saccade.videos.moving import GLYPH

WIDTH, HEIGHT, MARGIN = 960, 600, 32
TITLE_BASELINE = 46
SIDE, GAP = 288, 16
TOP = 84
ROWS_TOP, ROW = 408, 44
SHADES: tuple[Colour, ...] = (GAZE, (108, 178, 255), DISTANT_GAZE, (120, 200, 160))
"""Colours of the objects' windows."""

COLUMNS = 20
"""Most small frames in a row."""


def picture(trace: Trace, t: int, example: int) -> Pixels:
    """Draw frame t of a sequence: the truth, the prediction made before it was seen, and the error.

    Args:
        trace: outputs `Forecast`, batch `Sequences`.
        t: frame, from 0.
        example: index among the trace's B examples.

    Returns:
        uint8 [600, 960, 3].
    """
    given = int(trace.batch.given[example])
    truths = trace.batch.frames[example].float().cpu().numpy() / 255  # [T, 1, H, W]
    frames = trace.outputs.frame[:, example].float().clamp(0, 1).cpu().numpy()
    page = Page(WIDTH, HEIGHT)
    x = page.text(f"Frame {t + 1} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {len(truths)}", x, TITLE_BASELINE, 26, QUIET)
    what = "seen after it is predicted" if t < given else "never seen"
    error = float(np.square(frames[t] - truths[t]).sum())
    page.text(what, 260, TITLE_BASELINE, 22, BELIEF if t < given else GAZE, bold=True)
    page.text(f"squared error {error:.1f}", WIDTH - MARGIN, TITLE_BASELINE, 22, INK, align="right")
    panels = (
        ("truth", to_pixels(truths[t])),
        ("prediction", to_pixels(frames[t])),
        ("error", signed(frames[t], truths[t])),
    )
    boxes = []
    for column, (name, pixels) in enumerate(panels):
        box = Box(MARGIN + column * (SIDE + GAP), TOP, SIDE, SIDE)
        page.text(name, box.left, box.top - 10, 15, QUIET)
        page.paste(resize(pixels, SIDE, SIDE), box.left, box.top)
        boxes.append(box)
    if trace.outputs.found is not None:
        _objects(page, boxes[1], trace.outputs.found, t, example, truths.shape[-1])
    page.text("all so far: truth, prediction, error; right of the orange line no frame is seen", MARGIN, 392, 13, QUIET)
    rows = [(n, [to_pixels(frame) for frame in f]) for n, f in (("truth", truths), ("prediction", frames))]
    rows.append(("error", [signed(*pair) for pair in zip(frames, truths, strict=True)]))
    _rows(page, rows, t, given)
    return page.pixels()


def signed(frame: NDArray[np.floating], truth: NDArray[np.floating]) -> Pixels:
    """Draw an error [1, H, W]: white is none, orange too bright, blue too dark."""
    error = np.clip(frame[0] - truth[0], -1, 1)[..., None]
    over, under, ground = (np.asarray(colour, float) for colour in (WRONG, BELIEF, FAINT))
    mixed = ground + np.maximum(error, 0) * (over - ground) + np.maximum(-error, 0) * (under - ground)
    return np.rint(mixed).astype(np.uint8)


def _objects(page: Page, box: Box, found: Found, t: int, example: int, side: int) -> None:
    """Draw each object's window, numbered, and below what is known of it in words."""
    half = GLYPH / side
    for n in range(found.place.shape[2]):
        x, y = found.place[t, example, n].tolist()
        colour = SHADES[n % len(SHADES)]
        window = box.window(x, y, half, half)
        page.outline(Box(window.left + 2, window.top + 2, window.width - 4, window.height - 4), colour, 2)
        page.text(str(n + 1), window.left + 8, window.top + 22, 17, colour, bold=True)
        vx, vy = (v * side / 2 for v in found.velocity[t, example, n].tolist())
        middle = box.locate(x, y)
        end = (middle[0] + vx * box.width / side * 3, middle[1] + vy * box.height / side * 3)
        page.line(middle, end, 2.5, colour)
        hidden = 1 - float(found.visible[t, example, n])
        place = f"({(x + 1) * side / 2:.1f}, {(y + 1) * side / 2:.1f})"
        words = f"object {n + 1}: at {place}, moves ({vx:+.1f}, {vy:+.1f}), {hidden:.0%} hidden"
        left = MARGIN + (n % 2) * (WIDTH - 2 * MARGIN) // 2
        page.dot((left + 6, HEIGHT - 30 + 20 * (n // 2) - 5), 5, colour)
        page.text(words, left + 18, HEIGHT - 30 + 20 * (n // 2), 13, INK)


def _rows(page: Page, rows: list[tuple[str, list[Pixels]]], t: int, given: int) -> None:
    """Draw all frames so far, small, a row each for truth, prediction and error; a line marks where seeing ends."""
    steps = len(rows[0][1])
    first = max(0, min(t - COLUMNS + 1, steps - COLUMNS))
    shown = range(first, min(steps, first + COLUMNS))
    pitch = (WIDTH - 2 * MARGIN) / COLUMNS
    for row, (_, frames) in enumerate(rows):
        for column, index in enumerate(shown):
            tile = Box(round(MARGIN + column * pitch), ROWS_TOP + row * (ROW + 6), ROW - 2, ROW - 2)
            if index > t:
                page.fill(tile, FAINT)
            else:
                page.paste(resize(frames[index], tile.width, tile.height), tile.left, tile.top)
    if first < given < first + COLUMNS:
        x = round(MARGIN + (given - first) * pitch) - 3
        page.fill(Box(x, ROWS_TOP - 6, 2, 3 * (ROW + 6) + 6), GAZE)
    page.fill(Box(round(MARGIN + (t - first) * pitch), ROWS_TOP - 8, ROW - 2, 3), STAGE)
