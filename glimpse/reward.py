"""The reward R of a belief.

The log-odds log p / (1 - p) of the true class still rise when an answer is almost certain, so every image shows which
gaze is better. The log-probability log p shows it only for images whose class is in doubt.
"""

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.gaze.reinforce import log_odds
from saccade.glimpse.config import Config


def rewards_by_class(logits: Float[Tensor, "*batch K"], config: Config) -> Float[Tensor, "*batch K"]:
    """Return R of a belief for every class that may be the true one, detached."""
    log_p = F.log_softmax(logits.detach(), dim=-1)
    if config.reward == "correct":
        return (log_p == log_p.amax(-1, keepdim=True)).float()
    if config.reward == "log-odds":
        return log_odds(log_p, config.reward_floor, config.reward_ceiling)
    return log_p.clamp(min=config.reward_floor)


def rewards(logits: Float[Tensor, "B K"], targets: Int64[Tensor, " B"], config: Config) -> Float[Tensor, " B"]:
    """Return R of every rollout from its last belief, detached."""
    return rewards_by_class(logits, config).gather(1, targets[:, None]).squeeze(1)
