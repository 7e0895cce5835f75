"""RAM's hybrid loss (Mnih et al. 2014, section 3.2): who learns from what.

- classification: cross-entropy of the last belief; trains the classifier, the core and the glimpse network;
- reinforce: -log pi(l_t) (R - b_t) over the locations that the policy chose (equation 1 with its baseline);
  trains the location policy and its prior alone, or (`policy_reads` state) all that made the state it reads, too;
- baseline: (R - b_t)^2; trains the baseline alone;
- probe: cross-entropy of the beliefs before the last; trains the probe alone, which is there to be looked at.

The model detaches what the policy, the baseline and the probe read, so the four parts do not meet, unless the policy
reads a state that it trains.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from saccade.glimpse.config import Config
from saccade.glimpse.reward import rewards
from saccade.glimpse.trace import Glimpse
from saccade.pipeline.contract import Loss


def expected(baseline: Tensor, targets: Tensor) -> Tensor:
    """b_t [T, B]; of a baseline for each class [T, B, K] the true one's."""
    if baseline.ndim == 2:
        return baseline
    return baseline.gather(2, targets[None, :, None].expand(len(baseline), -1, 1)).squeeze(2)


def advantages(reward: Tensor, baseline: Tensor, rollouts: int) -> Tensor:
    """R - b_t for one rollout, or for each of M its reward less the mean reward of the other M - 1 (leave one out).

    Rollouts of an image lie `B / M` apart along the batch axis. Returns detached [T, B].
    """
    if rollouts == 1:
        return reward - baseline.detach()
    by_image = reward.view(rollouts, -1)
    others = (by_image.sum(0) - by_image) / (rollouts - 1)
    return (by_image - others).view(1, -1).expand_as(baseline)


def log_probability(trace: Glimpse, std: Tensor) -> Tensor:
    """log N(l_t; mean_t, std) of the unclamped draw, summed over x and y; 0 where the policy did not choose [T, B]."""
    distance = (trace.sample.detach() - trace.mean) / std[:, :, None]
    density = -0.5 * distance.square() - std[:, :, None].log() - 0.5 * math.log(2 * math.pi)
    return density.sum(2) * trace.chosen


def hybrid_loss(trace: Glimpse, std: Tensor, targets: Tensor, config: Config) -> Loss:
    """The sum of the terms, means over the batch; std [T, B] is the policy's, targets [B]."""
    classification = F.cross_entropy(trace.logits[-1], targets)
    terms = {"classification": classification}
    if config.glimpses > 1:
        terms["probe"] = F.cross_entropy(trace.logits[:-1].flatten(0, 1), targets.repeat(config.glimpses - 1))
    if config.attention == "hard":
        reward, baseline = rewards(trace.logits[-1], targets, config), expected(trace.baseline, targets)
        advantage = advantages(reward, baseline, config.rollouts)
        log_policy = log_probability(trace, std)
        terms["reinforce"] = -config.reinforce_weight * (log_policy * advantage).sum(0).mean()
        chosen = trace.chosen.float()
        squares = (reward - baseline).square() * chosen
        terms["baseline"] = squares.sum() / chosen.sum().clamp(min=1)
    total = torch.stack(list(terms.values())).sum()
    return Loss(total, {name: term.detach() for name, term in terms.items()})
