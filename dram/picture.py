"""One frame of a number being read: the glance, the gaze, the patches, the belief, and the text as it is written.

From the trace alone. `t` counts glimpses from 0; between two whole numbers the gaze moves, as in RAM's films.
"""

from saccade.dram.frame import Frame, read_frame
from saccade.gaze.drawing import image_and_windows, image_box, path, progress_bar, retina
from saccade.pipeline.animate.belief_chart import bars, percent
from saccade.pipeline.animate.page import Box, Page, Pixels, magnified_size, resize, shorten, text_width
from saccade.pipeline.animate.palette import (
    BELIEF,
    FAINT,
    GAZE,
    GROUND,
    INK,
    QUIET,
    RIGHT,
    STAGE,
    WHITE,
    WRONG,
    Colour,
    mix,
)
from saccade.pipeline.contract import Trace

WIDTH, HEIGHT, MARGIN = 960, 540, 32
TITLE_BASELINE, CAPTION_BASELINE, PROGRESS_TOP = 46, 88, 514
PANEL = Box(MARGIN, 98, 336, 336)
TEXT = Box(MARGIN, 448, 336, 52)
RETINA = Box(404, PANEL.top, 150, 402)
CHART = Box(596, PANEL.top, WIDTH - MARGIN - 596, 262)
GLANCE = Box(596, 402, 98, 98)
TILE, TILE_CAPTION = 240, 40


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the large frame: picture and text, retina, belief, glance.

    Args:
        trace: with `Reading` outputs.
        t: glimpse, from 0 to T - 1; a fraction is a time between two glimpses; after the stop the last frame stays.
        example: index among the trace's B examples.

    Returns:
        uint8 [540, 960, 3].
    """
    now = read_frame(trace, t, example)
    page = Page(WIDTH, HEIGHT)
    _panel(page, PANEL, now)
    _text(page, TEXT, now)
    bars(page, CHART, now.belief)
    _glance(page, now)
    number = now.step // now.each + 1
    if now.patches:
        retina(page, RETINA, now.patches, moving=now.moving)
        x = page.text(f"Glimpse {now.step + 1} ", MARGIN, TITLE_BASELINE, 26, bold=True)
        page.text(f"of {now.steps}", x, TITLE_BASELINE, 26, QUIET)
        page.text("what the retina sees", RETINA.left, CAPTION_BASELINE, 15, QUIET)
    else:
        page.text("All seen at once", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text("the picture", PANEL.left, CAPTION_BASELINE, 15, QUIET)
    page.text(f"belief about symbol {number}", CHART.left, CAPTION_BASELINE, 15, QUIET)
    _verdict(page, now)
    progress_bar(page, Box(MARGIN, PROGRESS_TOP, WIDTH - 2 * MARGIN, 5), now.steps, now.step, now.progress)
    if trace.remark:
        page.text(shorten(trace.remark, WIDTH - 2 * MARGIN, 12), MARGIN, HEIGHT - 6, 12, QUIET)
    return page.pixels()


def tile(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the small frame for a wall of many examples: the picture with its gaze, and the text so far.

    Arguments as `picture`. Returns uint8 [280, 240, 3].
    """
    now, baseline = read_frame(trace, t, example), TILE + 24
    page = Page(TILE, TILE + TILE_CAPTION)
    _panel(page, Box(0, 0, TILE, TILE), now)
    progress_bar(page, Box(0, TILE + TILE_CAPTION - 5, TILE, 3), now.steps, now.step, now.progress)
    word, colour = _judged(now)
    written = shorten(now.written, TILE / 2, 20, bold=True)
    x = page.text(written, 4, baseline, 20, colour or BELIEF, bold=True)
    if now.stopped:
        page.fill(Box(round(x) + 4, baseline - 11, 10, 10), GAZE)
        if now.reading.doubt:
            page.text("in doubt", TILE - 4, baseline, 15, WRONG, align="right")
        elif now.reading.truth is not None:
            truth = shorten(f"{word[:1]} truth {now.reading.truth}", TILE / 2 - 6, 15)
            page.text(truth, TILE - 4, baseline, 15, colour or INK, align="right")
    return page.pixels()


def _judged(now: Frame) -> tuple[str, Colour | None]:
    """Return the verdict on a finished text whose truth is known, and its colour; else no words."""
    read, truth = now.reading.text, now.reading.truth
    if not now.stopped or truth is None:
        return "", None
    if read == truth:
        return "✓ right", RIGHT
    return ("✓ in another order", RIGHT) if sorted(read) == sorted(truth) else ("✗ wrong", WRONG)


