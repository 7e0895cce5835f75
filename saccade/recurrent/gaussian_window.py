"""Windows on an image: coordinates, and DRAW's Gaussian filterbank.

Coordinates are (x, y) in [-1, 1] with 0 at the image's centre and -1, +1 at its outer edges, so that pixel i of W has
its centre at (2 i + 1) / W - 1. DRAW's own g~ in [-1, 1] spans (W + 1) pixels instead: see `from_draw`.
"""

# torch declares an autograd function's backward with *args:
# pyright: reportIncompatibleMethodOverride=false

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def to_pixels(coordinate: Float[Tensor, "..."], size: int) -> Float[Tensor, "..."]:
    """Convert from [-1, 1] to 0-based pixels: pixel i's centre is i and the image spans [-0.5, size - 0.5]."""
    return (coordinate + 1) * (size / 2) - 0.5


def from_draw(g: Float[Tensor, "..."], size: int) -> Float[Tensor, "..."]:
    """Convert DRAW's g~ to a coordinate: that of equation 22's 1-based pixel (size + 1) / 2 (g~ + 1)."""
    return g * ((size + 1) / size)


class Window(NamedTuple):
    """Gaussian windows of N x N filters: centre (x, y) in [-1, 1], stride and deviation in pixels."""

    x: Float[Tensor, " B"]
    y: Float[Tensor, " B"]
    stride: Float[Tensor, " B"]
    sigma: Float[Tensor, " B"]


class _Filters(torch.autograd.Function):
    """Filters [R, N, size] of means [R, N] and deviations [R], with their derivative: see `filterbank`."""

    @staticmethod
    def forward(ctx: Any, means: Tensor, sigma: Tensor, size: int) -> Tensor:
        distances, filters = _gaussians(means, sigma, size)
        ctx.save_for_backward(distances, filters, sigma)
        return filters

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        distances, filters, sigma = ctx.saved_tensors
        pulled = torch.ops.aten._softmax_backward_data(gradient, filters, -1, filters.dtype).mul_(distances)
        of_means = pulled.sum(2).div_(sigma[:, None])
        return of_means, pulled.mul_(distances).sum((1, 2)).div_(sigma), None


