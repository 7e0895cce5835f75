"""RAM's retina-like sensor rho(x, l): patches of growing extent around a location (Mnih et al. 2014, figure 1A).

Patch s of S covers (2^s g) x (2^s g) pixels around the location and is averaged down to g x g. Beyond the border
everything is 0. The window's corner is rounded to whole pixels, so a patch is a copy: no gradient reaches the location.

A window is copied row by row: every row of every image is an entry of one overlapping view of memory, so that all
patches of a batch are a single `index_select`. Averaging is one matrix product.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Canvas(NamedTuple):
    """Images with a zero border wide enough for every window, as [B, C*H*W], and what is needed to index them."""

    pixels: Tensor
    size: Tensor  # (width, height) of the image without its border, pixels [2]
    rows: Tensor  # index of every image's first pixel [B, 1]


class Retina:
    """The sensor for images of one size; a function of (images, location) without parameters.

    Args:
        patch: g, side of a patch, pixels.
        scales: S, number of patches.
        channels, height, width: of the images.
    """

    def __init__(self, patch: int, scales: int, channels: int, height: int, width: int) -> None:
        self.patch, self.scales, self.channels = patch, scales, channels
        self.height, self.width = height, width
        self.sides = [patch * 2**s for s in range(scales)]
        self.border = (self.sides[-1] + 1) // 2
        self.stride = width + 2 * self.border  # of a padded row
        self.plane = self.stride * (height + 2 * self.border)
        self._offsets: dict[torch.device, list[Tensor]] = {}
        self._pools: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}

    @property
    def features(self) -> int:
        """Numbers in one glimpse: S * C * g * g."""
        return self.scales * self.channels * self.patch**2

    def half_extents(self) -> list[tuple[float, float]]:
        """Half the width and height of each scale's window in image coordinates."""
        return [(side / self.width, side / self.height) for side in self.sides]

    def prepare(self, images: Tensor) -> Canvas:
        """Pad images [B, C, H, W], once for all glimpses."""
        if torch.is_autocast_enabled(images.device.type):  # half the memory to move; the first product casts anyway
            images = images.to(torch.get_autocast_dtype(images.device.type))
        pixels = F.pad(images, (self.border,) * 4).flatten(1)
        size = torch.tensor((self.width, self.height), device=images.device, dtype=torch.float32)
        rows = torch.arange(len(images), device=images.device)[:, None] * pixels.shape[1]
        return Canvas(pixels, size, rows)

    def corners(self, canvas: Canvas, location: Tensor, side: int) -> Tensor:
        """The first pixel (x, y) of a window of that side around location [B, 2], 0-based in the image [B, 2]."""
        return ((location.float() + 1) * (canvas.size / 2) - side / 2).round().long()

    def __call__(self, canvas: Canvas, location: Tensor) -> Tensor:
        """What is seen at location [B, 2], clamped to the image (NaN: the centre): [B, S, C, g, g]."""
        device, batch = location.device, len(location)
        location = location.nan_to_num().clamp(-1, 1)
        seen = []
        for side, offsets, pool in zip(self.sides, self._row_offsets(device), self._pool(canvas.pixels), strict=True):
            x, y = (self.corners(canvas, location, side) + self.border).unbind(1)
            first = canvas.rows + (y * self.stride + x)[:, None]
            flat = canvas.pixels.view(-1)
            windows = flat.as_strided((flat.numel() - side + 1, side), (1, 1))
            rows = windows.index_select(0, (first + offsets).view(-1))  # [B * C * side, side]
            if side != self.patch:  # average (side / g)^2 pixels: a row of cells is one row of the product
                rows = rows.view(batch * self.channels * self.patch, -1) @ pool
            seen.append(rows.view(batch, self.channels, self.patch, self.patch))
        return torch.stack(seen, dim=1) if len(seen) > 1 else seen[0][:, None]

    def _row_offsets(self, device: torch.device) -> list[Tensor]:
        """For each scale, where a window's rows begin relative to its first pixel [C * side]."""
        if device not in self._offsets:
            planes = torch.arange(self.channels, device=device)[:, None] * self.plane
            rows = (torch.arange(side, device=device) * self.stride for side in self.sides)
            self._offsets[device] = [(planes + row).flatten() for row in rows]
        return self._offsets[device]

    def _pool(self, pixels: Tensor) -> list[Tensor]:
        """For each scale, the matrix [(side / g) * side, g] that averages the pixels of a row of cells."""
        key = (pixels.device, pixels.dtype)
        if key not in self._pools:
            self._pools[key] = []
            for side in self.sides:
                ratio = side // self.patch
                cell = torch.arange(side, device=pixels.device) // ratio  # the cell of each pixel of a row
                one_row = F.one_hot(cell, self.patch).to(pixels.dtype) / ratio**2
                self._pools[key].append(one_row.repeat(ratio, 1))
        return self._pools[key]
