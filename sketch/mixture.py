"""The decoder's output distribution (Ha & Eck 2017, section 3.2, equations 3 to 8).

A mixture of M bivariate Gaussians for the next offset, and three probabilities for the pen's state after it. All is
computed from logits and bounded logarithms, so that no parameter value gives NaN or infinity.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

LOG_SIGMA = (-6.0, 6.0)
"""Bounds of log sigma. Offsets have standard deviation 1; without a floor, offsets that recur exactly would be worth
infinitely many nats."""

FARTHEST = 1e4
"""Bound of the means: with the bounds below, a squared distance stays finite."""

LARGEST_ATANH_RHO = 4.0
"""Bound of |atanh rho|: |rho| stays below 0.9994."""

SIX = 6
"""Numbers for each Gaussian: logit of its weight, two means, two log sigmas, atanh rho."""

DOWN, LIFTED, END = 0, 1, 2
"""States of the pen after a move, the paper's p1, p2, p3."""


class Mixture(NamedTuple):
    """The distribution of the next move."""

    logits: Float[Tensor, "*axes M"]
    """Log-weights of the Gaussians, up to a constant."""
    mu: Float[Tensor, "*axes M 2"]
    log_sigma: Float[Tensor, "*axes M 2"]
    atanh_rho: Float[Tensor, "*axes M"]
    pen: Float[Tensor, "*axes 3"]
    """Logits of the pen's states."""


def outputs_for(mixtures: int) -> int:
    """Return the width of the decoder's output, 6 M + 3."""
    return SIX * mixtures + 3


def mixture(y: Float[Tensor, "*axes O"]) -> Mixture:
    """Split the decoder's output y = W_y h + b_y into parameters (equations 3, 5 and 6; logs in place of exp, tanh)."""
    pen, rest = y[..., :3], y[..., 3:].unflatten(-1, (SIX, -1))
    logits, mu_x, mu_y, log_x, log_y, atanh_rho = rest.unbind(-2)
    mu = torch.stack([mu_x, mu_y], dim=-1).clamp(-FARTHEST, FARTHEST)
    log_sigma = torch.stack([log_x, log_y], dim=-1).clamp(*LOG_SIGMA)
    bounded = atanh_rho.clamp(-LARGEST_ATANH_RHO, LARGEST_ATANH_RHO)
    return Mixture(logits, mu, log_sigma, bounded, pen)


def log_density(found: Mixture, offset: Float[Tensor, "*axes 2"]) -> Float[Tensor, "*axes"]:
    """Return log p(dx, dy), equation 3, in nats for the offsets' unit of length."""
    log_weights = torch.log_softmax(found.logits, dim=-1)
    z = (offset.unsqueeze(-2) - found.mu) * torch.exp(-found.log_sigma)  # [..., M, 2]
    zx, zy = z.unbind(-1)
    rho = torch.tanh(found.atanh_rho)
    log_one_minus_rho2 = -2 * log_cosh(found.atanh_rho)
    quadratic = (zx.square() + zy.square() - 2 * rho * zx * zy) * torch.exp(-log_one_minus_rho2)
    log_normal = -math.log(2 * math.pi) - found.log_sigma.sum(-1) - 0.5 * (log_one_minus_rho2 + quadratic)
    return torch.logsumexp(log_weights + log_normal, dim=-1)


def log_cosh(x: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
    """Return log cosh x without overflow; 1 - tanh(x)^2 = 1 / cosh(x)^2."""
    return x.abs() + torch.log1p(torch.exp(-2 * x.abs())) - math.log(2)


def log_pen(found: Mixture, state: Int64[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
    """Return log q_k of the pen's state, equation 4."""
    return torch.log_softmax(found.pen, dim=-1).gather(-1, state.unsqueeze(-1)).squeeze(-1)


def draw(
    found: Mixture, noise: Float[Tensor, "*axes 4"], temperature: Float[Tensor, "*axes"] | float
) -> tuple[Float[Tensor, "*axes 2"], Int64[Tensor, "*axes"]]:
    """Draw a move at a temperature, equation 8; return the offset and the pen's state.

    Args:
        noise: two numbers uniform in [0, 1), for the Gaussian and the pen, and two normal ones for the offset.
        temperature: logits are divided by it and variances multiplied by it; small: the likeliest move.
    """
    heat = torch.as_tensor(temperature).to(found.logits).unsqueeze(-1)
    chosen = pick(found.logits / heat, noise[..., 0])
    state = pick(found.pen / heat, noise[..., 1])
    index = chosen[..., None, None].expand(*chosen.shape, 1, 2)
    mu, log_sigma = (part.gather(-2, index).squeeze(-2) for part in (found.mu, found.log_sigma))
    rho = torch.tanh(found.atanh_rho.gather(-1, chosen.unsqueeze(-1)).squeeze(-1))
    nx, ny = noise[..., 2], noise[..., 3]
    correlated = torch.stack([nx, rho * nx + torch.sqrt(1 - rho.square()) * ny], dim=-1)
    return mu + heat.sqrt() * log_sigma.exp() * correlated, state


def pick(logits: Float[Tensor, "*axes K"], uniform: Float[Tensor, "*axes"]) -> Int64[Tensor, "*axes"]:
    """Return the category at which the cumulative probability passes a number in [0, 1)."""
    passed = torch.softmax(logits, dim=-1).cumsum(-1) <= uniform.unsqueeze(-1)
    return passed.sum(-1).clamp(max=logits.shape[-1] - 1)


def density_on(found: Mixture, x: Float[Tensor, " W"], y: Float[Tensor, " H"]) -> Float[Tensor, "H W"]:
    """Return p(dx, dy) of one mixture on a grid of offsets."""
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    wide = Mixture(*(part.expand(*grid.shape[:2], *part.shape) for part in found))
    return log_density(wide, grid).exp()