def _gaussians(means: Tensor, sigma: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the distances of the pixels from the means in deviations, and the filters, each [R, N, size]."""
    pixels = torch.arange(size, device=means.device, dtype=means.dtype)
    distances = (pixels - means[:, :, None]).div_(sigma[:, None, None])
    return distances, torch.softmax(-0.5 * distances.square(), dim=-1)


def filterbank(
    centre: Float[Tensor, " B"], stride: Float[Tensor, " B"], sigma: Float[Tensor, " B"], count: int, size: int
) -> Float[Tensor, "B {count} {size}"]:
    """Build one axis' Gaussian filters (Gregor et al. 2015, equations 19, 20, 25, 26), here in 0-based pixels.

    Filter i of N sits at centre + (i - (N - 1) / 2) stride; its weights over the pixels sum to 1. They are normalised
    as a softmax, so that a filter wholly off the image, or one much narrower than a pixel, still gives finite weights.

    Args:
        centre: in [-1, 1].
        stride: distance between neighbouring filters, pixels.
        sigma: standard deviation, pixels, above 0.
        count: N, 1 or more.
        size: pixels along the axis, A (or B).

    Returns:
        [B, N, size].
    """
    offsets = torch.arange(count, device=centre.device, dtype=centre.dtype) - (count - 1) / 2
    means = to_pixels(centre, size)[:, None] + offsets * stride[:, None]  # [B, N]
    if not torch.is_grad_enabled():  # plain operations, which a graph can be recorded of
        return _gaussians(means, sigma, size)[1]
    return _Filters.apply(means, sigma, size)  # type: ignore[return-value]


def filterbanks(
    window: Window, count: int, height: int, width: int
) -> tuple[Float[Tensor, "B {count} {height}"], Float[Tensor, "B {count} {width}"]]:
    """Build F_Y [B, N, H] and F_X [B, N, W] of windows; for square images both in one pass."""
    if height != width:
        filters_x = filterbank(window.x, window.stride, window.sigma, count, width)
        return filterbank(window.y, window.stride, window.sigma, count, height), filters_x
    stride, sigma = window.stride.repeat(2), window.sigma.repeat(2)
    both = filterbank(torch.cat([window.y, window.x]), stride, sigma, count, width)
    batch = window.y.shape[0]  # not by `chunk`, which fixes the batch in a recorded graph
    return both[:batch], both[batch:]


class _Read(torch.autograd.Function):
    """The reading of several images [B, C, H, W] by the same filters, with gradients only where they are needed."""

    @staticmethod
    def forward(ctx: Any, filters_y: Tensor, filters_x: Tensor, *images: Tensor) -> Tensor:
        together = torch.cat(images, dim=1)
        batch, channels, height, _ = together.shape
        pixels, columns, seen = _through(filters_y, filters_x, together)
        ctx.save_for_backward(filters_y, filters_x, pixels, columns)
        ctx.shape = (batch, channels, height, filters_y.shape[1])
        return seen

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        filters_y, filters_x, pixels, columns = ctx.saved_tensors
        batch, channels, height, count = ctx.shape
        seen = gradient.transpose(1, 2).reshape(batch, count, channels * count)
        of_y = seen @ columns.transpose(1, 2)
        of_columns = (filters_y.transpose(1, 2) @ seen).view(batch, height, channels, count)
        of_rows = of_columns.transpose(1, 2).reshape(batch, channels * height, count)
        of_x = of_rows.transpose(1, 2) @ pixels
        wanted = ctx.needs_input_grad[2:]
        parts = of_rows.chunk(len(wanted), dim=1)
        size = (batch, channels // len(wanted), height, filters_x.shape[2])
        of_images = [(part @ filters_x).view(size) if want else None for part, want in zip(parts, wanted, strict=True)]
        return (of_y, of_x, *of_images)


def _through(filters_y: Tensor, filters_x: Tensor, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return F_Y x F_X^T of images [B, C, H, W], with what the derivative needs.

    Returns:
        The rows of pixels [B, C H, W], the input of F_Y [B, H, C N], and the result [B, C, N, N].
    """
    batch, channels, height, width = images.shape
    count = filters_y.shape[1]
    pixels = images.reshape(batch, channels * height, width)
    rows = pixels @ filters_x.transpose(1, 2)  # [B, C H, N]
    columns = rows.view(batch, channels, height, count).transpose(1, 2).reshape(batch, height, -1)
    return pixels, columns, (filters_y @ columns).view(batch, count, channels, count).transpose(1, 2)


def read_window(images: Float[Tensor, "B C H W"], window: Window, count: int) -> Float[Tensor, "B C {count} {count}"]:
    """Read F_Y x F_X^T in every channel (equation 27 without its intensity)."""
    height, width = (int(side) for side in images.shape[-2:])  # a tensor each while a graph is recorded
    return read_through(filterbanks(window, count, height, width), images)


def read_through(
    filters: tuple[Float[Tensor, "B N H"], Float[Tensor, "B N W"]], *images: Float[Tensor, "B C H W"]
) -> Float[Tensor, "B KC N N"]:
    """Read K images with the same filters F_Y and F_X: see `read_window`."""
    if not torch.is_grad_enabled():
        return _through(*filters, torch.cat(images, dim=1))[2]
    return _Read.apply(*filters, *images)  # type: ignore[return-value]


def write_window(
    patch: Float[Tensor, "B C N N"], window: Window, height: int, width: int
) -> Float[Tensor, "B C {height} {width}"]:
    """Write F_Y^T w F_X in every channel (equation 29 without its intensity)."""
    batch, channels, count, _ = patch.shape
    filters_y, filters_x = filterbanks(window, count, height, width)
    columns = filters_y.transpose(1, 2) @ patch.transpose(1, 2).reshape(batch, count, channels * count)  # [B, H, C N]
    written = columns.view(batch, height * channels, count) @ filters_x  # [B, H C, W]
    return written.view(batch, height, channels, width).transpose(1, 2)
