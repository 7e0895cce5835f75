"""One frame of a caption being written: the picture, lit where the network looks, and the sentence so far."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from saccade.caption.config import CaptionFacts
from saccade.pipeline.animate.page import Box, Page, Pixels, text_width
from saccade.pipeline.animate.palette import DISTANT_GAZE, FAINT, GAZE, INK, QUIET, STAGE
from saccade.pipeline.contract import Trace
from saccade.words.symbols import END, PAD
from saccade.words.vocabulary import Vocabulary

WIDTH, HEIGHT, MARGIN = 960, 540, 32
PHOTO = Box(MARGIN, MARGIN, 476, 476)
TEXT = Box(PHOTO.left + PHOTO.width + MARGIN, MARGIN, WIDTH - PHOTO.width - 3 * MARGIN, 476)
TILE, TILE_CAPTION = 240, 64
DARK = 0.22
"""Brightness of the picture where the network does not look."""

GLOW = 0.3
"""Strength of the warm light where it looks; it is seen on black too."""

LARGE, LINE = 30, 44
"""Size of the words and height of their lines in a large frame, pixels."""


class Moment(NamedTuple):
    """A caption at one word."""

    words: list[str]
    """The whole sentence."""
    step: int
    """Number of the word being written; as many as there are words when the sentence has ended."""
    light: np.ndarray | None
    """Attention [rows, columns], its largest value 1; None where all is seen: at the end, and without attention."""
    gate: float
    pixels: np.ndarray
    """uint8 [S, S, 3]."""


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the large frame: the lit picture, and the sentence with the word that is being written.

    Args:
        trace: with `Told` outputs, a caption for each picture.
        t: word, from 0; after the end of a shorter sentence its last frame stays.
        example: index among the trace's B pictures.

    Returns:
        uint8 [540, 960, 3].
    """
    now = moment(trace, t, example)
    page = Page(WIDTH, HEIGHT)
    page.paste(lit(now, PHOTO.width), PHOTO.left, PHOTO.top)
    _sentence(page, TEXT, now, LARGE, LINE)
    if now.step < len(now.words) and now.light is not None:
        _gate(page, now)
    _progress(page, Box(TEXT.left, TEXT.top + TEXT.height - 5, TEXT.width, 5), now)
    return page.pixels()


def tile(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the small frame: the lit picture, and two lines of the sentence so far. Returns uint8 [304, 240, 3]."""
    now = moment(trace, t, example)
    page = Page(TILE, TILE + TILE_CAPTION)
    page.paste(lit(now, TILE), 0, 0)
    _sentence(page, Box(4, TILE + 2, TILE - 8, TILE_CAPTION - 8), now, 14, 19)
    _progress(page, Box(0, TILE + TILE_CAPTION - 3, TILE, 3), now)
    return page.pixels()


def moment(trace: Trace, t: float, example: int) -> Moment:
    """Read one moment of one caption from a trace."""
    facts: CaptionFacts = trace.facts
    numbers = [number for number in trace.episode.inputs.target[:, example].tolist() if number != PAD]
    step = min(int(t), len(numbers) - 1)
    words = Vocabulary(facts.words).decode(number for number in numbers if number != END)
    weights = trace.outputs.weights[step, example].float().cpu().numpy()
    light = None
    if step < len(words) and weights.max() > 1.001 * weights.min():
        light = (weights / weights.max()).reshape(facts.rows, facts.columns)
    return Moment(words, step, light, float(trace.outputs.gate[step, example]), _pixels(trace, example))


def lit(now: Moment, side: int) -> Image.Image:
    """Return the picture in a square, dark where the network does not look."""
    photo = Image.fromarray(now.pixels)
    smooth = Image.Resampling.BICUBIC if photo.width >= 128 else Image.Resampling.NEAREST
    pixels = np.asarray(photo.resize((side, side), smooth), np.float32)
    if now.light is None:
        return Image.fromarray(np.rint(pixels).astype(np.uint8))
    mask = Image.fromarray(np.rint(255 * now.light).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    light = np.asarray(mask, np.float32)[:, :, None] / 255
    shown = pixels * (DARK + (1 - DARK) * light)
    glow = np.array(DISTANT_GAZE, np.float32) / 255
    return Image.fromarray(np.rint(shown + (255 - shown) * glow * GLOW * light).astype(np.uint8))


def _pixels(trace: Trace, example: int) -> np.ndarray:
    """Return the picture; a dark square where the trace has none."""
    if trace.batch.pixels is not None:
        return trace.batch.pixels[example].cpu().numpy()
    if trace.batch.vectors.ndim == 4:  # scenes
        return trace.batch.vectors[example].permute(1, 2, 0).expand(-1, -1, 3).cpu().numpy()
    return np.full((224, 224, 3), STAGE, np.uint8)


def _sentence(page: Page, box: Box, now: Moment, size: int, line: int) -> None:
    """Write the words so far, the newest in orange; a sentence that does not fit loses its first lines."""
    shown = now.words[: now.step + 1]
    lines: list[list[tuple[str, bool]]] = [[]]
    width = 0.0
    for number, word in enumerate(shown):
        newest = number == now.step
        needed = text_width(word + " ", size, newest)
        if lines[-1] and width + needed > box.width:
            lines.append([])
            width = 0.0
        lines[-1].append((word, newest))
        width += needed
    room = max(1, box.height // line)
    for row, words in enumerate(lines[-room:]):
        x: float = box.left
        for word, newest in words:
            colour = GAZE if newest else INK
            x = page.text(word + " ", x, box.top + row * line + size, size, colour, bold=newest)


def _gate(page: Page, now: Moment) -> None:
    """Draw the gate beta as a bar."""
    bar = Box(TEXT.left, TEXT.top + TEXT.height - 62, TEXT.width, 10)
    page.text("weight of the picture for this word", bar.left, bar.top - 10, 15, QUIET)
    page.text(f"{100 * now.gate:.0f}%", bar.left + bar.width, bar.top - 10, 15, QUIET, align="right")
    page.fill(bar, FAINT)
    page.fill(bar._replace(width=round(bar.width * now.gate)), GAZE)


def _progress(page: Page, box: Box, now: Moment) -> None:
    """Draw how much of the sentence is written."""
    page.fill(box, FAINT)
    page.fill(box._replace(width=round(box.width * min(1.0, (now.step + 1) / max(1, len(now.words))))), QUIET)
