"""Random distortions of training images: rotation, shear, scale and stroke width, for whole batches."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor
from torch.nn import functional as F

from saccade.pipeline.data.seeded_random import integers

MOST_DEGREES, MOST_SHEAR, MOST_SCALE = 30.0, 0.5, 0.25
"""Largest rotation, horizontal shear and relative change of each side at strength 1."""

STEPS = 2**20
"""Number of equally spaced values that a random parameter can have."""


class Distortion(NamedTuple):
    """Parameters for B images."""

    angle: Float[Tensor, " B"]
    """Radians, counterclockwise."""
    shear: Float[Tensor, " B"]
    """Horizontal shear: by how much the top moves to the right, as a share of the height."""
    across: Float[Tensor, " B"]
    """Horizontal scale; 1 leaves the size as it is."""
    down: Float[Tensor, " B"]
    """Vertical scale."""
    wider: Float[Tensor, " B"]
    """Stroke width: 1 adds a pixel on each side, -1 removes one; a part of a pixel is a blend."""


def random_distortion(count: int, strength: float, seed: int, step: int) -> Distortion:
    """Draw parameters, uniform within `strength` times the largest; a pure function of its arguments."""
    drawn = integers(seed, "distort", step, count, [STEPS] * 5)
    uniform = (2 * drawn.float() / (STEPS - 1) - 1) * strength  # [B, 5] in [-strength, strength]
    angle, shear, across, down, wider = uniform.unbind(1)
    turn = math.radians(MOST_DEGREES) * angle
    return Distortion(turn, MOST_SHEAR * shear, 1 + MOST_SCALE * across, 1 + MOST_SCALE * down, wider)


def distorted(images: Shaped[Tensor, "B C H W"], distortion: Distortion) -> UInt8[Tensor, "B C H W"]:
    """Distort images around their centres; pixel values 0 to 255, 0 outside. Bilinear."""
    angle, shear, across, down, wider = (part.to(images.device) for part in distortion)
    pixels = _stroke_width(images.float(), wider[:, None, None, None])
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    aspect = images.shape[2] / images.shape[3]  # grid_sample's axes both run from -1 to 1
    # the position in the input of a position in the output: turn back, then shear back, then scale back
    rows = [(cos + shear * sin) / across, (shear * cos - sin) / across * aspect, zero]
    rows += [sin / down / aspect, cos / down, zero]
    grid = F.affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False).round().clamp(0, 255).to(torch.uint8)


def _stroke_width(pixels: Float[Tensor, "B C H W"], wider: Float[Tensor, "B 1 1 1"]) -> Float[Tensor, "B C H W"]:
    """Blend with a dilated image (`wider` > 0) or an eroded one (< 0), 3 x 3; erosion at half the weight."""
    most = F.max_pool2d(pixels, 3, stride=1, padding=1)
    least = -F.max_pool2d(-pixels, 3, stride=1, padding=1)
    return pixels + wider.clamp(min=0) * (most - pixels) + 0.5 * wider.clamp(max=0) * (pixels - least)