def _panel(page: Page, panel: Box, now: Frame) -> None:
    """Draw the picture, the windows around the gaze, its path, and each symbol where it was read."""
    stage = Page(panel.width, panel.height, STAGE)
    box = image_box(Box(0, 0, panel.width, panel.height), now.image.shape[1], now.image.shape[0])
    image_and_windows(stage, box, now.image, now.windows if now.patches else now.windows[:0])
    if now.patches:
        path(stage, [box.locate(x, y) for x, y in now.path])
        size = max(13, panel.width // 20)
        for symbol, place in zip(now.written, now.marks, strict=False):
            x, y = box.locate(*place)
            wide = text_width(symbol, size, bold=True) + 8
            top = min(max(round(y - 2.1 * size), 0), panel.height - size - 6)
            stage.rounded(Box(round(x - wide / 2), top, round(wide), size + 6), 4, BELIEF)
            stage.text(symbol, x, top + size, size, WHITE, bold=True, align="middle")
    if now.reading.doubt and now.stopped and panel.height >= 300:
        stage.fill(Box(0, panel.height - 30, panel.width, 30), WRONG)
        stage.text(f"? {now.reading.doubt}", 10, panel.height - 9, 16, WHITE, bold=True)
    page.paste(stage.image, panel.left, panel.top)


def _text(page: Page, box: Box, now: Frame) -> None:
    """Write the text so far, a box for each symbol, with its probability; and a mark where the network stopped."""
    symbols = max(len(now.reading.text), 1)
    pitch = min(50.0, (box.width - 76) / symbols)
    for i in range(len(now.reading.text)):
        cell = Box(round(box.left + i * pitch), box.top, round(pitch) - 6, box.height)
        is_written = i < len(now.written)
        page.fill(cell, mix(GROUND, BELIEF, 0.12) if is_written else FAINT)
        if is_written:
            size, middle = (28 if pitch >= 30 else 15), cell.left + cell.width / 2
            page.text(now.written[i], middle, cell.top + 32, size, BELIEF, bold=True, align="middle")
            if pitch >= 40:
                chance = percent(now.reading.probabilities[i])
                page.text(chance, middle, cell.top + 47, 12, QUIET, align="middle")
    if now.stopped:
        x = round(box.left + len(now.reading.text) * pitch) + 2
        page.fill(Box(x, box.top + 18, 16, 16), GAZE if now.reading.stopped else QUIET)
        page.text("stop" if now.reading.stopped else "no stop", x + 22, box.top + 32, 15, INK)


def _glance(page: Page, now: Frame) -> None:
    """Draw the coarse picture of the glance, and say why the network stopped."""
    left = GLANCE.left
    if now.coarse is not None:
        width, height = magnified_size(now.coarse.shape[1], now.coarse.shape[0], GLANCE.width)
        page.paste(resize(now.coarse, width, height), left, GLANCE.top)
        page.text("the glance, before the first glimpse", left, GLANCE.top - 10, 15, QUIET)
        left += width + 20
    if not now.stopped:
        return
    spent = f"{now.steps} glimpses" if now.patches else "one look"
    page.text(f"after {spent}:", left, GLANCE.top + 30, 15, QUIET)
    reason = _reason(now)
    page.text(reason, left, GLANCE.top + 52, 16, INK if now.reading.stopped else WRONG, bold=True)
    if now.reading.truth is not None:
        page.text(f"truth {now.reading.truth}", left, GLANCE.top + 78, 16, INK)


def _reason(now: Frame) -> str:
    """Return why the network stopped."""
    if not now.reading.stopped:
        return "no more glimpses"
    is_end = len(now.reading.text) * now.each < now.steps
    return f"end symbol ({percent(float(now.belief.probabilities[-1]))})" if is_end else "it halted"


def _verdict(page: Page, now: Frame) -> None:
    """Draw a badge that says if the text was read right, at the end and where the truth is known."""
    word, colour = _judged(now)
    if colour is None:
        return
    width = round(text_width(word, 18, bold=True)) + 28
    box = Box(WIDTH - MARGIN - width, TITLE_BASELINE - 24, width, 32)
    page.rounded(box, 16, colour)
    page.text(word, box.left + width / 2, box.top + 22, 18, WHITE, bold=True, align="middle")
