"""RAM's hybrid loss (Mnih et al. 2014, section 3.2): its terms, and the parameters that each of them trains.

- classification: cross-entropy of the last belief; trains the classifier, the core and the glimpse network;
- reinforce: -log pi(l_t) (R - b_t) over the locations that the policy chose (equation 1 with its baseline);
  trains only the location policy and its prior, or with policy_reads = "state" also the core and the glimpse network;
- baseline: (R - b_t)^2; trains only the baseline;
- probe: cross-entropy of the beliefs before the last; trains only the probe, which serves pictures and metrics.

The model detaches the inputs of policy, baseline and probe, so the four terms train separate parameters; only with
policy_reads = "state" it does not detach the policy's.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.gaze.reinforce import log_density
from saccade.glimpse.config import Config
from saccade.glimpse.reward import rewards
from saccade.glimpse.trace import Glimpse
from saccade.pipeline.contract import Loss
from saccade.recurrent.reinforce import advantages


def expected(
    baseline: Float[Tensor, "T B"] | Float[Tensor, "T B K"], targets: Int64[Tensor, " B"]
) -> Float[Tensor, "T B"]:
    """Return b_t; of a baseline for each class, the true class's."""
    if baseline.ndim == 2:
        return baseline
    return baseline.gather(2, targets[None, :, None].expand(len(baseline), -1, 1)).squeeze(2)


def log_probability(trace: Glimpse, std: Float[Tensor, "T B"]) -> Float[Tensor, "T B"]:
    """Return log N(l_t; mean_t, std) of the unclamped sample, over x and y; 0 where the policy did not choose."""
    return log_density(trace.sample, trace.mean, std, trace.chosen)


def hybrid_loss(trace: Glimpse, std: Float[Tensor, "T B"], targets: Int64[Tensor, " B"], config: Config) -> Loss:
    """Return the sum of the terms, each a mean over the batch; std is the location policy's."""
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
