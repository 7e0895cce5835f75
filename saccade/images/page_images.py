"""Images as a page in the browser sends and shows them: grey levels of one byte in base64."""

import binascii
from base64 import b64decode, b64encode
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from pydantic import Field
from torch import Tensor

from saccade.errors import InputError
from saccade.images.config import ImageFacts
from saccade.images.inputs import to_pictures
from saccade.json_types import Record
from saccade.pipeline.panel import Request

LARGEST_SIDE = 640
"""Pixels of a picture's longest side; the page makes larger ones smaller before it sends them."""

Base64 = Annotated[str, Field(max_length=4 * (LARGEST_SIDE**2 * 3 // 3) + 4)]
"""Bytes in base64."""


class PictureRequest(Request):
    """A picture to be framed as digits: raw pixels, which need no decoder."""

    width: int = Field(ge=8, le=LARGEST_SIDE)
    height: int = Field(ge=8, le=LARGEST_SIDE)
    channels: Literal[1, 3]
    pixels: Base64


def decoded(text: str, size: int) -> np.ndarray:
    """Return that many bytes from base64 as uint8.

    Raises:
        InputError: no base64, or another number of bytes.
    """
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("bytes in base64", "something else", "reload the page") from None
    if len(data) != size:
        raise InputError(f"{size} bytes", f"{len(data)}", "reload the page")
    return np.frombuffer(data, np.uint8)


def encoded(image: Float[Tensor, "..."]) -> str:
    """Return values in [0, 1] as bytes in base64."""
    levels = (image.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    return b64encode(levels.contiguous().numpy().tobytes()).decode()


def image_of(text: str, facts: ImageFacts, count: int = 1) -> Float[Tensor, "B 1 H W"]:
    """Return the images of a network's size, in [0, 1]."""
    height, width = facts.height, facts.width
    levels = decoded(text, count * height * width).reshape(count, 1, height, width)
    return torch.from_numpy(levels.astype(np.float32) / 255)


def framed(request: PictureRequest, facts: ImageFacts) -> Record:
    """Return the digits of a picture, framed as `saccade glimpse read` does, left to right, each with its doubt.

    Raises:
        InputError: no ink in it.
    """
    width, height, channels = request.width, request.height, request.channels
    levels = decoded(request.pixels, width * height * channels).reshape(height, width, channels)
    picture = Image.fromarray(np.repeat(levels, 3, axis=2) if channels == 1 else levels)
    batch, parts = to_pictures([picture], facts, digits=True, apart=True)
    return {
        "digits": [
            {"image": encoded(image), "doubt": part.doubt} for image, part in zip(batch.images, parts, strict=True)
        ]
    }
