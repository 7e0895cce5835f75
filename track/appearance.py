"""The target's appearance: correlation filters on learned features, in closed form, in the Fourier domain.

A filter is the ridge regression from the features X^1 ... X^F of a window to a map Y that is 1 at the target and falls
off around it (Bolme et al. 2010, equations 4 to 6; for many channels Danelljan et al. 2014, equations 3 to 5):

    H^l = conj(Y) X^l / (sum_k conj(X^k) X^k + lambda),      response = F^-1 { sum_l conj(H^l) Z^l }

for the features Z of another window. Since it is differentiable, the features are learned through it (Valmadre et al.
2017). A filter is kept as numerator and denominator, so that it can be averaged over time.
"""

from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.track.spectra import Average, Match, power_of, transform

LABEL_WIDTH = 1.2
"""Standard deviation of Y, in filters of the window."""


class Appearance(NamedTuple):
    """Numerator, conjugated, and denominator of a correlation filter."""

    numerator: Complex[Tensor, "B F N M"]
    """Y conj(X^l)."""
    power: Float[Tensor, "B N M"]
    """sum_k conj(X^k) X^k."""


class Features(nn.Module):
    """Two convolutions on a window, a taper towards its edge, and a Fourier transform."""

    taper: Tensor

    def __init__(self, count: int, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 5, padding=2)
        self.second = nn.Conv2d(16, features, 3, padding=1)
        hann = torch.hann_window(count + 2, periodic=False)[1:-1]
        self.register_buffer("taper", hann[:, None] * hann, persistent=False)

    def forward(self, patch: Float[Tensor, "B C N N"]) -> Complex[Tensor, "B F N M"]:
        """Return the features of windows, transformed.

        A patch is taken less its mean, in units of its deviation: brightness and contrast of the video do not matter.
        """
        colour = patch.expand(-1, 3, -1, -1) if patch.shape[1] == 1 else patch
        mean = colour.mean((1, 2, 3), keepdim=True)
        deviation = (colour - mean).square().mean((1, 2, 3), keepdim=True).add(1e-4).sqrt()
        seen = torch.relu(self.first((colour - mean) / deviation))
        features = self.second(seen).to(patch.dtype)  # in float32 again under bf16
        features = F.layer_norm(features.permute(0, 2, 3, 1), features.shape[1:2]).permute(0, 3, 1, 2)
        return transform(features * self.taper)


def label(peak: Float[Tensor, "B 2"], count: int) -> Complex[Tensor, "B N M"]:
    """Return Y, transformed: a Gaussian bump at (x, y), in filters from the first one on."""
    cells = torch.arange(count, device=peak.device, dtype=peak.dtype)
    bumps = torch.exp(-0.5 * ((cells - peak[:, :, None]) / LABEL_WIDTH) ** 2)  # [B, 2, N]
    return torch.fft.rfft2(bumps[:, 1, :, None] * bumps[:, 0, None, :], norm="ortho")


def learn(features: Complex[Tensor, "B F N M"], peak: Float[Tensor, "B 2"]) -> Appearance:
    """Return the filter of a target at (x, y) of a window, in filters from the first one on."""
    wanted = label(peak, features.shape[2])
    return Appearance(wanted[:, None] * features.conj(), power_of(features))


def average(
    running: Appearance, features: Complex[Tensor, "B F N M"], peak: Float[Tensor, "B 2"], weight: Float[Tensor, " B"]
) -> Appearance:
    """Return (1 - weight) times a running filter, plus weight times the filter of a target at (x, y) of a window."""
    new, old = weight[:, None, None], (1 - weight)[:, None, None]
    wanted = label(peak, features.shape[2]) * new
    numerator = Average.apply(running.numerator, features, old, wanted)
    return Appearance(numerator, old * running.power + new * power_of(features))  # type: ignore[arg-type]


def match(features: Complex[Tensor, "B F N M"], *numerators: Complex[Tensor, "B F N M"]) -> Complex[Tensor, "B K N M"]:
    """Return sum_l conj(H^l) Z^l, without the denominator, for the numerators of K filters."""
    return Match.apply(features, *numerators)  # type: ignore[return-value]


def respond(
    matched: Complex[Tensor, "B K N M"], power: Float[Tensor, "B K N M"], ridge: Float[Tensor, ""]
) -> Float[Tensor, "B K N N"]:
    """Return how much each place of a window looks like the target to each of K filters: near 1 where it is."""
    count = matched.shape[2]
    return torch.fft.irfft2(matched / (power + ridge), s=(count, count), norm="ortho")
