"""What a belief earns.

In the log-odds log p / (1 - p) a sure answer still earns more by being surer, so that every image tells which gaze is
the better one; in log p only those images do whose class is in doubt.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from saccade.glimpse.config import Config


def rewards_by_class(logits: Tensor, config: Config) -> Tensor:
    """R of a belief [..., K] for every class that could be the true one: detached [..., K]."""
    log_p = F.log_softmax(logits.detach(), dim=-1)
    if config.reward == "correct":
        return (log_p == log_p.amax(-1, keepdim=True)).float()
    if config.reward == "log-odds":
        log_p = log_p - torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))  # log p - log (1 - p)
        log_p = log_p.clamp(max=config.reward_ceiling)
    return log_p.clamp(min=config.reward_floor)


def rewards(logits: Tensor, targets: Tensor, config: Config) -> Tensor:
    """R of every rollout from a belief [B, K]: detached [B]."""
    return rewards_by_class(logits, config).gather(1, targets[:, None]).squeeze(1)
