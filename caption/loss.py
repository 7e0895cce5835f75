"""The loss of Show, Attend and Tell (Xu et al. 2015): its terms, each a sum over the captions by the number of words.

- words: -log p(y_t), with label smoothing;
- doubly: lambda sum_i (1 - sum_t alpha_ti)^2, equation 14;
- reinforce, baseline, entropy (hard attention, equation 12): -lambda_r log alpha(s_t) (R_t - b_t), 0.01 (R_t - b_t)^2,
  and -lambda_e H[s_t]. R_t is the log-probability of the words from t on, which is what the place s_t can change, each
  discounted by its distance; the estimator is RAM's.

Of captions that the network drew itself (`objective = "bleu"`; self-critical sequence training, Rennie et al. 2017) the
loss has one term, words: -(R - b) log p(y_t), where R is the caption's BLEU among people's, and b the mean of the other
captions of the picture.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.caption.config import Config
from saccade.caption.trace import Told
from saccade.pipeline.contract import Loss
from saccade.recurrent.reinforce import advantages, leave_one_out
from saccade.recurrent.sequence import Lengths, clear_padding, mask
from saccade.words.reward import sentence_bleu
from saccade.words.symbols import PAD

BASELINE = 0.01
"""Weight of the baseline's loss: squares of nats, whose gradient would else be most of what `clip` measures."""


def rewards(log_probability: Float[Tensor, "T R"], discount: float = 1.0) -> Float[Tensor, "T R"]:
    """Return R_t, detached: the log-probabilities of the words from t on, each discounted by its distance."""
    found, after = [], torch.zeros_like(log_probability[0])
    for now in log_probability.detach().flip(0):
        after = now + discount * after
        found.append(after)
    return torch.stack(found[::-1])


def drawn_bleu(told: Told, references: Int64[Tensor, "B C U"]) -> Float[Tensor, " R"]:
    """Return the BLEU of each caption that the network drew, in [0, 1]."""
    rollouts = told.word.shape[1] // len(references)
    return sentence_bleu(told.word.t(), references.repeat(rollouts, 1, 1))


def drawn_loss(told: Told, references: Int64[Tensor, "B C U"]) -> Loss:
    """Return the loss of captions that the network drew; those of B pictures lie B apart."""
    advantage = leave_one_out(drawn_bleu(told, references), told.word.shape[1] // len(references))
    total = (advantage * told.cost).sum() / (told.word != PAD).sum()
    return Loss(total, {"words": total.detach()})


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
        look, reward = told.look, rewards(told.log_probability, config.discount)
        if lengths is not None:
            look = clear_padding(look, mask(lengths, len(reward)))
        advantage = advantages(reward, look.expected, 1)
        scale = config.reinforce_weight / words
        terms["reinforce"] = -scale * (look.log_probability * advantage).sum()
        terms["baseline"] = BASELINE * (reward - look.expected).square().sum() / words
        terms["entropy"] = -config.entropy_weight * look.entropy.sum() / words
    total = torch.stack(list(terms.values())).sum()
    return Loss(total, {name: term.detach() for name, term in terms.items()})
