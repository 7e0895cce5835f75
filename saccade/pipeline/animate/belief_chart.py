"""A classifier's belief, drawn: a line of text, a bar for each class, and a verdict at the end."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saccade.pipeline.animate.page import Box, Page, shorten, text_width
from saccade.pipeline.animate.palette import BELIEF, FAINT, INK, OTHER_BELIEF, QUIET, RIGHT, WHITE, WRONG

MOST_ROWS = 20
WIDEST_PITCH, THICKNESS = 44, 0.62  # pixels from bar to bar; the part of it that the bar takes
WIDEST_LABEL, LABEL_GAP, PERCENT_WIDTH = 0.4, 12, 60  # label: a part of the chart's width
SIZES = (13, 17)  # of the chart's text: where bars are thin, where they are thick
HEADLINE_SIZE = 22
VERDICT_WIDTH, VERDICT_HEIGHT = 104, 32


class Belief(NamedTuple):
    """A belief over classes, and what the reader needs to judge it."""

    probabilities: NDArray[np.float64]  # [K]
    before: NDArray[np.float64] | None  # one step earlier [K]
    classes: tuple[str, ...]  # names [K]
    truth: int | None  # None if unknown
    shown: tuple[int, ...]  # the classes that get a bar; the others share one
    final: bool  # True if this is the answer

    @property
    def best(self) -> int:
        return int(self.probabilities.argmax())


class Row(NamedTuple):
    """A bar of the chart."""

    name: str
    value: float
    before: float | None
    best: bool
    true: bool


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities over the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def most_probable(probabilities: NDArray[np.float64], truth: int | None) -> tuple[int, ...]:
    """Return the classes that a chart shows at every step [T, K]: all, or the likeliest ones and the true one."""
    peak = probabilities.max(axis=0)
    if len(peak) <= MOST_ROWS:
        return tuple(range(len(peak)))
    if truth is not None:
        peak[truth] = 2
    likeliest = np.argsort(-peak, kind="stable")[: MOST_ROWS - 1]
    return tuple(int(k) for k in np.sort(likeliest))


def percent(probability: float) -> str:
    """Format a probability with two digits that never round doubt away: 0.998 is ">99%"."""
    if 0 < probability < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= probability < 1 else f"{probability:.0%}"


def headline(page: Page, left: float, baseline: float, width: float, belief: Belief) -> None:
    """Write "belief: 7 (93%) · truth: 7", the true class in a frame; long names are shortened to fit."""
    size = HEADLINE_SIZE
    wanted = max(text_width(name, size, bold=True) for name in belief.classes)
    names = 1 if belief.truth is None else 2
    room = min(wanted, wanted - (headline_width(belief) - width) / names)
    name = shorten(belief.classes[belief.best], room, size, bold=True)
    x = page.text("belief: ", left, baseline, size, QUIET)
    x = page.text(f"{name} ({percent(belief.probabilities[belief.best])})", x, baseline, size, BELIEF, bold=True)
    if belief.truth is not None:
        x = page.text(" · truth: ", x, baseline, size, QUIET)
        _framed(page, shorten(belief.classes[belief.truth], room, size, bold=True), x + 8, baseline, size)


def headline_width(belief: Belief) -> float:
    """Return the pixels that the headline may take at any step: the longest names and the longest percentage."""
    size = HEADLINE_SIZE
    name = max(text_width(name, size, bold=True) for name in belief.classes)
    width = text_width("belief: ", size) + name + text_width(" (>99%)", size, bold=True)
    return width if belief.truth is None else width + text_width(" · truth: ", size) + name + 14


def verdict(page: Page, right: int, middle: int, belief: Belief) -> None:
    """Draw a badge that says if the answer was right, at the end and where the truth is known."""
    if not belief.final or belief.truth is None:
        return
    is_right = belief.best == belief.truth
    box = Box(right - VERDICT_WIDTH, middle - VERDICT_HEIGHT // 2, VERDICT_WIDTH, VERDICT_HEIGHT)
    page.rounded(box, VERDICT_HEIGHT / 2, RIGHT if is_right else WRONG)
    word = "✓ right" if is_right else "✗ wrong"
    page.text(word, box.left + box.width / 2, middle + 6, 18, WHITE, bold=True, align="middle")


def bars(page: Page, box: Box, belief: Belief) -> None:
    """Draw a bar for each class, as long as it is probable (see `lanes`), and a tick where it ended a step earlier.

    The likeliest class is dark, the true one's name framed.
    """
    rows = _rows(belief)
    for row, lane in zip(rows, lanes(box, belief), strict=True):
        size = SIZES[lane.height >= 20]
        baseline = lane.top + lane.height / 2 + size * 0.36
        page.fill(lane, FAINT)
        page.fill(lane._replace(width=round(row.value * lane.width)), BELIEF if row.best else OTHER_BELIEF)
        if row.before is not None and row.before >= 0.005:
            page.fill(Box(lane.left + round(row.before * lane.width) - 1, lane.top, 2, lane.height), INK)
        _label(page, row, lane.left - LABEL_GAP, baseline, size, lane.left - LABEL_GAP - box.left)
        if row.value >= 0.005:
            colour = BELIEF if row.best else QUIET
            right = box.left + box.width
            page.text(percent(row.value), right, baseline, size - 1, colour, bold=row.best, align="right")


def lanes(box: Box, belief: Belief) -> list[Box]:
    """Return the lane of each bar of a chart that fills `box`; a whole lane stands for certainty."""
    names = [row.name for row in _rows(belief)]
    pitch = min(WIDEST_PITCH, box.height / (len(names) - 1 + THICKNESS))
    height = max(1, round(pitch * THICKNESS))
    label = max(text_width(name, SIZES[height >= 20], bold=True) for name in names) + 10
    left = box.left + round(min(label, WIDEST_LABEL * box.width)) + LABEL_GAP
    width = box.left + box.width - PERCENT_WIDTH - left
    return [Box(left, round(box.top + i * pitch), width, height) for i in range(len(names))]


def _rows(belief: Belief) -> list[Row]:
    """Return the bars from top to bottom; classes without a bar of their own are summed in the last."""
    p, before = belief.probabilities, belief.before
    rows = [
        Row(belief.classes[k], p[k], None if before is None else before[k], k == belief.best, k == belief.truth)
        for k in belief.shown
    ]
    rest = [k for k in range(len(p)) if k not in belief.shown]
    if rest:
        earlier = None if before is None else float(before[rest].sum())
        rows.append(Row(f"{len(rest)} others", float(p[rest].sum()), earlier, belief.best in rest, False))
    return rows


def _label(page: Page, row: Row, right: float, baseline: float, size: int, room: float) -> None:
    """Draw a class's name left of its bar, ending at `right`."""
    name = shorten(row.name, room - 10, size, bold=row.best or row.true)
    if row.true:
        _framed(page, name, right - text_width(name, size, bold=True), baseline, size)
    else:
        page.text(name, right, baseline, size, BELIEF if row.best else INK, bold=row.best, align="right")


def _framed(page: Page, text: str, left: float, baseline: float, size: int) -> None:
    """Draw bold text in a thin frame: the mark of the truth."""
    left = round(left)
    width, pad = round(text_width(text, size, bold=True)), 4 if size < 16 else 6
    height = round(size * 1.36)
    top = round(baseline - size * 0.36 - height / 2)
    page.rounded(Box(left - pad, top, width + 2 * pad, height), 4, INK, 1.5)
    page.text(text, left, baseline, size, INK, bold=True)
