"""One frame of the film of a clip: the frame, the classes' probabilities, and how they came about over time."""

from saccade.pipeline.animate.belief_chart import (
    Belief,
    bars,
    headline,
    headline_width,
    most_probable,
    softmax,
    verdict,
)
from saccade.pipeline.animate.page import Box, Page, Pixels
from saccade.pipeline.animate.palette import BELIEF, INK, QUIET, RIGHT
from saccade.pipeline.contract import Trace
from saccade.video.panels import caption, curves, frame_panel, strip
from saccade.videos.config import VideoFacts

WIDTH, HEIGHT, MARGIN = 960, 600, 32
TITLE_BASELINE = 46
PANEL = Box(MARGIN, 74, 384, 270)
CHART = Box(440, 74, WIDTH - MARGIN - 440, 270)
STRIP = Box(MARGIN, 388, WIDTH - 2 * MARGIN, 56)
CURVES = Box(MARGIN, 456, WIDTH - 2 * MARGIN, 112)
HEADLINES, HEADLINE_RIGHT = (440, 250), 812  # the headline's left edge for short and for long class names
ROWS = 8
"""Bars of the chart."""


def picture(trace: Trace, t: int, example: int) -> Pixels:
    """Draw frame t of a clip, the answer after it, and the probabilities of the answers so far below all frames.

    Args:
        trace: outputs `Answer`, batch `Clips`.
        t: frame, from 0; after the end of a shorter clip its last one stays.
        example: index among the trace's B examples.

    Returns:
        uint8 [600, 960, 3].
    """
    facts: VideoFacts = trace.facts
    length = int(trace.batch.lengths[example])
    step = min(t, length - 1)
    frames = trace.batch.frames[example, :length].cpu().numpy()
    probabilities = softmax(trace.outputs.logits[:length, example].float().cpu().numpy())
    label = int(trace.batch.labels[example])
    truth = label if label >= 0 else None
    shown = most_probable(probabilities, truth)
    if len(shown) > ROWS:
        peaks = sorted(range(probabilities.shape[1]), key=lambda k: (k != truth, -probabilities[:, k].max()))
        shown = tuple(sorted(peaks[:ROWS]))
    before = probabilities[step - 1] if step else None
    belief = Belief(probabilities[step], before, facts.classes, truth, shown, step == length - 1)
    page = Page(WIDTH, HEIGHT)
    x = page.text(f"Frame {step + 1} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {length}", x, TITLE_BASELINE, 26, QUIET)
    left = HEADLINES[0] if headline_width(belief) <= HEADLINE_RIGHT - HEADLINES[0] else HEADLINES[1]
    headline(page, left, TITLE_BASELINE, HEADLINE_RIGHT - left, belief)
    verdict(page, WIDTH - MARGIN, TITLE_BASELINE - 8, belief)
    frame_panel(page, PANEL, frames, step, facts)
    bars(page, CHART, belief)
    own = trace.batch.own
    said = "" if own is None else "; the clip's own frames are underlined"
    caption(page, f"the frames so far, and the probability of the answer after each{said}", MARGIN, 374, STRIP.width)
    strip(page, STRIP, frames, step, facts)
    for frame in [] if own is None else own[example, :length].nonzero()[:, 0].tolist():
        left, right = (round(STRIP.left + STRIP.width * at / length) for at in (frame, frame + 1))
        page.fill(Box(left, STRIP.top + STRIP.height + 3, right - left, 4), INK)
    answer = int(probabilities[step].argmax())
    lines = [answer] if truth in (None, answer) else [answer, truth]
    colours = [RIGHT if answer == truth else BELIEF, QUIET]
    names = [facts.classes[k] + (" (truth)" if k == truth else "") for k in lines if k is not None]
    curves(page, CURVES, probabilities[:, lines], step, colours[: len(lines)], names)
    return page.pixels()
