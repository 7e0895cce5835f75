"""A person's own picture of a number, brought to what a network of digits takes, and what speaks against reading it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saccade.dram.config import FULL_SIDE, SequenceFacts
from saccade.dram.folders import fitted
from saccade.images.digits_apart import BLOB, SCATTERED, SEVERAL, Mark, marks
from saccade.images.ink import find_ink
from saccade.images.likeness import SIDE, UNLIKE, unlike_a_digit
from saccade.images.mnist_framing import BOX, frame_mark, thickened
from saccade.images.picture_files import decode, open_image, visible

NO_INK = "no digit found"
TOO_MANY = "more digits than it was trained for"
TOUCHING = "digits that touch or overlap?"
COUNT = "other marks than it read"
UNCERTAIN = "uncertain of a digit"

DOUBTS = (None, NO_INK, TOO_MANY, UNLIKE, TOUCHING, BLOB, SCATTERED, COUNT, UNCERTAIN)
"""Doubts by their number in `ReadBatch.doubt`."""

WIDEST = 0.92
"""Part of the canvas's width that a number may fill."""


Given = str | Path | Image.Image | np.ndarray
"""A file, a PIL image, or an array [H, W] or [H, W, 3] of uint8."""


class Prepared(NamedTuple):
    """A picture for a network."""

    image: Tensor
    """uint8 [C, H, W]."""
    marks: int
    """Digits that its ink seems to have; -1 if it was not looked for."""
    doubt: str | None
    """Reason to doubt the number; None if there is none."""


def prepare(
    picture: str | Path | Image.Image | np.ndarray, facts: SequenceFacts, *, digits: bool, height: int
) -> Prepared:
    """Bring a picture to a network's size.

    For a network of digits, its ink is found, boxes, ruled lines and speckle are taken away, lines of a thin pen are
    thickened, and all is scaled so that the digits have the height of those in training, in the middle of the canvas.
    For other networks it is scaled with its aspect kept.

    Args:
        digits: the network was trained on generated digits.
        height: of a digit's ink in training, pixels.

    Raises:
        InputError: a missing or damaged file.
    """
    if not digits:
        pixels = fitted(_pixels(picture, facts), facts.height)
        image = torch.from_numpy(pixels.reshape(facts.height, facts.width, facts.channels)).permute(2, 0, 1)
        return Prepared(image.contiguous(), -1, None)
    ink = find_ink(_pixels(picture, None))
    if ink is None:
        return Prepared(torch.zeros(1, facts.height, facts.width, dtype=torch.uint8), 0, NO_INK)
    apart, whole = marks(ink), marks(ink, apart=False)[0]
    tall = float(np.median([mark.ink.shape[0] for mark in apart]))
    image = _framed(whole.ink, tall, facts, height)
    return Prepared(torch.from_numpy(image)[None], len(apart), _doubt(apart, facts))


def _pixels(picture: Given, facts: SequenceFacts | None) -> np.ndarray:
    """Decode a picture: [H, W, 3] to find its ink (`facts` None), else of the network's channels."""
    mode = "L" if facts is not None and facts.channels == 1 else "RGB"
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    if isinstance(picture, Image.Image):
        name = Path("a PIL image")
        return visible(picture.copy(), name) if facts is None else decode(picture.copy(), name, mode)
    path = Path(picture)
    with open_image(path) as image:
        return visible(image, path) if facts is None else decode(image, path, mode)


def _framed(ink: np.ndarray, tall: float, facts: SequenceFacts, height: int) -> np.ndarray:
    """Thicken ink whose digits are `tall` pixels, scale it to digits of `height`, and put it in the middle."""
    wide = thickened((255 * ink).round(), tall)
    scale = min(height / tall, WIDEST * facts.width / wide.shape[1], WIDEST * facts.height / wide.shape[0])
    rows, columns = (max(1, round(scale * side)) for side in wide.shape)
    small = np.asarray(Image.fromarray(wide).resize((columns, rows), Image.Resampling.LANCZOS), np.float32)
    small = (small * (255 / max(float(small.max()), 1.0))).round()
    field = np.zeros((facts.height, facts.width), np.uint8)
    top, left = (facts.height - rows) // 2, (facts.width - columns) // 2
    field[top : top + rows, left : left + columns] = small.clip(0, 255)
    return field


def _doubt(apart: list[Mark], facts: SequenceFacts) -> str | None:
    """Return what speaks against marks being a number; None if nothing does."""
    if len(apart) > facts.longest:
        return TOO_MANY
    found = next((mark.doubt for mark in apart if mark.doubt), None)
    if found:
        return TOUCHING if found == SEVERAL else found
    unlike = unlike_a_digit(torch.stack([frame_mark(mark, (SIDE, SIDE)) for mark in apart]))
    return UNLIKE if any(unlike) else None


def training_height(smallest: int, largest: int) -> int:
    """Return the height in pixels of a digit's ink in the middle of the sizes of training."""
    return round((smallest + largest) / 2 * BOX / FULL_SIDE)
