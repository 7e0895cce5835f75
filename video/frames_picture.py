"""One frame of the film of a sentence: the frame, its label, the labels so far, and the sentence so far."""

from saccade.pipeline.animate.belief_chart import Belief, bars, softmax
from saccade.pipeline.animate.page import Box, Page, Pixels, shorten
from saccade.pipeline.animate.palette import BELIEF, INK, QUIET, RIGHT
from saccade.pipeline.contract import Trace
from saccade.video.panels import caption, frame_panel, segments, strip
from saccade.video.sentence import merged
from saccade.videos.config import VideoFacts
from saccade.videos.recordings import UNKNOWN

WIDTH, HEIGHT, MARGIN = 960, 600, 32
TITLE_BASELINE = 46
PANEL = Box(MARGIN, 74, 384, 250)
CHART = Box(440, 74, WIDTH - MARGIN - 440, 250)
STRIP = Box(MARGIN, 368, WIDTH - 2 * MARGIN, 56)
ANSWERS = Box(MARGIN, 434, WIDTH - 2 * MARGIN, 26)
TRUTHS = Box(MARGIN, 466, WIDTH - 2 * MARGIN, 26)
ROWS = 7
"""Bars of the chart."""


def picture(trace: Trace, t: int, example: int) -> Pixels:
    """Draw frame t, the probabilities of its label, all labels so far above the true ones, and the sentence so far.

    Args:
        trace: outputs `Answer` with symbols, batch `Clips` with step labels and words.
        t: frame, from 0; after the end of a shorter clip its last one stays.
        example: index among the trace's B examples.

    Returns:
        uint8 [600, 960, 3].
    """
    facts: VideoFacts = trace.facts
    batch, quiet = trace.batch, len(facts.words)
    length = int(batch.lengths[example])
    step = min(t, length - 1)
    frames = batch.frames[example, :length].cpu().numpy()
    probabilities = softmax(trace.outputs.logits[:length, example].float().cpu().numpy())
    answers = probabilities.argmax(1).tolist()
    truths = None if batch.step_labels is None else batch.step_labels[example, :length].tolist()
    shown = tuple(sorted(sorted(range(len(facts.classes)), key=lambda k: -probabilities[step, k])[:ROWS]))
    truth = truths[step] if truths else None
    belief = Belief(probabilities[step], None, facts.classes, truth, shown, False)
    page = Page(WIDTH, HEIGHT)
    x = page.text(f"Frame {step + 1} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {length}", x, TITLE_BASELINE, 26, QUIET)
    page.text(facts.classes[answers[step]], CHART.left, TITLE_BASELINE, 26, BELIEF, bold=True)
    frame_panel(page, PANEL, frames, step, facts)
    bars(page, CHART, belief)
    legend = "the label of every frame" + (", and below it the true one" if truths else "")
    caption(page, legend, MARGIN, 354, STRIP.width)
    strip(page, STRIP, frames, step, facts)
    segments(page, ANSWERS, answers, facts.classes, quiet, step)
    if truths:
        segments(page, TRUTHS, truths, facts.classes, quiet, step, QUIET)
    path = trace.outputs.symbols[: step + 1, example].argmax(1).tolist()
    sentence = " ".join(facts.words[word] for word in merged(path))
    x = page.text("sentence so far: ", MARGIN, 540, 20, QUIET)
    true_words = None if batch.words is None else [w for w in batch.words[example].tolist() if w != UNKNOWN]
    right = true_words is not None and merged(path) == true_words
    page.text(shorten(sentence, WIDTH - MARGIN - x, 20, bold=True), x, 540, 20, RIGHT if right else BELIEF, bold=True)
    if true_words:
        x = page.text("truth: ", MARGIN, 574, 20, QUIET)
        page.text(" ".join(facts.words[word] for word in true_words), x, 574, 20, INK)
    return page.pixels()
