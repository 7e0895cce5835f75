"""REINFORCE (Williams 1992): the advantage of a sampled action, the weight of its log-probability in the loss."""

from jaxtyping import Float
from torch import Tensor


def advantages(
    reward: Float[Tensor, " B"] | Float[Tensor, "T B"], baseline: Float[Tensor, "T B"], rollouts: int
) -> Float[Tensor, "T B"]:
    """Return R - b, detached: b is b_t, or with M rollouts the mean reward of the other M - 1.

    Args:
        reward: of the whole episode, or of what follows each action.
        baseline: b_t, the expected reward.
        rollouts: M.
    """
    if rollouts == 1:
        return (reward - baseline).detach()
    return leave_one_out(reward.detach(), rollouts).expand_as(baseline)


def leave_one_out(reward: Float[Tensor, "*steps B"], rollouts: int) -> Float[Tensor, "*steps B"]:
    """Return R minus the mean reward of the other M - 1 rollouts of the example, which lie `B / M` apart."""
    by_example = reward.reshape(*reward.shape[:-1], rollouts, -1)
    others = (by_example.sum(-2, keepdim=True) - by_example) / (rollouts - 1)
    return (by_example - others).flatten(-2)
