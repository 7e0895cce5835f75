"""DRAM's loss (Ba et al. 2015, sections 3.1 and 3.3): its terms, and what each of them trains.

- classification: cross-entropy of every object's answer, the end symbol included; trains all that sees;
- reinforce: -log pi(l_n) (G_n - b), where G_n is the discounted sum of the rewards of the glimpse's own object and of
  those after it; the end symbol earns none, or a fresh policy learns to look where nothing is. Trains the policy, the
  glance and, through the state, both layers;
- halting: learned stopping, see `saccade.dram.stopping`;
- outside: the square of the distance by which the policy's mean lies outside the picture, where all samples look at the
  border and REINFORCE finds no way back;
- baseline: of a single rollout, (G_n - b_n)^2.

Each is a mean over the objects of a batch.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.dram.answers import at_answers
from saccade.dram.config import Config
from saccade.dram.order import best_order
from saccade.dram.stopping import exact_objective, reinforce_objective, returns_of_stops
from saccade.dram.trace import Reading
from saccade.gaze.reinforce import log_density, log_odds
from saccade.pipeline.contract import Loss
from saccade.recurrent.reinforce import leave_one_out
from saccade.recurrent.sequence import lengths_until


def returns(rewards: Float[Tensor, "S B"], discount: float) -> Float[Tensor, "S B"]:
    """Return G_s = R_s + discount G_{s+1}."""
    found = [rewards[-1]]
    for reward in rewards[:-1].flip(0):
        found.append(reward + discount * found[-1])
    return torch.stack(found[::-1])


def counted(targets: Int64[Tensor, "B S"], config: Config, end: int) -> Int64[Tensor, "B S"]:
    """Return the targets that are answers: the end symbol is one only if the network stops by it."""
    return targets if config.stop == "end-symbol" else targets.masked_fill(targets == end, -1)


def sequence_loss(
    outputs: Reading,
    targets: Int64[Tensor, "B S"],
    count: Int64[Tensor, " B"],
    std: Float[Tensor, "T B"],
    config: Config,
) -> Loss:
    """Return the sum of the terms. `std` is the location policy's."""
    logits = at_answers(outputs.logits, config.each)  # [S, B, K1]
    answers, end = len(logits), logits.shape[2] - 1
    wanted = counted(targets, config, end)[:, :answers]
    log_p = F.log_softmax(logits, dim=2)
    if config.order == "any":
        wanted = best_order(-log_p, wanted, count)
    present = (wanted >= 0).t()  # [S, B]
    right = log_p.gather(2, wanted.t().clamp(min=0)[:, :, None]).squeeze(2).masked_fill(~present, 0)
    objects = present.sum()
    terms = {"classification": -right.sum() / objects}
    reward = log_odds(right.detach(), config.reward_floor, config.reward_ceiling).masked_fill(~present, 0)
    if config.network == "attention" and config.policy == "learned":
        seen = present & (wanted.t() != end)
        gained = returns(reward.masked_fill(~seen, 0), config.discount)
        terms |= _reinforce(outputs, gained, seen, std, config)
    if config.stop == "halting":
        terms["halting"] = _halting(outputs, reward, count, config)
    total = torch.stack(list(terms.values())).sum()
    return Loss(total, {name: term.detach() for name, term in terms.items()})


def _reinforce(outputs: Reading, gained: Tensor, present: Tensor, std: Tensor, config: Config) -> dict[str, Tensor]:
    """Return the term of the policy, and of a single rollout also that of the baseline."""
    steps = present.repeat_interleave(config.each, dim=0)  # [T, B]
    every = gained.repeat_interleave(config.each, dim=0)
    log_policy = log_density(outputs.sample, outputs.mean, std, outputs.chosen)
    advantage = leave_one_out(every, config.rollouts) if config.rollouts > 1 else every - outputs.baseline.detach()
    outside = (outputs.mean.abs() - 1).clamp(min=0).square().sum(2)
    terms = {"outside": (outside * steps * outputs.chosen).sum() / present.sum()}
    terms |= {"reinforce": -config.reinforce_weight * (log_policy * advantage * steps).sum() / present.sum()}
    if config.rollouts == 1:
        terms["baseline"] = ((every - outputs.baseline).square() * steps).sum() / steps.sum()
    return terms


def _halting(outputs: Reading, reward: Tensor, count: Tensor, config: Config) -> Tensor:
    """Return the term of learned stopping."""
    halting = at_answers(outputs.halting, config.each)
    gained = returns_of_stops(reward, count, config.reward_floor, config.glimpse_price * config.each)
    if config.halting_gradient == "exact":
        objective = exact_objective(halting, gained)
    else:
        stop = lengths_until(at_answers(outputs.stops, config.each))
        earned = gained.gather(0, stop[None] - 1).squeeze(0)
        several = config.rollouts > 1
        advantage = leave_one_out(earned, config.rollouts) if several else earned - earned.mean()
        objective = reinforce_objective(halting, stop, advantage)
    return -config.reinforce_weight * objective.mean()
