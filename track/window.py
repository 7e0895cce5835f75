"""The tracker's window: a grid of Gaussian filters around a box, with its own stride and width along each axis.

As in Kahou et al. 2015 (section 3), which extends the window of DRAW (Gregor et al. 2015, section 3.2) by a stride and
a deviation for each axis. A box is (x, y, w, h): its centre in [-1, 1] and half its width and height in the same unit,
so that a box that fills the frame is (0, 0, 1, 1).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from saccade.recurrent.gaussian_window import filterbank, read_through


class Grid(NamedTuple):
    """Gaussian windows of N x N filters."""

    centre: Float[Tensor, "B 2"]
    """(x, y) in [-1, 1]."""
    stride: Float[Tensor, "B 2"]
    """Distance between neighbouring filters, in pixels, along x and y."""
    sigma: Float[Tensor, "B 2"]
    """Standard deviation of a filter, in pixels."""


def sizes_of(frames: UInt8[Tensor, "B C H W"], like: Tensor) -> Float[Tensor, " 2"]:
    """Return width and height of frames, in pixels, as a tensor of the type of `like`."""
    return like.new_tensor([frames.shape[3], frames.shape[2]])


def stride_around(
    extent: Float[Tensor, "B 2"], size: Float[Tensor, " 2"], reach: float, count: int
) -> Float[Tensor, "B 2"]:
    """Return the strides, in pixels, of a window around a box: it is `reach` times as large.

    The window of a slender box is less slender: (reach - 1) times the mean of width and height is added to each side,
    so that things next to the box are seen on all sides.

    Args:
        extent: half width and height of the box, in [-1, 1].
        size: width and height of the frame, in pixels.
        reach: side of the window in sides of the box, for a square box.
        count: filters along a side, N.
    """
    sides = extent * size  # pixels: 2 w in [-1, 1] is w W
    return (sides + (reach - 1) * sides.mean(1, keepdim=True)) / count


def read(frames: UInt8[Tensor, "B C H W"], grid: Grid, count: int) -> Float[Tensor, "B C {count} {count}"]:
    """Read F_Y x F_X^T in every channel (Gregor et al. 2015, equation 27), in [0, 1]."""
    (x, y), (stride_x, stride_y), (sigma_x, sigma_y) = (leaf.unbind(1) for leaf in grid)
    height, width = frames.shape[2:]
    with torch.autocast(frames.device.type, enabled=False):  # bf16 would blur a place by a pixel
        filters_x = filterbank(x, stride_x, sigma_x, count, width)
        filters_y = filterbank(y, stride_y, sigma_y, count, height)
        return read_through((filters_y, filters_x), frames.to(x.dtype)) / 255


def read_box(
    frames: UInt8[Tensor, "B C H W"], box: Float[Tensor, "B 4"], count: int
) -> Float[Tensor, "B C {count} {count}"]:
    """Read what is in a box through count x count filters that fill it."""
    stride = box[:, 2:] * sizes_of(frames, box) / count
    return read(frames, Grid(box[:, :2], stride, 0.5 * stride), count)


def overlap(one: Float[Tensor, "... 4"], other: Float[Tensor, "... 4"]) -> Float[Tensor, "..."]:
    """Return intersection over union of boxes (x, y, w, h), see this module; 0 where both are empty."""
    low = torch.maximum(one[..., :2] - one[..., 2:], other[..., :2] - other[..., 2:])
    high = torch.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = 4 * one[..., 2:].prod(-1) + 4 * other[..., 2:].prod(-1) - shared
    return shared / union.clamp(min=1e-12)
