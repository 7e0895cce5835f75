"""One frame of the adding problem: the numbers so far, the marked ones, and the network's answer so far."""

from itertools import pairwise

import numpy as np

from saccade.adding.sequences import Sequences
from saccade.pipeline.animate.page import Box, Page, Pixels
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, INK, OTHER_BELIEF, QUIET
from saccade.pipeline.contract import Trace

WIDTH, HEIGHT, MARGIN = 960, 540, 32
TITLE_BASELINE = 46
NUMBERS = Box(MARGIN, 110, WIDTH - 2 * MARGIN, 150)
ANSWERS = Box(MARGIN, 320, WIDTH - 2 * MARGIN, 170)
MOST = 2.0
"""The largest sum: the top of the lower chart."""


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the numbers up to step t as bars, the marked ones in orange, and below them the answer at every step.

    Args:
        trace: outputs [T, B]; batch `Sequences`.
        t: step, from 0; after the end of a shorter sequence its last frame stays.
        example: index among the trace's B examples.

    Returns:
        uint8 [540, 960, 3].
    """
    batch: Sequences = trace.batch
    length, target = int(batch.lengths[example]), float(batch.sums[example])
    step = min(int(t), length - 1)
    numbers, marks = batch.numbers[example, :length].tolist(), batch.marks[example, :length].tolist()
    answers = trace.outputs[: step + 1, example].detach().float().cpu().numpy()
    page = Page(WIDTH, HEIGHT)
    x = page.text(f"Number {step + 1} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {length}", x, TITLE_BASELINE, 26, QUIET)
    text = f"answer {answers[-1]:.3f}, sum {target:.3f}"
    page.text(text, WIDTH - MARGIN, TITLE_BASELINE, 22, BELIEF, bold=True, align="right")
    page.text("the numbers; the two in orange are marked", NUMBERS.left, NUMBERS.top - 12, 15, QUIET)
    _bars(page, numbers, marks, step)
    page.text("the answer after each number; the line is the sum", ANSWERS.left, ANSWERS.top - 12, 15, QUIET)
    _answers(page, answers, target, length)
    return page.pixels()


def _bars(page: Page, numbers: list[float], marks: list[float], step: int) -> None:
    """Draw a bar for each number; later ones are faint."""
    for i, (number, mark) in enumerate(zip(numbers, marks, strict=True)):
        left, right = _span(i, len(numbers), NUMBERS)
        height = max(1, round(number * NUMBERS.height))
        colour = FAINT if i > step else GAZE if mark else OTHER_BELIEF
        page.fill(Box(left, NUMBERS.top + NUMBERS.height - height, right - left, height), colour)
    left, right = _span(step, len(numbers), NUMBERS)
    page.fill(Box(left, NUMBERS.top + NUMBERS.height + 3, right - left, 3), INK)


def _answers(page: Page, answers: np.ndarray, target: float, length: int) -> None:
    """Draw the answers as a line from step to step, and the true sum as a horizontal line."""
    page.fill(ANSWERS, FAINT)
    level = ANSWERS.top + ANSWERS.height * (1 - target / MOST)
    page.line((ANSWERS.left, level), (ANSWERS.left + ANSWERS.width, level), 2, GAZE)
    points = []
    for i, answer in enumerate(answers.clip(0, MOST).tolist()):
        left, right = _span(i, length, ANSWERS)
        points.append(((left + right) / 2, ANSWERS.top + ANSWERS.height * (1 - answer / MOST)))
    for start, end in pairwise(points):
        page.line(start, end, 3, BELIEF)
    page.dot(points[-1], 6, BELIEF)


def _span(i: int, length: int, box: Box) -> tuple[int, int]:
    """Return the left and right edge of column i of `length`, in pixels."""
    gap = 1 if box.width / length > 4 else 0
    return round(box.left + box.width * i / length), round(box.left + box.width * (i + 1) / length) - gap
