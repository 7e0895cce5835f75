"""A user's own picture in a model's format: size, channels, and for digits MNIST's framing."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.images.picture_files import decode, open_image

BOX, FIELD = 20, 28
"""MNIST's framing: the digit fills a box of 20x20 pixels, its centre of mass in the middle of 28x28."""

PAPER = 0.2
"""Ink fainter than this fraction of the darkest counts as paper: shadows, grain, JPEG noise."""

FAINTEST = 16
"""Smallest difference in grey levels, of 255, between the paper and the darkest ink."""

STROKE = 2.5
"""Smallest width of a line, in pixels of the box."""


def read_image(path: str | Path, shape: Shape, *, digits: bool = True) -> Tensor:
    """Read the picture in `path` and frame it for a network for images of that `shape`: see `frame`.

    Raises:
        InputError: the file is missing or no whole picture; a digit was asked for and there is no ink.
    """
    path = Path(path)
    with open_image(path) as image:
        pixels = decode(image, path, "L" if shape.channels == 1 else "RGB")
    return frame(pixels, shape, str(path), digits=digits)


def frame(pixels: np.ndarray, shape: Shape, name: str, *, digits: bool = True) -> Tensor:
    """Frame a picture, uint8 [H, W] or [H, W, 3], for a network: float32 [C, H, W] in [0, 1].

    For a model of grey digits (`digits` and C = 1) the picture is dark ink on light paper or the reverse, whatever its
    size: it is made light on dark, freed of shadows, cropped to its ink, thickened if its lines are thin, scaled into
    20x20 with its aspect kept, and put in the middle of [H, W] by its centre of mass, as MNIST's makers did. A picture
    of the model's own size is taken to be framed already, and only made light on dark. For any other model it is
    scaled to [H, W], its aspect not kept.

    Args:
        name: names the picture in an error.

    Raises:
        InputError: a digit was asked for and there is no ink.
    """
    size = (shape.height, shape.width)
    if digits and shape.channels == 1 and min(size) >= BOX:
        pixels = _light_on_dark(pixels) if pixels.shape == size else _frame(_ink(pixels, name), size)
    elif pixels.shape[:2] != size:
        pixels = np.asarray(Image.fromarray(pixels).resize((shape.width, shape.height), Image.Resampling.BICUBIC))
    channels_last = torch.tensor(pixels).reshape(*size, shape.channels)
    return channels_last.permute(2, 0, 1).to(torch.float32).div_(255).contiguous()


def _light_on_dark(pixels: np.ndarray) -> np.ndarray:
    """Invert the picture if its border (the paper) is lighter than the middle of its range."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    middle = (int(pixels.min()) + int(pixels.max())) / 2
    return 255 - pixels if np.median(border) > middle else pixels


def _ink(pixels: np.ndarray, name: str) -> np.ndarray:
    """Return the amount of ink, uint8, cropped to the ink: paper 0, the darkest ink 255."""
    image = Image.fromarray(_light_on_dark(pixels))
    image.thumbnail((16 * BOX, 16 * BOX), Image.Resampling.BOX)  # averages the grain of a photograph away
    ink = _subtract_paper(np.asarray(image, np.float32))
    if ink.max() < FAINTEST:
        raise InputError(f"a digit, dark on light or light on dark, in {name}", "no ink", "give a clearer picture")
    return _crop(_thicken(_crop(((ink / ink.max() - PAPER) / (1 - PAPER)).clip(0, 1) * 255)))


def _subtract_paper(light: np.ndarray) -> np.ndarray:
    """Subtract the paper, which may be lit unevenly: a quadratic surface fitted to all that is not ink."""
    y, x = np.mgrid[-1 : 1 : light.shape[0] * 1j, -1 : 1 : light.shape[1] * 1j]
    surface = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=2).reshape(-1, 6).astype(np.float32)
    above, paper = light.ravel(), np.full(light.size, True)
    for _ in range(6):  # outliers are ink, and are left out of the next fit
        above = light.ravel() - surface @ np.linalg.lstsq(surface[paper], light.ravel()[paper])[0]
        paper = above <= max(1.0, above[paper].std())
    return above.reshape(light.shape)


def _crop(ink: np.ndarray) -> np.ndarray:
    """Cut to the rows and columns where there is half ink."""
    half = ink > 127
    rows, columns = np.flatnonzero(half.any(axis=1)), np.flatnonzero(half.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _thicken(ink: np.ndarray) -> np.ndarray:
    """Thicken the lines of a thin pen to MNIST's proportion; uint8, larger by the added border."""
    solid = np.pad(ink > 127, 1)
    core = solid[1:-1, 1:-1] & solid[:-2, 1:-1] & solid[2:, 1:-1] & solid[1:-1, :-2] & solid[1:-1, 2:]
    width = 2 * solid.sum() / max(solid.sum() - core.sum(), 1)  # twice the area by the length of the edge
    grow = max(0, round((STROKE / BOX * max(ink.shape) - width) / 2))
    wide = Image.fromarray(np.pad(ink, grow).round().astype(np.uint8))
    return np.asarray(wide.filter(ImageFilter.MaxFilter(2 * grow + 1)) if grow else wide)


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
