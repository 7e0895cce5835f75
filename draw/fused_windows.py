"""The two windows that follow from one h_dec, taken together: the one that is written now, and the one read next.

Equations 19 to 26 for both at once, and their derivative written out: what `windows.Attention` says one window at a
time, and autograd derives in ten times as many operations. A bank holds the filters of both, N = N_write + N_read rows.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from saccade.draw.windows import FARTHEST, LARGEST_LOG

X, Y = 0, 1  # columns of the aims
SIGMA, STRIDE, GAMMA = 0, 1, 2  # columns of the scales


class Bank(NamedTuple):
    """Filters of both windows along one axis, and the distances of the pixels from their means in deviations."""

    filters: Tensor  # [B, N, size]
    distances: Tensor


class Sights(NamedTuple):
    """Both windows: their scales sigma, stride (as a part of the widest) and gamma [B, 2, 3], and the filters."""

    scales: Tensor
    inverse: Tensor  # 1 / sigma of every filter [B, N]
    y: Bank
    x: Bank


class Optics:
    """What the windows of all steps share."""

    def __init__(self, write: int, read: int, height: int, width: int, like: Tensor) -> None:
        self.write, self.read = write, read
        self.rows = like.new_zeros(2, write + read)  # which filters are a window's
        self.offsets = like.new_zeros(2, write + read)  # i - (N - 1) / 2 of each, times the widest stride
        for window, (count, columns) in enumerate([(write, slice(0, write)), (read, slice(write, None))]):
            span = (max(height, width) - 1) / max(count - 1, 1)
            self.rows[window, columns] = 1
            self.offsets[window, columns] = (torch.arange(count).to(like) - (count - 1) / 2) * span
        self.pixels = {size: torch.arange(size).to(like) for size in (height, width)}
        self.height, self.width = height, width
        self.limits = like.new_tensor((FARTHEST, FARTHEST, LARGEST_LOG, LARGEST_LOG, LARGEST_LOG))
        self.powers = like.new_tensor((0.5, 1, 1))  # log sigma^2 is what the network gives

    def aim(self, found: Tensor) -> Sights:
        """From the decoder's aims (g~_X, g~_Y, log sigma^2, log delta~, log gamma) [B, 2, 5], the writing one first."""
        bounded = torch.clamp(found, -self.limits, self.limits)
        scales = (bounded[:, :, 2:] * self.powers).exp_()
        inverse = scales[:, :, SIGMA].reciprocal() @ self.rows
        spread = scales[:, :, STRIDE] @ self.offsets
        y = self._bank(bounded[:, :, Y], spread, inverse, self.height)
        x = self._bank(bounded[:, :, X], spread, inverse, self.width)
        return Sights(scales, inverse, y, x)

    def _bank(self, g: Tensor, spread: Tensor, inverse: Tensor, size: int) -> Bank:
        """Equations 22, 23, 25 and 26. The pixel nearest to a filter's mean has the largest weight, so that dividing
        by it first, as a softmax does, keeps all weights finite wherever the filter is."""
        means = torch.addmm(spread, g * ((size + 1) / 2) + (size - 1) / 2, self.rows)  # [B, N], 0-based pixels
        distances = (self.pixels[size] - means[:, :, None]).mul_(inverse[:, :, None])
        nearest = (means.round().clamp_(0, size - 1) - means).mul_(inverse).square_()
        weights = distances.square().sub_(nearest[:, :, None]).mul_(-0.5).exp_()
        return Bank(weights.div_(weights.sum(2, keepdim=True)), distances)

    def differentiate(self, found: Tensor, sights: Sights, dy: Tensor, dx: Tensor, dlog_gamma: Tensor) -> Tensor:
        """From dL/dF_Y [B, N, H], dL/dF_X [B, N, W] and dL/dlog gamma [B, 2] to dL/dfound [B, 2, 5]."""
        gradient = torch.empty_like(found)
        means_y, squares_y = self._pull(sights.y, sights.inverse, dy)
        means_x, squares_x = self._pull(sights.x, sights.inverse, dx)
        to_window = self.rows.t()
        gradient[:, :, Y] = (means_y @ to_window).mul_((self.height + 1) / 2)
        gradient[:, :, X] = (means_x @ to_window).mul_((self.width + 1) / 2)
        gradient[:, :, 2] = (squares_y.add_(squares_x) @ to_window).mul_(0.5)
        gradient[:, :, 3] = (means_y.add_(means_x) @ self.offsets.t()).mul_(sights.scales[:, :, STRIDE])
        gradient[:, :, 4] = dlog_gamma
        return gradient.mul_(found.abs() <= self.limits)

    @staticmethod
    def _pull(bank: Bank, inverse: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """dL/dmean and sigma dL/dsigma of every filter [B, N]; those of its logit -d^2 / 2 are d / sigma and d^2."""
        pulled = gradient * bank.filters
        pulled.addcmul_(bank.filters, pulled.sum(2, keepdim=True), value=-1).mul_(bank.distances)
        return pulled.sum(2).mul_(inverse), pulled.mul_(bank.distances).sum(2)
