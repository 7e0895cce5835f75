"""A user's unfinished picture in a model's format, and the mask of its given pixels."""

from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.images.picture_files import decode, open_image

Side = Literal["top", "bottom", "left", "right"]

FAINTEST = 16
"""Grey levels, of 255, between the paper and the darkest ink of an unfinished picture; with less there is no ink."""

LOPSIDED = 0.2
"""Smallest difference of two opposite blank bands, as a fraction of the side, for a digit that counts as unfinished."""

MARK_GIVEN = "mark the given part with --keep or --mask, or make the rest transparent"


class Part(NamedTuple):
    """A picture float32 [C, H, W] in [0, 1], and the mask of its given pixels: bool [H, W], some and not all."""

    image: Tensor
    given: Tensor


def read_part(
    path: Path,
    shape: Shape,
    *,
    mask: Path | None = None,
    keep: Side | None = None,
    digits: bool = True,
    two_levels: bool = False,
) -> Part:
    """Read a picture for a model of that `shape`, with the mask of its given pixels.

    The given pixels are those that are white in `mask` (a picture of the same size, or of the model's), or the half
    that `keep` names; without both, the pixels that are not transparent; for a digit without transparency, all but the
    blank band on one side. The picture is neither cropped nor centred, only scaled down to the model's size.
    For `digits` in grey it may be dark on light or light on dark, and becomes the latter; its darkest ink becomes 1.

    Args:
        two_levels: round to 0 and 1, for a model of black and white images.

    Raises:
        InputError: no whole picture, another aspect ratio or too small, a mask of another size, no pixel or all pixels
            given, or (digits) no ink in the given part.
    """
    grey = shape.channels == 1
    pixels, opaque = _pixels(path, "L" if grey else "RGB", shape)
    image = _smaller(pixels, shape).astype(np.float32) / 255
    given = _named(mask, keep, pixels.shape[:2], shape)
    if given is None and not opaque.all():
        given = _smaller(opaque.astype(np.uint8) * 255, shape) > 127
    if given is not None and (given.all() or not given.any()):
        found = "all of them" if given.all() else "none"
        raise InputError("some pixels that are given and some that are not", found, "change the mask")
    if digits and grey:
        image = _ink(image, np.full(image.shape, True) if given is None else given, path)
    if given is None:
        given = _all_but_blank(image, path) if digits and grey else None
    if given is None:
        raise InputError("a part that is not given", f"a whole picture in {path}", MARK_GIVEN)
    image = np.round(image) if two_levels else image
    return Part(
        torch.from_numpy(image).reshape(*image.shape[:2], -1).permute(2, 0, 1).contiguous(), torch.tensor(given)
    )


def _pixels(path: Path, mode: str, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture's pixels at its own size, and the mask of those that are not transparent."""
    with open_image(path) as image:
        pixels = decode(image, path, mode)
        upright = ImageOps.exif_transpose(image)
        clear = "A" in upright.mode or "transparency" in upright.info
        opaque = np.asarray(upright.convert("RGBA").getchannel("A")) > 127 if clear else None
    height, width = pixels.shape[:2]
    if height * shape.width != width * shape.height or height < shape.height:
        expected = f"a picture of {shape.width} x {shape.height} pixels, or a larger one with that aspect ratio"
        raise InputError(expected, f"{width} x {height} in {path}", "crop it or scale it")
    return pixels, np.full((height, width), True) if opaque is None else opaque


def _named(mask: Path | None, keep: Side | None, size: tuple[int, int], shape: Shape) -> np.ndarray | None:
    """Return the given pixels that `mask` or `keep` names: bool [H, W] at the model's size; None without both."""
    if mask and keep:
        raise InputError("one of --mask and --keep", "both", "leave one out")
    if mask:
        with open_image(mask) as image:
            white = decode(image, mask, "L")
        if white.shape not in (size, (shape.height, shape.width)):
            found = f"{white.shape[1]} x {white.shape[0]} in {mask}"
            raise InputError(f"a mask of the picture's size, {size[1]} x {size[0]} pixels", found, "give one")
        return _smaller(white, shape) > 127
    if keep is None:
        return None
    assert keep in get_args(Side)
    y, x = np.mgrid[: shape.height, : shape.width]
    first = (y < shape.height / 2) if keep in ("top", "bottom") else (x < shape.width / 2)
    return first if keep in ("top", "left") else ~first


def _smaller(pixels: np.ndarray, shape: Shape) -> np.ndarray:
    """Scale pixels down to the model's size, by averages."""
    size = shape.width, shape.height
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def _ink(image: np.ndarray, given: np.ndarray, path: Path) -> np.ndarray:
    """Make ink light on dark: the darkest ink 1, the paper (most given pixels) 0. Only given pixels count."""
    seen = image[given]
    paper = float(np.median(seen))
    ink = image - paper if seen.max() - paper >= paper - seen.min() else paper - image
    strongest = float(ink[given].max())
    if strongest < FAINTEST / 255:
        raise InputError(f"a part of a digit where {path} is given", "no ink", "give more of it, or another picture")
    return (ink / strongest).clip(0, 1)


def _all_but_blank(ink: np.ndarray, path: Path) -> np.ndarray:
    """Return the mask of all but the widest blank band."""
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    height, width = ink.shape
    top, left, bottom, right = rows[0], columns[0], height - 1 - rows[-1], width - 1 - columns[-1]
    lean = {"bottom": (bottom - top) / height, "right": (right - left) / width}
    lean |= {"top": -lean["bottom"], "left": -lean["right"]}
    side = max(lean, key=lean.__getitem__)
    if lean[side] < LOPSIDED:
        raise InputError("a digit of which one side is missing", f"ink on all sides of {path}", MARK_GIVEN)
    y, x = np.mgrid[:height, :width]
    blank = {"bottom": y > rows[-1], "top": y < rows[0], "right": x > columns[-1], "left": x < columns[0]}
    return ~blank[side]
