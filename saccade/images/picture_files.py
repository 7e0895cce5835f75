"""Picture files, checked while they are opened: a name ending in .png proves nothing."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

from saccade.errors import InputError
from saccade.images.extent import extent

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""Formats that are opened. Some of pillow's other formats start external programs."""

LIMIT = 2**25
"""Most pixels in a picture: 33 million."""

DENSEST = 10_000
"""Most pixels per byte of a large picture's file: deflate holds up to 8,256 pixels of one bit, so more is an attack."""

GIVE = f"give one of the formats {', '.join(FORMATS)}"


class Images(NamedTuple):
    """Pictures uint8 [N, C, H, W] and labels int64 [N]."""

    pixels: Tensor
    labels: Tensor


def open_image(path: Path) -> Image.Image:
    """Open the picture in a file without decoding it (mode and size are known); close it or use it in a `with`.

    Raises:
        InputError: no such file, no picture of a known format, or one that claims more than `LIMIT` pixels.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise InputError(f"a picture in {path}", "a folder" if path.is_dir() else "no regular file", GIVE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a decoder's remarks; errors are raised
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"at most {LIMIT} pixels in {path}", "a claim of far more", "give a smaller one") from None
    except FileNotFoundError:
        raise InputError(f"a picture at {path}", "no such file", "give the path of one") from None
    except Exception as error:  # a decoder may raise any type on damaged data
        raise InputError(f"a picture in {path}", _said(error, path), GIVE) from None
    pixels, size = image.width * image.height, path.stat().st_size
    if pixels > LIMIT or (pixels > 1 << 20 and pixels > DENSEST * size):
        image.close()
        found = f"a claim of {image.width}x{image.height} in {size:,} bytes"
        expected = f"at most {LIMIT} pixels, and {DENSEST} a byte, in {path}"
        raise InputError(expected, found, "give a smaller one")
    return image


def decode(image: Image.Image, path: Path, mode: str) -> np.ndarray:
    """Decode a picture: uint8 [H, W] for mode "L" or [H, W, 3] for "RGB", upright, on white where it is transparent.

    Raises:
        InputError: the file is cut off or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _pixels(image, mode)
    except Exception as error:  # as above
        raise InputError(f"a whole picture in {path}", _said(error, path), "save or fetch it again") from None


def visible(image: Image.Image, path: Path) -> np.ndarray:
    """Decode a drawing: uint8 [H, W, 3], upright; a transparent one is put on what its ink stands out from.

    Mostly transparent: on white or on black, whichever is farther from the mean of what is opaque. Mostly opaque:
    cropped to what is opaque, on white.

    Raises:
        InputError: as `decode`.
    """
    pixels = decode(image, path, "RGB")
    if "A" not in image.mode and "transparency" not in image.info:
        return pixels
    inked = np.asarray(image.convert("RGBA"))
    opaque = inked[..., 3] > 127
    if not opaque.any():
        return pixels
    if opaque.mean() > 0.5:
        return pixels[extent(opaque)]
    if inked[opaque][:, :3].mean() <= 127:
        return pixels
    return (inked[..., :3] * (inked[..., 3:] / 255)).round().astype(np.uint8)  # on black


def _pixels(image: Image.Image, mode: str) -> np.ndarray:
    """Decode a picture, turn it upright and convert it to a mode."""
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    upright = image
    if upright.mode == "F":
        upright = Image.fromarray(_levels(np.asarray(upright)))
    elif upright.mode.startswith("I"):  # 16 bits a pixel, which pillow would clip at 255
        upright = Image.fromarray((np.asarray(upright).clip(0, 65535) // 257).astype(np.uint8))
    elif "A" in upright.mode or "transparency" in upright.info:
        inked = upright.convert("RGBA")
        upright = Image.new(mode, inked.size, "white")
        upright.paste(inked.convert(mode), mask=inked.getchannel("A"))
    return np.asarray(upright.convert(mode))


def _levels(values: np.ndarray) -> np.ndarray:
    """Return floating-point pixels as uint8: from 0 to 1, to 255 or to 65535, whichever holds them."""
    if not np.isfinite(values).all():
        raise ValueError("pixels that are NaN or infinite")
    most = next((top for top in (1.0, 255.0, 65535.0) if values.max() <= top), float(values.max()))
    return np.rint(values.clip(0, most) * (255 / most)).astype(np.uint8)


def is_grey(image: Image.Image) -> bool:
    """Return True if a picture has no colours."""
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def _said(error: Exception, path: Path) -> str:
    """Return a decoder's message, without the path that some of them repeat."""
    return "something else" if str(path) in str(error) else str(error) or type(error).__name__
