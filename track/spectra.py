"""Operations on spectra that every step takes, each with a derivative written by hand: a third of a step's time.

Autograd would conjugate, copy and add tensors of the size of the features several times more often.
"""

# torch declares an autograd function's backward with *args:
# pyright: reportIncompatibleMethodOverride=false

from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def sum_products(one: Tensor, other: Tensor) -> Tensor:
    """Return (one * other).sum(1) without the product: a channel at a time."""
    total = one[:, 0] * other[:, 0]
    for channel in range(1, one.shape[1]):
        total.addcmul_(one[:, channel], other[:, channel])
    return total


class _Transform(torch.autograd.Function):
    """The two-dimensional transform of real images; its derivative is an inverse one of real images too."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return torch.fft.rfft2(images, norm="ortho")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        count = gradient.shape[-2]
        halves = gradient.clone()
        halves[..., 1 : (count + 1) // 2] *= 0.5  # the columns that stand for two
        return torch.fft.irfft2(halves, s=(count, count), norm="ortho")


def transform(images: Float[Tensor, "B F N N"]) -> Complex[Tensor, "B F N M"]:
    """Return the orthonormal Fourier transform of square real images, without the half that follows from the other."""
    return _Transform.apply(images)  # type: ignore[return-value]


class _Power(torch.autograd.Function):
    """The sum over channels of the squared magnitude."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        parts = torch.view_as_real(features)
        return sum_products(parts, parts).sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        return features * (2 * gradient)[:, None]


def power_of(features: Complex[Tensor, "B F N M"]) -> Float[Tensor, "B N M"]:
    """Return sum_k conj(X^k) X^k."""
    return _Power.apply(features)  # type: ignore[return-value]


class Match(torch.autograd.Function):
    """From Z and K conjugated numerators, complex [B, F, N, M], to sum_l conj(H^l) Z^l [B, K, N, M]."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, *numerators: Tensor) -> Tensor:
        ctx.save_for_backward(features, *numerators)
        return torch.stack([sum_products(numerator, features) for numerator in numerators], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        features, *numerators = ctx.saved_tensors
        felt = gradient.conj().resolve_conj()[:, :, None].unbind(1)  # of each filter [B, 1, N, M]
        of_features = numerators[0] * felt[0]
        for numerator, each in zip(numerators[1:], felt[1:], strict=True):
            of_features.addcmul_(numerator, each)
        conjugate = features.conj().resolve_conj()
        return (of_features.conj(), *(conjugate * each for each in gradient[:, :, None].unbind(1)))


class Average(torch.autograd.Function):
    """old A + Y conj(Z), for A and Z [B, F, N, M], `old` real [B, 1, 1], and Y [B, N, M]."""

    @staticmethod
    def forward(ctx: Any, running: Tensor, features: Tensor, old: Tensor, wanted: Tensor) -> Tensor:
        ctx.save_for_backward(running, features, old, wanted)
        return (running * old[:, None]).addcmul_(wanted[:, None], features.conj())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        running, features, old, wanted = ctx.saved_tensors
        flat = [torch.view_as_real(leaf.resolve_conj()).flatten(1) for leaf in (running, gradient)]
        of_old = torch.bmm(flat[0][:, None], flat[1][:, :, None])
        of_features = gradient * wanted.conj()[:, None]
        return gradient * old[:, None], of_features.conj(), of_old, sum_products(gradient, features)
