"""A user's own images as a network's batch: files, PIL images, arrays and tensors, checked once at the boundary."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saccade.errors import InputError
from saccade.images.config import ImageFacts
from saccade.images.likeness import SIDE, UNLIKE, unlike_a_digit
from saccade.images.mnist_framing import Framed, frame_digits, pixels_of, read_digits
from saccade.images.source import ImageBatch
from saccade.pipeline.progress import track

Picture = str | Path | Image.Image | np.ndarray | Tensor
"""A file, a PIL image, or an array: [H, W], [H, W, C] or [C, H, W]; uint8 0 to 255, or floating point 0 to 1."""

UNKNOWN = -1
"""Label of an image of unknown class."""


class Part(NamedTuple):
    """The origin of an image of a batch, and its doubt."""

    picture: int
    """Index of the picture that was given."""
    digit: int
    """Number of the digit in that picture, from 1, left to right."""
    digits: int
    """Number of digits in that picture."""
    doubt: str | None
    """Why it is not a digit; None if it may be one, and for pictures that are not divided into digits."""


class Pictures(NamedTuple):
    """A user's pictures as images, with where each comes from."""

    batch: ImageBatch
    parts: list[Part]


def to_batch(
    pictures: Picture | Sequence[Picture], facts: ImageFacts, *, digits: bool = True, framed: bool | None = None
) -> ImageBatch:
    """Bring a user's pictures to what a network takes: float32 [N, C, H, W] in [0, 1], labels unknown (-1).

    One image a picture: `to_pictures` with all ink of a picture taken as one digit.
    """
    return to_pictures(pictures, facts, digits=digits, apart=False, framed=framed).batch


def to_pictures(
    pictures: Picture | Sequence[Picture],
    facts: ImageFacts,
    *,
    digits: bool = True,
    apart: bool = True,
    framed: bool | None = None,
) -> Pictures:
    """Bring a user's pictures to what a network takes: float32 [N, C, H, W] in [0, 1], labels unknown (-1).

    Files and PIL images of every size are framed (`saccade.images.mnist_framing.frame_digits`), and so are arrays of
    another size than the network's; an array of the network's size is taken as it is, as the images of a dataset are.

    Args:
        pictures: one picture or several; an array of [N, C, H, W] or [N, H, W] is a batch.
        digits: frame as MNIST's digits are (any ink on any paper, centred, of MNIST's size).
        apart: make an image of each digit of a picture; False takes all ink as one digit.
        framed: True frames every picture, arrays of the network's size too; False frames none and only scales them to
            the network's size.

    Raises:
        InputError: a missing or damaged file, an array of another type, shape or range, no picture at all.
    """
    if isinstance(pictures, np.ndarray | Tensor):
        pictures = _unstacked(pictures, facts)
    elif isinstance(pictures, str | Path | Image.Image) or not isinstance(pictures, Iterable):
        pictures = [pictures]
    pictures = list(pictures)
    how = _How(facts, digits and framed is not False, apart, framed)
    found = [_one(picture, how) for picture in track(pictures, "reading the pictures", len(pictures))]
    images = [one for several in found for one in several]
    if not images:
        raise InputError("one picture or more", "none", "give at least one")
    doubts = iter(_doubts(images) if digits and apart else [None] * len(images))
    parts = [
        Part(index, number, len(several), next(doubts))
        for index, several in enumerate(found)
        for number in range(1, len(several) + 1)
    ]
    batch = ImageBatch(torch.stack([one.image for one in images]), torch.full((len(images),), UNKNOWN))
    return Pictures(batch, parts)


def _doubts(images: list[Framed]) -> list[str | None]:
    """Tell why each image is no digit: by its form, or because it looks like none; None if it may be one."""
    doubts = [one.doubt for one in images]
    asked = [i for i, one in enumerate(images) if one.doubt is None and _is_framed(one)]
    if asked:
        unlike = unlike_a_digit(torch.stack([_middle(images[i].image) for i in asked]))
        for i, is_unlike in zip(asked, unlike, strict=True):
            doubts[i] = UNLIKE if is_unlike else None
    return doubts


def _is_framed(one: Framed) -> bool:
    """Tell if an image is a grey digit framed as MNIST's, by us or by its dataset."""
    channels, height, width = one.image.shape
    return channels == 1 and min(height, width) >= SIDE and (one.anew or height == width == SIDE)


