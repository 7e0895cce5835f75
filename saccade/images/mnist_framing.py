"""A person's own picture, brought to what a trained network takes: size, channels, and for digits MNIST's framing."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.images.digits_apart import Mark, marks, stroke_width
from saccade.images.extent import extent
from saccade.images.ink import find_ink
from saccade.images.picture_files import decode, open_image, visible

BOX = 20
"""MNIST's framing: the digit fills a box of 20x20 pixels, its centre of mass in the middle of 28x28."""

STROKE = 2.5
"""Smallest width of a line, in pixels of the box."""


class Framed(NamedTuple):
    """One digit of a picture, framed."""

    image: Tensor
    """float32 [C, H, W] in [0, 1]."""
    doubt: str | None = None
    """Why its form is not a digit's; None if it may be one."""
    anew: bool = False
    """True if the digit was framed; False for an image taken as it is."""


def read_image(path: str | Path, shape: Shape, *, digits: bool = True) -> Tensor:
    """Read the picture in `path` as one image of that `shape`: see `frame`.

    Raises:
        InputError: the file is missing or no whole picture; a digit was asked for and there is no ink.
    """
    return read_digits(path, shape, digits=digits, apart=False)[0].image


def read_digits(path: str | Path, shape: Shape, *, digits: bool = True, apart: bool = True) -> list[Framed]:
    """Read the picture in `path` as the images of its digits: see `frame_digits`; errors as `read_image`."""
    path = Path(path)
    with open_image(path) as image:
        return frame_digits(pixels_of(image, path, shape, digits=digits), shape, str(path), digits=digits, apart=apart)


def pixels_of(image: Image.Image, path: Path, shape: Shape, *, digits: bool = True) -> np.ndarray:
    """Decode a picture for `frame`: uint8 [H, W, 3] for digits; else of the network's channels, on white."""
    if digits and _takes_digits(shape):
        return visible(image, path)
    return decode(image, path, "L" if shape.channels == 1 else "RGB")


def frame(pixels: np.ndarray, shape: Shape, name: str, *, digits: bool = True) -> Tensor:
    """Frame a picture as one image, float32 [C, H, W] in [0, 1]: `frame_digits` with all ink taken as one digit."""
    return frame_digits(pixels, shape, name, digits=digits, apart=False)[0].image


def frame_digits(
    pixels: np.ndarray, shape: Shape, name: str, *, digits: bool = True, apart: bool = True
) -> list[Framed]:
    """Frame the digits of a picture, uint8 [H, W] or [H, W, 3], for a network, from left to right.

    For a network of grey digits (`digits` and C = 1) the picture is of any size and any colours that differ from the
    paper's: its ink is found, boxes, ruled lines and speckle are taken away, and each digit is cropped, thickened if
    its lines are thin, scaled into 20x20 with its aspect kept, and put in the middle of [H, W] by its centre of mass,
    as MNIST's makers did. For any other network the picture is scaled to [H, W], its aspect not kept.

    Args:
        name: names the picture in an error.
        apart: False takes all ink as one digit.

    Raises:
        InputError: a digit was asked for and there is no ink.
    """
    size = (shape.height, shape.width)
    if not (digits and _takes_digits(shape)):
        return [Framed(scaled(pixels, shape))]
    ink = find_ink(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))
    if ink is None:
        raise InputError(f"a digit in {name}, of another colour than its paper", "no ink", "give a clearer picture")
    return [Framed(frame_mark(mark, size), mark.doubt, True) for mark in marks(ink, apart=apart)]


def frame_mark(mark: Mark, size: tuple[int, int]) -> Tensor:
    """Thicken a mark if its lines are thin, and put it in the middle of [H, W]: float32 [1, H, W] in [0, 1]."""
    image = _frame(thickened((255 * mark.ink).round(), max(mark.ink.shape)), size)
    return torch.from_numpy(image)[None].to(torch.float32).div_(255)


def scaled(pixels: np.ndarray, shape: Shape) -> Tensor:
    """Scale a picture, uint8 [H, W] or [H, W, C], to a network's size: float32 [C, H, W] in [0, 1]."""
    if pixels.shape[:2] != (shape.height, shape.width):
        pixels = np.asarray(Image.fromarray(pixels).resize((shape.width, shape.height), Image.Resampling.BICUBIC))
    channels_last = torch.tensor(pixels).reshape(shape.height, shape.width, shape.channels)
    return channels_last.permute(2, 0, 1).to(torch.float32).div_(255).contiguous()


def _takes_digits(shape: Shape) -> bool:
    return shape.channels == 1 and min(shape.height, shape.width) >= BOX


def thickened(ink: np.ndarray, size: float) -> np.ndarray:
    """Make the lines of a thin pen as wide, in proportion, as MNIST's; uint8, 0 to 255, cropped to its half ink.

    Args:
        ink: [h, w], 0 to 255.
        size: of a digit in it, the longer side, pixels.
    """
    width = stroke_width(ink > 127)
    grow = max(0, round((STROKE / BOX * size - width) / 2))
    wide = np.pad(ink, grow).astype(np.uint8)
    if grow == 0:
        return wide
    wide = np.asarray(Image.fromarray(wide).filter(ImageFilter.MaxFilter(2 * grow + 1)))
    return wide[extent(wide > 127)]


def _frame(ink: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale ink [h, w] into the box, and put it in the middle of a field of `size`."""
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(scale * side)) for side in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.LANCZOS), np.float32)
    small = small * (255 / small.max())  # scaling made thin lines faint: make them as bright as MNIST's
    field = np.zeros(size, np.uint8)
    corner = []
    for axis, (side, room) in enumerate(zip(small.shape, size, strict=True)):
        centre = (small.sum(axis=1 - axis) * (np.arange(side) + 0.5)).sum() / small.sum()
        corner.append(min(max(round(room / 2 - centre), 0), room - side))
    top, left = corner
    field[top : top + height, left : left + width] = small.round()
    return field
