"""The two windows that follow from one h_dec, computed together: the one written now, and the one read next.

Equations 19 to 26 for both windows at once, with their derivative written out. `windows.Attention` computes one window
at a time, and its derivative by autograd takes ten times as many operations. A filterbank holds the filters of both
windows, N = N_write + N_read rows.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from saccade.draw.windows import FARTHEST, LARGEST_LOG

X, Y = 0, 1  # columns of the raw parameters
SIGMA, STRIDE, GAMMA = 0, 1, 2  # columns of the scales


class Filterbank(NamedTuple):
    """Filters of both windows along one axis."""

    filters: Tensor
    """[B, N, size]."""
    distances: Tensor
    """Of the pixels from the filters' means, in standard deviations [B, N, size]."""


class Filterbanks(NamedTuple):
    """Both windows: their scales and their filters."""

    scales: Tensor
    """Of each window sigma, stride (as a fraction of the widest) and gamma [B, 2, 3]."""
    inverse: Tensor
    """1 / sigma of every filter [B, N]."""
    y: Filterbank
    x: Filterbank


class FusedWindows:
    """Both windows as a function of their raw parameters, with its derivative; the constants of all steps.

    Raw parameters are (g~_X, g~_Y, log sigma^2, log delta~, log gamma) [B, 2, 5], the writing window first.
    """

    def __init__(self, write: int, read: int, height: int, width: int, like: Tensor) -> None:
        self.write, self.read = write, read
        self.rows = like.new_zeros(2, write + read)  # 1 for the filters of each window
        self.offsets = like.new_zeros(2, write + read)  # i - (N - 1) / 2 of each, times the widest stride
        for window, (count, columns) in enumerate([(write, slice(0, write)), (read, slice(write, None))]):
            span = (max(height, width) - 1) / max(count - 1, 1)
            self.rows[window, columns] = 1
            self.offsets[window, columns] = (torch.arange(count).to(like) - (count - 1) / 2) * span
        self.pixels = {size: torch.arange(size).to(like) for size in (height, width)}
        self.height, self.width = height, width
        self.limits = like.new_tensor((FARTHEST, FARTHEST, LARGEST_LOG, LARGEST_LOG, LARGEST_LOG))
        self.powers = like.new_tensor((0.5, 1, 1))  # the network gives log sigma^2

    def filterbanks(self, raw: Tensor) -> Filterbanks:
        """Compute both windows' scales and filters from their raw parameters."""
        bounded = torch.clamp(raw, -self.limits, self.limits)
        scales = (bounded[:, :, 2:] * self.powers).exp_()
        inverse = scales[:, :, SIGMA].reciprocal() @ self.rows
        spread = scales[:, :, STRIDE] @ self.offsets
        y = self._filterbank(bounded[:, :, Y], spread, inverse, self.height)
        x = self._filterbank(bounded[:, :, X], spread, inverse, self.width)
        return Filterbanks(scales, inverse, y, x)

    def _filterbank(self, g: Tensor, spread: Tensor, inverse: Tensor, size: int) -> Filterbank:
        """Compute equations 22, 23, 25 and 26 along one axis.

        The pixel nearest to a filter's mean has the largest weight. Dividing by it first, as a softmax does, keeps all
        weights finite wherever the filter is.
        """
        means = torch.addmm(spread, g * ((size + 1) / 2) + (size - 1) / 2, self.rows)  # [B, N], 0-based pixels
        distances = (self.pixels[size] - means[:, :, None]).mul_(inverse[:, :, None])
        nearest = (means.round().clamp_(0, size - 1) - means).mul_(inverse).square_()
        weights = distances.square().sub_(nearest[:, :, None]).mul_(-0.5).exp_()
        return Filterbank(weights.div_(weights.sum(2, keepdim=True)), distances)

    def differentiate(self, raw: Tensor, banks: Filterbanks, dy: Tensor, dx: Tensor, dlog_gamma: Tensor) -> Tensor:
        """Return dL/d(raw) [B, 2, 5] from dL/dF_Y [B, N, H], dL/dF_X [B, N, W] and dL/dlog gamma [B, 2]."""
        gradient = torch.empty_like(raw)
        means_y, squares_y = self._to_means(banks.y, banks.inverse, dy)
        means_x, squares_x = self._to_means(banks.x, banks.inverse, dx)
        to_window = self.rows.t()
        gradient[:, :, Y] = (means_y @ to_window).mul_((self.height + 1) / 2)
        gradient[:, :, X] = (means_x @ to_window).mul_((self.width + 1) / 2)
        gradient[:, :, 2] = (squares_y.add_(squares_x) @ to_window).mul_(0.5)
        gradient[:, :, 3] = (means_y.add_(means_x) @ self.offsets.t()).mul_(banks.scales[:, :, STRIDE])
        gradient[:, :, 4] = dlog_gamma
        return gradient.mul_(raw.abs() <= self.limits)

    @staticmethod
    def _to_means(bank: Filterbank, inverse: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return dL/dmean and sigma dL/dsigma of every filter [B, N].

        The derivatives of a filter's logit -d^2 / 2 are d / sigma and d^2.
        """
        of_logits = gradient * bank.filters
        of_logits.addcmul_(bank.filters, of_logits.sum(2, keepdim=True), value=-1).mul_(bank.distances)
        return of_logits.sum(2).mul_(inverse), of_logits.mul_(bank.distances).sum(2)
