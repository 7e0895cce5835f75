"""DRAW's objective (Gregor et al. 2015, equations 9 to 13), and the importance-weighted estimate, in nats per image.

The bound is -log D(x | c_T) + sum over t of KL(Q(z_t | h_enc) || N(0, I)), for one sample of z.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from saccade.draw.config import Config
from saccade.draw.model import Step
from saccade.pipeline.contract import Loss

GREY_STEP = 1 / 255
"""Distance between two grey levels in [0, 1]."""


def reconstruction(
    canvas: Float[Tensor, "B C H W"], log_scale: Float[Tensor, "B C"], images: Float[Tensor, "B C H W"], config: Config
) -> Float[Tensor, " B"]:
    """Return -log D(x | c_T), equation 9, from the canvas' logits."""
    return pixel_nats(canvas, log_scale, images, config).flatten(1).sum(1)


def pixel_nats(
    canvas: Float[Tensor, "B C H W"], log_scale: Float[Tensor, "B C"], images: Float[Tensor, "B C H W"], config: Config
) -> Float[Tensor, "B C H W"]:
    """Return the terms of `reconstruction`, one for each pixel and channel."""
    canvas = canvas.float() if canvas.dtype == torch.bfloat16 else canvas
    if config.likelihood == "bernoulli":
        return F.binary_cross_entropy_with_logits(canvas, images, reduction="none")
    return -log_logistic(images, torch.sigmoid(canvas), log_scale[:, :, None, None])


def log_logistic(
    x: Float[Tensor, "..."], mean: Float[Tensor, "..."], log_scale: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return the log-probability of grey levels x (multiples of 1/255 in [0, 1]) under a discretised logistic.

    Level k of the 256 has the mass of [k - 1/2, k + 1/2] / 255; the first and the last also have the tails, so that the
    probabilities sum to 1. log(sigmoid(b) - sigmoid(a)) = b - softplus(a) - softplus(b) + log(1 - exp(a - b)).
    """
    inverse = torch.exp(-log_scale.clamp(-7, 7))
    low, high = (x - GREY_STEP / 2 - mean) * inverse, (x + GREY_STEP / 2 - mean) * inverse
    inside = high - F.softplus(low) - F.softplus(high) + torch.log(-torch.expm1(low - high))
    edges = torch.where(x < GREY_STEP / 2, F.logsigmoid(high), F.logsigmoid(-low))
    return torch.where((x < GREY_STEP / 2) | (x > 1 - GREY_STEP / 2), edges, inside)


def divergence(mu: Float[Tensor, "*axes Z"], log_sigma: Float[Tensor, "*axes Z"]) -> Float[Tensor, "*axes"]:
    """Return KL(N(mu, sigma^2) || N(0, I)), summed over the latents; every latent has its constant -1/2.

    Equations 10 and 11 without the sum over t (the paper's -T/2 is for a latent of one dimension).
    """
    return 0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum(-1)


def log_weight(
    step: Step, noise: Float[Tensor, "T B Z"], images: Float[Tensor, "B C H W"], config: Config
) -> Float[Tensor, " B"]:
    """Return log p(x, z) - log q(z | x) of the sample z = mu + sigma noise; its mean is minus the bound."""
    z = step.mu + step.log_sigma.exp() * noise
    log_prior_minus_posterior = 0.5 * (noise.square() - z.square()) + step.log_sigma
    likelihood = -reconstruction(step.canvas[-1], step.log_scale[-1], images, config)
    return likelihood + log_prior_minus_posterior.sum((0, 2))


def importance_weighted(log_weights: Float[Tensor, "K B ..."]) -> Float[Tensor, "B ..."]:
    """Return -log of the mean weight over K samples (Burda et al. 2016, equation 8); its expectation falls with K."""
    return math.log(len(log_weights)) - torch.logsumexp(log_weights, dim=0)


def bound(step: Step, images: Float[Tensor, "B C H W"], config: Config) -> Loss:
    """Return the bound, equation 12, averaged over the batch."""
    wrong = reconstruction(step.canvas[-1], step.log_scale[-1], images, config).mean()
    kl = divergence(step.mu, step.log_sigma).sum(0).mean()
    return Loss(wrong + kl, {"reconstruction": wrong.detach(), "kl": kl.detach()})
