"""Learned stopping: a halting probability after each object, and a price for every glimpse.

After object s = 1 .. S the network halts with probability p_s, or goes on; after the last it halts in any case. Reading
s objects of an image that has n earns the rewards of the first min(s, n), the lowest reward for each of the n - s that
are missed, and costs the price of all glimpses. Stopping changes nothing of what is seen, so that the expectation is a
sum of S terms, and its gradient can be exact; REINFORCE estimates the same from the sampled stop.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor


def stop_log_probabilities(halting: Float[Tensor, "S B"]) -> Float[Tensor, "S B"]:
    """Return log P(stop after object s) for s = 1 .. S, from the logits of the halting probabilities."""
    goes_on = F.logsigmoid(-halting)  # log (1 - p_s)
    reached = torch.cat([torch.zeros_like(goes_on[:1]), goes_on[:-1].cumsum(0)])
    halts = torch.cat([F.logsigmoid(halting[:-1]), torch.zeros_like(halting[:1])])  # the last one halts in any case
    return reached + halts


def returns_of_stops(
    rewards: Float[Tensor, "S B"], count: Int64[Tensor, " B"], floor: float, price: float
) -> Float[Tensor, "S B"]:
    """Return what stopping after object s earns, for s = 1 .. S.

    Args:
        rewards: of each object's answer; those beyond an example's count do not matter.
        count: number of objects of each example.
        floor: reward of an object that is missed.
        price: of one object's glimpses.
    """
    number = torch.arange(1, len(rewards) + 1, device=rewards.device)[:, None]
    earned = rewards.masked_fill(number > count, 0).cumsum(0)
    missed = (count - number).clamp(min=0)
    return earned + floor * missed - price * number


def exact_objective(halting: Float[Tensor, "S B"], returns: Float[Tensor, "S B"]) -> Float[Tensor, " B"]:
    """Return the expected return, sum_s P(stop after s) R(s): its gradient is exact."""
    return (stop_log_probabilities(halting).exp() * returns.detach()).sum(0)


def reinforce_objective(
    halting: Float[Tensor, "S B"], stop: Int64[Tensor, " B"], advantage: Float[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """Return log P(stop) (R(stop) - b), whose gradient is REINFORCE's estimate. `stop` counts objects from 1."""
    chosen = stop_log_probabilities(halting).gather(0, stop[None] - 1).squeeze(0)
    return chosen * advantage.detach()
