"""REINFORCE for a gaze: the log-probability of its locations, and rewards."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def log_density(
    sample: Float[Tensor, "T B 2"], mean: Float[Tensor, "T B 2"], std: Float[Tensor, "T B"], chosen: Bool[Tensor, "T B"]
) -> Float[Tensor, "T B"]:
    """Return log N(l_t; mean_t, std) of the unclamped sample, over x and y; 0 where the policy did not choose."""
    distance = (sample.detach() - mean) / std[:, :, None]
    density = -0.5 * distance.square() - std[:, :, None].log() - 0.5 * math.log(2 * math.pi)
    return density.sum(2) * chosen


def log_odds(log_p: Float[Tensor, "*batch"], floor: float, ceiling: float) -> Float[Tensor, "*batch"]:
    """Return log p / (1 - p), nats, within [floor, ceiling]: it rises even when an answer is almost certain."""
    odds = log_p - torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))
    return odds.clamp(floor, ceiling)
