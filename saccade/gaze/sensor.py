"""RAM's retina-like sensor rho(x, l): patches of growing extent around a location (Mnih et al. 2014, figure 1A).

Patch s of S covers (2^s g) x (2^s g) pixels around the location and is averaged down to g x g. Beyond the border
everything is 0. The window's corner is rounded to whole pixels, so a patch is a copy: no gradient reaches the location.

Small images are padded once, and a window is copied row by row: every row of every image is an entry of one overlapping
view of memory, so that all patches of a batch are one `index_select`. For images much larger than the windows padding
would cost more than the glimpses, so only the windows' pixels are read: the cost of a glimpse does not grow with the
image. Both ways give the same patches bit for bit. Averaging is one matrix product.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

LARGE = 16
"""Images with more than this many times the pixels of the largest window are not padded."""


class PreparedImages(NamedTuple):
    """Images ready for all glimpses, with the numbers to index them."""

    pixels: Float[Tensor, "B CHW"]
    """With a border of zeros as wide as every window needs, where the retina pads."""
    size: Float[Tensor, "2"]
    """(width, height) of the image without its border, pixels."""
    rows: Int64[Tensor, "B 1"]
    """Index of every image's first pixel."""


class Retina:
    """The sensor for images of one size; a function of (images, location) without parameters.

    Args:
        patch: g, side of a patch, pixels.
        scales: S, number of patches.
        channels, height, width: of the images.
        pad: True to pad the images; None decides by their size.
    """

    def __init__(
        self, patch: int, scales: int, channels: int, height: int, width: int, *, pad: bool | None = None
    ) -> None:
        self.patch, self.scales, self.channels = patch, scales, channels
        self.height, self.width = height, width
        self.sides = [patch * 2**s for s in range(scales)]
        self.pad = height * width <= LARGE * self.sides[-1] ** 2 if pad is None else pad
        self.border = (self.sides[-1] + 1) // 2 if self.pad else 0
        self.stride = width + 2 * self.border  # of a padded row
        self.plane = self.stride * (height + 2 * self.border)
        self._offsets: dict[torch.device, list[Tensor]] = {}
        self._pixel_tables: dict[torch.device, tuple[Tensor, Tensor, Tensor]] = {}
        self._pools: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}

    @property
    def features(self) -> int:
        """Number of values in one glimpse: S * C * g * g."""
        return self.scales * self.channels * self.patch**2

    def half_extents(self) -> list[tuple[float, float]]:
        """Return half the width and height of each scale's window in image coordinates."""
        return [(side / self.width, side / self.height) for side in self.sides]

    def prepare(self, images: Float[Tensor, "B C H W"]) -> PreparedImages:
        """Prepare images once for all glimpses: pad them, unless they are large."""
        if self.pad:
            if torch.is_autocast_enabled(images.device.type):  # half the memory to move; the first product casts anyway
                images = images.to(torch.get_autocast_dtype(images.device.type))
            images = F.pad(images, (self.border,) * 4)
        pixels = images.flatten(1)
        size = torch.tensor((self.width, self.height), device=images.device, dtype=torch.float32)
        rows = torch.arange(images.shape[0], device=images.device)[:, None] * pixels.shape[1]
        return PreparedImages(pixels, size, rows)

    def corners(self, images: PreparedImages, location: Float[Tensor, "B 2"], side: int) -> Int64[Tensor, "B 2"]:
        """Return the first pixel (x, y) of a window of that side around each location, 0-based in the image."""
        return ((location.float() + 1) * (images.size / 2) - side / 2).round().long()

    def __call__(self, images: PreparedImages, location: Float[Tensor, "B 2"]) -> Float[Tensor, "B S C g g"]:
        """Read the patches at a location, which is clamped to the image; NaN reads at the centre."""
        location = location.nan_to_num().clamp(-1, 1)
        windows = self._rows(images, location) if self.pad else self._pixels(images, location)
        seen = []
        for side, window, pool in zip(self.sides, windows, self._pool(images.pixels), strict=True):
            if side != self.patch:  # average (side / g)^2 pixels: a row of cells is one row of the product
                window = window.reshape(location.shape[0] * self.channels * self.patch, -1) @ pool
            seen.append(window.reshape(location.shape[0], self.channels, self.patch, self.patch))
        return torch.stack(seen, dim=1) if len(seen) > 1 else seen[0][:, None]

    def _rows(self, images: PreparedImages, location: Tensor) -> list[Tensor]:
        """Copy each scale's windows from padded images, row by row [B * C * side, side]."""
        found, flat = [], images.pixels.view(-1)
        for side, offsets in zip(self.sides, self._row_offsets(location.device), strict=True):
            x, y = (self.corners(images, location, side) + self.border).unbind(1)
            first = images.rows + (y * self.stride + x)[:, None]
            windows = flat.as_strided((flat.numel() - side + 1, side), (1, 1))
            found.append(windows.index_select(0, (first + offsets).view(-1)))
        return found

    def _pixels(self, images: PreparedImages, location: Tensor) -> list[Tensor]:
        """Copy each scale's windows from images without a border, pixel by pixel [B, C, side * side]."""
        half, scale, offset = self._pixel_offsets(location.device)
        corners = ((location.float() + 1) * (images.size / 2))[:, None] - half  # as `corners`, of all scales [B, S, 2]
        at = corners.round().long()[:, scale] + offset  # (x, y) in the image [B, P, 2]
        nearest = at.clamp(min=0).minimum(images.size.long() - 1)
        inside = (at == nearest).all(2)
        index = images.rows + nearest[..., 1] * self.stride + nearest[..., 0]  # [B, P]
        planes = torch.arange(self.channels, device=location.device)[:, None] * self.plane
        seen = images.pixels.take(index[:, None] + planes) * inside[:, None]  # [B, C, P]
        return list(seen.split([side**2 for side in self.sides], dim=2))

    def _pixel_offsets(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return half the side of each scale [S, 1]; of the P pixels of all windows the scale [P] and offset [P, 2]."""
        if device not in self._pixel_tables:
            half = torch.tensor([side / 2 for side in self.sides], device=device)[:, None]
            counts = torch.tensor([side**2 for side in self.sides])
            scale = torch.arange(self.scales).repeat_interleave(counts)
            squares = [torch.cartesian_prod(torch.arange(side), torch.arange(side)) for side in self.sides]
            offsets = torch.cat([square.flip(1) for square in squares])  # (x, y), row by row
            self._pixel_tables[device] = (half, scale.to(device), offsets.to(device))
        return self._pixel_tables[device]

    def _row_offsets(self, device: torch.device) -> list[Tensor]:
        """Return for each scale the starts of a window's rows, relative to its first pixel [C * side]."""
        if device not in self._offsets:
            planes = torch.arange(self.channels, device=device)[:, None] * self.plane
            rows = (torch.arange(side, device=device) * self.stride for side in self.sides)
            self._offsets[device] = [(planes + row).flatten() for row in rows]
        return self._offsets[device]

    def _pool(self, pixels: Tensor) -> list[Tensor]:
        """Return for each scale the matrix [(side / g) * side, g] that averages the pixels of a row of cells."""
        key = (pixels.device, pixels.dtype)
        if key not in self._pools:
            self._pools[key] = []
            for side in self.sides:
                ratio = side // self.patch
                cell = torch.arange(side, device=pixels.device) // ratio  # the cell of each pixel of a row
                one_row = F.one_hot(cell, self.patch).to(pixels.dtype) / ratio**2
                self._pools[key].append(one_row.repeat(ratio, 1))
        return self._pools[key]