def _middle(image: Tensor) -> Tensor:
    """Cut out the middle of a larger image, where a framed digit lies: [1, 28, 28]."""
    top, left = (image.shape[1] - SIDE) // 2, (image.shape[2] - SIDE) // 2
    return image[:, top : top + SIDE, left : left + SIDE]


class _How(NamedTuple):
    """Settings of the framing."""

    facts: ImageFacts
    digits: bool
    apart: bool
    framed: bool | None


def _one(picture: Picture, how: _How) -> list[Framed]:
    shape = how.facts.shape
    if isinstance(picture, str | Path):
        return read_digits(picture, shape, digits=how.digits, apart=how.apart)
    if isinstance(picture, Image.Image):
        pixels = pixels_of(picture.copy(), Path("a PIL image"), shape, digits=how.digits)
        return frame_digits(pixels, shape, "a PIL image", digits=how.digits, apart=how.apart)
    if isinstance(picture, np.ndarray):
        if picture.dtype.kind not in "buif":
            raise InputError("pixels as uint8 or floating point", str(picture.dtype), "convert them")
        picture = torch.from_numpy(picture.astype(picture.dtype.newbyteorder("=")))  # a copy: writable, in order
    if not isinstance(picture, Tensor):
        found = type(picture).__name__
        raise InputError("a path, a PIL image, a NumPy array or a tensor", found, "convert it")
    return _array(picture.detach().cpu(), how)


def _array(pixels: Tensor, how: _How) -> list[Framed]:
    """An image of any layout to float32 [C, H, W] in [0, 1], framed if it has another size than the network's."""
    facts = how.facts
    scaled = _scaled(pixels)
    if scaled.ndim == 2:
        scaled = scaled[None]
    elif scaled.ndim == 3 and scaled.shape[0] not in (1, 3) and scaled.shape[2] in (1, 3):
        scaled = scaled.permute(2, 0, 1)
    channels = "1 channel" if facts.channels == 1 else f"{facts.channels} channels"
    if scaled.ndim != 3 or scaled.shape[0] != facts.channels or 0 in scaled.shape:
        expected = f"an image of {channels}: [{facts.channels}, height, width]"
        do = "convert it to grey" if facts.channels == 1 else "convert it"
        raise InputError(expected, f"an array {list(pixels.shape)}", do)
    if scaled.shape[1:] == (facts.height, facts.width) and not how.framed:
        return [Framed(scaled.contiguous())]
    levels = (scaled * 255).round().to(torch.uint8)
    picture = levels[0] if facts.channels == 1 else levels.permute(1, 2, 0)
    return frame_digits(picture.numpy(), facts.shape, "an array", digits=how.digits, apart=how.apart)


def _scaled(pixels: Tensor) -> Tensor:
    """Convert pixel values to float32 in [0, 1]: uint8 and bool are scaled, floating point must be in range."""
    if pixels.dtype == torch.bool:
        return pixels.float()
    if pixels.dtype == torch.uint8:
        return pixels.float() / 255
    if not pixels.is_floating_point():
        raise InputError("pixels as uint8 or floating point", str(pixels.dtype).removeprefix("torch."), "convert them")
    if not pixels.isfinite().all():
        raise InputError("finite pixels", "NaN or infinity", "repair the image")
    if pixels.numel() and (pixels.min() < 0 or pixels.max() > 1):
        found = f"{pixels.min().item():.3g} to {pixels.max().item():.3g}"
        raise InputError("floating-point pixels from 0 to 1", found, "divide by 255, or give uint8")
    return pixels.float()


def _unstacked(pixels: np.ndarray | Tensor, facts: ImageFacts) -> Sequence[Picture]:
    """Split an array into images: one from [H, W], [C, H, W] or [H, W, C], N from [N, H, W] or [N, C, H, W]."""
    if pixels.ndim not in (2, 3, 4):
        raise InputError("an image [H, W] or a batch [N, C, H, W]", f"{pixels.ndim} axes", "change the shape")
    if pixels.ndim == 2:
        return [pixels]
    if pixels.ndim == 3:
        of_its_size = tuple(pixels.shape[1:]) == (facts.height, facts.width)
        colours_last = pixels.shape[2] in (1, 3, 4) and not of_its_size  # one image, perhaps of the wrong colours
        if colours_last or facts.channels in (pixels.shape[0], pixels.shape[2]):
            return [pixels]
    return list(pixels)
