"""One frame of a translation: both sentences, and the alignment matrix as far as it is written."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from saccade.pipeline.animate.page import Box, Page, Pixels, font, shorten, text_width
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, GROUND, INK, QUIET, Colour, mix
from saccade.pipeline.contract import Trace
from saccade.translate.config import TranslateFacts
from saccade.translate.pairs import Pairs, Written
from saccade.words.subwords import SPACE, Subwords
from saccade.words.symbols import END

WIDTH, HEIGHT, MARGIN = 960, 720, 32
TITLE_BASELINE = 46
LEFT, TOP = 190, 190
"""Corner of the matrix: left of it the words that are written, above it those that are read."""
CELL = 52
"""Largest side of a cell, pixels."""
TYPE = 16
END_SIGN = "(end)"
PIECES_A_WORD = 3
SLANT = 40
"""Angle of the words above the matrix, degrees."""


class Grid(NamedTuple):
    """The alignment of words: the words, the attention, and how many words are written."""

    read: list[str]
    written: list[str]
    weights: np.ndarray
    """Attention of each written word (row), the mean over its symbols; of each read word (column) the sum."""
    current: int
    """Row that is being written."""


def align(trace: Trace, t: float, example: int) -> Grid:
    """Return the alignment of the words up to step t, the end of the sentence a word of its own."""
    batch: Pairs = trace.batch
    facts: TranslateFacts = trace.facts
    outputs: Written = trace.outputs
    subwords = Subwords(facts.alphabet, facts.merges)
    symbols = [
        leaf[example, : int(length[example])].tolist()
        for leaf, length in ((batch.source, batch.source_lengths), (batch.target, batch.target_lengths))
    ]
    step = min(int(t), len(symbols[1]) - 1)
    read, written = (_words(subwords, side) for side in (symbols[0], symbols[1][: step + 1]))
    attention = outputs.attention[: step + 1, example, : len(symbols[0])].float().cpu().numpy()
    weights = [[attention[a:b, c:d].mean(0).sum() for _, c, d in read] for _, a, b in written]
    return Grid([word for word, _, _ in read], [word for word, _, _ in written], np.array(weights), len(written) - 1)


def _words(subwords: Subwords, symbols: list[int]) -> list[tuple[str, int, int]]:
    """Return the words of symbols with their ranges; the end of a sentence is one of its own.

    Long compounds are shown by their pieces: where there are more than PIECES_A_WORD for each word.
    """
    ended = symbols[-1] == END
    inside = symbols[:-1] if ended else symbols
    words = subwords.words_of(inside)
    if len(inside) > PIECES_A_WORD * len(words):
        pieces = [piece.replace(SPACE, "") for piece in subwords.pieces(inside)]
        words = [(piece, place, place + 1) for place, piece in enumerate(pieces)]
    return [*words, (END_SIGN, len(symbols) - 1, len(symbols))] if ended else words


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the alignment up to step t: a column for each word that is read, a row for each that is written.

    Args:
        trace: outputs `Written`; batch `Pairs`.
        t: step, from 0; after the end of a shorter sentence its last frame stays.
        example: index among the trace's B examples.

    Returns:
        uint8 [720, 960, 3].
    """
    grid, facts = align(trace, t, example), trace.facts
    rows = _words_of_target(trace, example)
    page = Page(WIDTH, HEIGHT)
    done = grid.current + 1 == rows
    x = page.text(f"{facts.source} to {facts.target}", MARGIN, TITLE_BASELINE, 26, bold=True)
    now = "the whole sentence" if done else f"word {grid.current + 1}"
    page.text(f"   {now}", x, TITLE_BASELINE, 20, QUIET)
    page.text("attention", WIDTH - MARGIN, TITLE_BASELINE, 20, GAZE, bold=True, align="right")
    side = max(4, min(CELL, (WIDTH - LEFT - 90) // len(grid.read), (HEIGHT - TOP - MARGIN) // rows))
    size = max(7, min(TYPE, side - 2))
    corner = LEFT + max(0, (WIDTH - LEFT - 90 - side * len(grid.read)) // 3)
    for column, word in enumerate(grid.read):
        strength = float(grid.weights[grid.current, column])
        colour = mix(QUIET, GAZE, min(1.0, 2 * strength)) if not done else INK
        _slanted(page, word, corner + column * side + side / 2, TOP - 8, size, colour, strength > 0.3 and not done)
    for row in range(rows):
        top = TOP + row * side
        for column in range(len(grid.read)):
            box = Box(corner + column * side + 1, top + 1, side - 2, side - 2)
            weight = float(grid.weights[row, column]) if row < len(grid.written) else 0.0
            page.fill(box, mix(FAINT, GAZE, min(1.0, weight)) if row < len(grid.written) else mix(GROUND, FAINT, 0.5))
        if row < len(grid.written):
            bold = row == grid.current and not done
            word = shorten(grid.written[row], corner - MARGIN - 12, size, bold)
            colour = BELIEF if bold else INK
            page.text(word, corner - 12, top + side / 2 + size * 0.36, size, colour, bold=bold, align="right")
    return page.pixels()


def _words_of_target(trace: Trace, example: int) -> int:
    """Return the number of words of the whole translation, its end included."""
    return len(align(trace, 10**9, example).written)


def _slanted(page: Page, text: str, x: float, baseline: float, size: int, colour: Colour, bold: bool) -> None:
    """Write a word upwards from a point, at an angle."""
    text = shorten(text, 170, size, bold)
    width = round(text_width(text, size, bold)) + 4
    mask = Image.new("L", (2 * width, 2 * width), 0)  # turned around its middle, where the word begins
    ImageDraw.Draw(mask).text((width, width), text, 255, font(size, bold), "ls")
    turned = mask.rotate(SLANT, Image.Resampling.BICUBIC)
    left, top = round(x - width), round(baseline - width)
    page.image.paste(colour, (left, top), turned)
