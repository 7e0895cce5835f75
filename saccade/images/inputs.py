"""A user's own images as a network's batch: files, PIL images, arrays and tensors, checked once at the boundary."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saccade.errors import InputError
from saccade.images.config import ImageFacts
from saccade.images.mnist_framing import frame, read_image
from saccade.images.picture_files import decode
from saccade.images.source import ImageBatch
from saccade.pipeline.progress import track

Picture = str | Path | Image.Image | np.ndarray | Tensor
"""A file, a PIL image, or an array: [H, W], [H, W, C] or [C, H, W]; uint8 0 to 255, or floating point 0 to 1."""

UNKNOWN = -1
"""Label of an image of unknown class."""


def to_batch(pictures: Picture | Sequence[Picture], facts: ImageFacts, *, digits: bool = True) -> ImageBatch:
    """Convert a user's pictures to a network's batch: float32 [N, C, H, W] in [0, 1], labels unknown (-1).

    Files and PIL images are framed (`saccade.images.mnist_framing.frame`), and so are arrays of another size than the
    network's; an array of the network's size is not changed, like the images of a dataset.

    Args:
        pictures: one picture or several; an array of [N, C, H, W] or [N, H, W] is a batch.
        digits: frame as MNIST's digits are (dark on light or light on dark, centred, of MNIST's size).

    Raises:
        InputError: a missing or damaged file, an array of another type, shape or range, no picture at all.
    """
    if isinstance(pictures, np.ndarray | Tensor):
        pictures = _unstacked(pictures, facts)
    elif isinstance(pictures, str | Path | Image.Image) or not isinstance(pictures, Iterable):
        pictures = [pictures]
    pictures = list(pictures)
    images = [_one(picture, facts, digits) for picture in track(pictures, "reading the pictures", len(pictures))]
    if not images:
        raise InputError("one picture or more", "none", "give at least one")
    return ImageBatch(torch.stack(images), torch.full((len(images),), UNKNOWN))


def _one(picture: Picture, facts: ImageFacts, digits: bool) -> Tensor:
    if isinstance(picture, str | Path):
        return read_image(picture, facts.shape, digits=digits)
    if isinstance(picture, Image.Image):
        mode = "L" if facts.channels == 1 else "RGB"
        return frame(decode(picture.copy(), Path("a PIL image"), mode), facts.shape, "a PIL image", digits=digits)
    if isinstance(picture, np.ndarray):
        if picture.dtype.kind not in "buif":
            raise InputError("pixels as uint8 or floating point", str(picture.dtype), "convert them")
        picture = torch.from_numpy(picture.astype(picture.dtype.newbyteorder("=")))  # a copy: writable, in order
    if not isinstance(picture, Tensor):
        found = type(picture).__name__
        raise InputError("a path, a PIL image, a NumPy array or a tensor", found, "convert it")
    return _array(picture.detach().cpu(), facts, digits)


def _array(pixels: Tensor, facts: ImageFacts, digits: bool) -> Tensor:
    """Convert an image of any layout to float32 [C, H, W] in [0, 1]; frame it unless it has the network's size."""
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
    if scaled.shape[1:] == (facts.height, facts.width):
        return scaled.contiguous()
    levels = (scaled * 255).round().to(torch.uint8)
    picture = levels[0] if facts.channels == 1 else levels.permute(1, 2, 0)
    return frame(picture.numpy(), facts.shape, "an array", digits=digits)


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
