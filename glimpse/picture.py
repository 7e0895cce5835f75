"""One frame of a gaze: the windows on the image, the retina's patches, and the belief. From the trace alone.

`t` counts glimpses from 0. Between two whole numbers the gaze moves: first the windows glide and no patches are shown,
as in a saccade of the eye; then the windows stop, the new patches appear and the belief changes.
"""

from saccade.gaze.drawing import cross, image_and_windows, image_box, path, progress_bar, retina
from saccade.glimpse.frame import Frame, read_frame
from saccade.pipeline.animate.belief_chart import bars, headline, headline_width, percent, verdict
from saccade.pipeline.animate.page import Box, Page, Pixels, magnified_size, resize, shorten, text_width
from saccade.pipeline.animate.palette import (
    BELIEF,
    INK,
    QUIET,
    RIGHT,
    STAGE,
    WHITE,
    WRONG,
)
from saccade.pipeline.contract import Trace

WIDTH, HEIGHT, MARGIN = 960, 540, 32
TITLE_BASELINE, CAPTION_BASELINE, PROGRESS_TOP = 46, 88, 514
PANEL = Box(MARGIN, 98, 400, 400)
HEADLINES, HEADLINE_RIGHT = (460, 290), 808  # the headline's left edge for short and for long class names
RETINA = Box(460, PANEL.top, 168, PANEL.height)
CHART = Box(660, PANEL.top, WIDTH - MARGIN - 660, PANEL.height)
TILE, TILE_CAPTION = 240, 40


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the large frame: image, retina and belief.

    Args:
        trace: with `Glimpse` outputs; a label outside the classes is unknown.
        t: glimpse, from 0 to T - 1; a fraction is a time between two glimpses.
        example: index among the trace's B examples.

    Returns:
        uint8 [540, 960, 3].
    """
    now = read_frame(trace, t, example)
    page = Page(WIDTH, HEIGHT)
    _panel(page, PANEL, now)
    top = retina(page, RETINA, now.patches, moving=now.moving)
    _earlier(page, Box(RETINA.left, top, RETINA.width, RETINA.top + RETINA.height - top), now.earlier)
    bars(page, CHART, now.belief)
    x = page.text(f"Glimpse {now.step + 1} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {now.steps}", x, TITLE_BASELINE, 26, QUIET)
    left = HEADLINES[0] if headline_width(now.belief) <= HEADLINE_RIGHT - HEADLINES[0] else HEADLINES[1]
    headline(page, left, TITLE_BASELINE, HEADLINE_RIGHT - left, now.belief)
    verdict(page, WIDTH - MARGIN, TITLE_BASELINE - 8, now.belief)
    _captions(page, now)
    if now.doubt:
        page.fill(Box(PANEL.left, PANEL.top + PANEL.height - 34, PANEL.width, 34), WRONG)
        page.text(f"? {now.doubt}", PANEL.left + 12, PANEL.top + PANEL.height - 11, 18, WHITE, bold=True)
    progress_bar(page, Box(MARGIN, PROGRESS_TOP, WIDTH - 2 * MARGIN, 5), now.steps, now.step, now.progress)
    if trace.remark:
        page.text(shorten(trace.remark, WIDTH - 2 * MARGIN, 12), MARGIN, HEIGHT - 6, 12, QUIET)
    return page.pixels()


def tile(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the small frame for a grid of many examples: the image with its gaze, and one line of belief.

    Arguments as `picture`. Returns uint8 [280, 240, 3].
    """
    now = read_frame(trace, t, example)
    belief, baseline = now.belief, TILE + 24
    page = Page(TILE, TILE + TILE_CAPTION)
    _panel(page, Box(0, 0, TILE, TILE), now)
    progress_bar(page, Box(0, TILE + TILE_CAPTION - 5, TILE, 3), now.steps, now.step, now.progress)
    is_right = belief.best == belief.truth
    judged = belief.final and belief.truth is not None
    colour = (RIGHT if is_right else WRONG) if judged else BELIEF
    name = shorten(belief.classes[belief.best], TILE / 2 - 46, 18, bold=True)
    x = page.text(name, 4, baseline, 18, colour, bold=True)
    page.text(f" {percent(belief.probabilities[belief.best])}", x, baseline, 15, QUIET)
    if now.doubt:
        page.text("in doubt", TILE - 4, baseline, 15, WRONG, align="right")
    elif belief.truth is not None:
        mark = ("✓ " if is_right else "✗ ") if judged else ""
        truth = shorten(f"{mark}truth {belief.classes[belief.truth]}", TILE / 2 - 6, 15)
        page.text(truth, TILE - 4, baseline, 15, colour if judged else INK, align="right")
    return page.pixels()


def _panel(page: Page, panel: Box, now: Frame) -> None:
    """Draw the image, every scale's window around the gaze, the digit's middle if it is known, and the gaze's path.

    All is cropped to the panel.
    """
    stage = Page(panel.width, panel.height, STAGE)
    box = image_box(Box(0, 0, panel.width, panel.height), now.image.shape[1], now.image.shape[0])
    image_and_windows(stage, box, now.image, now.windows)
    if now.digit is not None:
        cross(stage, box.locate(*now.digit), max(5.0, 0.03 * panel.width))
    path(stage, [box.locate(x, y) for x, y in now.path])
    page.paste(stage.image, panel.left, panel.top)


def _captions(page: Page, now: Frame) -> None:
    """Write the captions of the three columns, and the key of the tick in the bars."""
    image = "the image" if now.digit is None else "the image; the cross is the digit's middle"
    for caption, box in ((image, PANEL), ("what the retina sees", RETINA), ("belief in each class", CHART)):
        page.text(caption, box.left, CAPTION_BASELINE, 15, QUIET)
    right = CHART.left + CHART.width
    page.text("before", right, CAPTION_BASELINE, 15, QUIET, align="right")
    page.fill(Box(round(right - text_width("before", 15)) - 9, CAPTION_BASELINE - 12, 2, 14), INK)


def _earlier(page: Page, box: Box, patches: list[Pixels]) -> None:
    """Draw the finest patches of the glimpses before: the latest ones that fit into the space."""
    caption, gap = 38, 12
    side = (box.width - 2 * gap) // 3
    room = 3 * ((box.height - caption + gap) // (side + gap))
    if not patches or room <= 0:
        return
    page.text("and saw before", box.left, box.top + caption - 12, 15, QUIET)
    for i, patch in enumerate(patches[-room:]):
        width, height = magnified_size(patch.shape[1], patch.shape[0], side)
        left, top = box.left + i % 3 * (side + gap), box.top + caption + i // 3 * (side + gap)
        page.paste(resize(patch, width, height), left, top)
