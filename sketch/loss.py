"""The objective of sketch-rnn (Ha & Eck 2017, section 3.3, equations 9 to 12), and the bound without its weights.

Departure: the paper's L_p also has the pen's terms at the steps after a drawing's end, up to N_max, where the network
is to repeat "ended". These are left out (they fall to 0 within a few hundred steps): the last term is the end itself.
So a drawing in a padded batch has the loss that it has alone.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.pipeline.contract import Loss
from saccade.recurrent.sequence import mask
from saccade.sketch.config import Config
from saccade.sketch.mixture import END, log_density, log_pen, mixture
from saccade.sketch.model import Step


class Targets(NamedTuple):
    """Truth of each drawing, and what its loss needs beside."""

    offsets: Float[Tensor, "B T 2"]
    pen: Int64[Tensor, "B T"]
    """The pen's state after each move; `END` once, after the last move."""
    lengths: Int64[Tensor, " B"]
    """Steps of each drawing: its moves and its end."""
    measured_from: Int64[Tensor, " B"]
    """First step that counts."""
    eta: Float[Tensor, " B"]
    """Share of the KL term, eta_step."""
    longest: Int64[Tensor, " B"]
    """N_max."""
    labels: Int64[Tensor, " B"]


class Nats(NamedTuple):
    """-log-likelihoods of each drawing, nats."""

    offsets: Float[Tensor, " B"]
    pen: Float[Tensor, " B"]


def nats(step: Step, targets: Targets) -> Nats:
    """Return -log p of each drawing's offsets and of its pen's states, the sums in equations 9."""
    running = mask(targets.lengths, len(step.y))  # [T, B]
    running = running & (torch.arange(len(step.y), device=running.device)[:, None] >= targets.measured_from)
    rows = running.flatten().nonzero().squeeze(1)
    found = mixture(step.y.flatten(0, 1).index_select(0, rows))  # [N, 6 M + 3]: no time is spent on the padding
    state = targets.pen.t().flatten()[rows]
    of_pen = -log_pen(found, state)
    of_offset = -log_density(found, targets.offsets.transpose(0, 1).flatten(0, 1)[rows])
    of_offset = torch.where(state == END, torch.zeros_like(of_offset), of_offset)  # no offset comes with the end
    drawing = rows % running.shape[1]
    zeros = of_pen.new_zeros(len(targets.lengths))
    return Nats(zeros.index_add(0, drawing, of_offset), zeros.index_add(0, drawing, of_pen))


def divergence(mu: Float[Tensor, "B Z"], log_variance: Float[Tensor, "B Z"]) -> Float[Tensor, " B"]:
    """Return KL(q(z | S) || N(0, I)) of each drawing, nats: N_z times equation 10."""
    return -0.5 * (1 + log_variance - mu.square() - log_variance.exp()).sum(1)


def objective(step: Step, targets: Targets, config: Config) -> Loss:
    """Return the training loss, equation 12, averaged over the batch."""
    wrong, kl = nats(step, targets), divergence(step.mu[0], step.log_variance[0])
    reconstruction = ((wrong.offsets + wrong.pen) / targets.longest).mean()  # (9) L_R = L_s + L_p
    terms = {"reconstruction": reconstruction.detach()}
    if not config.latent:
        return Loss(reconstruction, terms)
    l_kl = kl.mean() / config.latent  # (10)
    weight = config.kl_weight * targets.eta.mean()
    total = reconstruction + weight * l_kl.clamp(min=config.kl_floor)  # (11), (12)
    return Loss(total, terms | {"kl": l_kl.detach()})


def annealed(config: Config, progress: float) -> float:
    """Return eta_step = 1 - (1 - eta_min) R^step, R chosen so that R^steps = kl_end at the end of training."""
    return 1 - (1 - config.kl_start) * config.kl_end**progress
