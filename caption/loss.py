"""The loss of Show, Attend and Tell (Xu et al. 2015): its terms, each a sum over the captions by the number of words.

- words: -log p(y_t), with label smoothing;
- doubly: lambda sum_i (1 - sum_t alpha_ti)^2, equation 14;
- reinforce, baseline, entropy (hard attention, equation 12): -lambda_r log alpha(s_t) (R_t - b_t), (R_t - b_t)^2, and
  -lambda_e H[s_t]. R_t is the log-probability of the words from t on, which is what the place s_t can change; the
  estimator is RAM's.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from saccade.caption.config import Config
from saccade.caption.trace import Told
from saccade.pipeline.contract import Loss
from saccade.recurrent.reinforce import advantages
from saccade.recurrent.sequence import Lengths, clear_padding, mask


def rewards(log_probability: Float[Tensor, "T R"]) -> Float[Tensor, "T R"]:
    """Return R_t: the log-probability of the words from t on, detached."""
    return log_probability.detach().flip(0).cumsum(0).flip(0)


def loss_of(told: Told, words: Tensor, lengths: Lengths, config: Config) -> Loss:
    """Return the sum of the terms.

    Args:
        told: outputs of the unroll.
        words: number of words, END included.
        lengths: of the captions.
    """
    terms = {"words": told.cost.sum() / words}
    if config.doubly and config.attention != "none":
        left = 1 - told.weights.sum(0)  # [R, L]
        terms["doubly"] = config.doubly * left.square().sum() / words
    if told.look is not None:
        look, reward = told.look, rewards(told.log_probability)
        if lengths is not None:
            look = clear_padding(look, mask(lengths, len(reward)))
        advantage = advantages(reward, look.expected, 1)
        scale = config.reinforce_weight / words
        terms["reinforce"] = -scale * (look.log_probability * advantage).sum()
        terms["baseline"] = (reward - look.expected).square().sum() / words
        terms["entropy"] = -config.entropy_weight * look.entropy.sum() / words
    total = torch.stack(list(terms.values())).sum()
    return Loss(total, {name: term.detach() for name, term in terms.items()})
