"""REINFORCE (Williams 1992) for a gaze: the log-probability of its locations, rewards, and advantages."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def advantages(reward: Float[Tensor, " B"], baseline: Float[Tensor, "T B"], rollouts: int) -> Float[Tensor, "T B"]:
    """Return R - b, detached: b is b_t, or with M rollouts the mean reward of the other M - 1.

    Rollouts of an image lie `B / M` apart along the batch axis.
    """
    if rollouts == 1:
        return reward - baseline.detach()
    return leave_one_out(reward, rollouts).view(1, -1).expand_as(baseline)


def leave_one_out(reward: Float[Tensor, "*steps B"], rollouts: int) -> Float[Tensor, "*steps B"]:
    """Return R minus the mean reward of the other M - 1 rollouts of the image, which lie `B / M` apart."""
    by_image = reward.unflatten(-1, (rollouts, -1))
    others = (by_image.sum(-2, keepdim=True) - by_image) / (rollouts - 1)
    return (by_image - others).flatten(-2)


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
