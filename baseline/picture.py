"""The frame of a feed-forward network: the image, and the belief in each class. From the trace alone."""

import numpy as np

from saccade.pipeline.animate.belief_chart import Belief, bars, headline, most_probable, softmax, verdict
from saccade.pipeline.animate.page import Box, Page, Pixels, magnified_size, resize, to_pixels
from saccade.pipeline.animate.palette import QUIET, STAGE
from saccade.pipeline.contract import Trace

WIDTH, HEIGHT, MARGIN = 960, 540, 32
TITLE_BASELINE, CAPTION_BASELINE = 46, 88
PANEL = Box(MARGIN, 98, 400, 400)
CHART = Box(480, PANEL.top, WIDTH - MARGIN - 480, PANEL.height)
VERDICT_ROOM = 152


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the image, the belief in each class, and the verdict on the answer.

    Args:
        trace: with `Look` outputs; a label outside the classes is unknown.
        t: 0, the only step.
        example: index among the trace's B examples.

    Returns:
        uint8 [540, 960, 3].
    """
    assert t == 0, f"t = {t} of one look"
    probabilities = softmax(trace.outputs.logits[:, example].detach().float().cpu().numpy())
    target = int(trace.batch.labels[example])
    truth = target if 0 <= target < len(trace.facts.classes) else None
    shown = most_probable(probabilities, truth)
    belief = Belief(probabilities[0], None, trace.facts.classes, truth, shown, final=True)
    page = Page(WIDTH, HEIGHT)
    _panel(page, trace.batch.images[example].detach().float().cpu().numpy())
    bars(page, CHART, belief)
    page.text("One look", MARGIN, TITLE_BASELINE, 26, bold=True)
    headline(page, CHART.left, TITLE_BASELINE, CHART.width - VERDICT_ROOM, belief)
    verdict(page, WIDTH - MARGIN, TITLE_BASELINE - 8, belief)
    for caption, box in (("the image", PANEL), ("belief in each class", CHART)):
        page.text(caption, box.left, CAPTION_BASELINE, 15, QUIET)
    return page.pixels()


def _panel(page: Page, image: np.ndarray) -> None:
    """Draw the image [C, H, W] in its panel, as large as fits."""
    pixels = to_pixels(image)
    width, height = magnified_size(pixels.shape[1], pixels.shape[0], PANEL.width)
    page.fill(PANEL, STAGE)
    left, top = PANEL.left + (PANEL.width - width) // 2, PANEL.top + (PANEL.height - height) // 2
    page.paste(resize(pixels, width, height), left, top)
