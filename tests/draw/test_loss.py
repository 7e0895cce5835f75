"""The bound: its parts against torch, its value on a model small enough to sum over everything, its estimates."""

import math
from dataclasses import replace
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from saccade.draw.config import Config
from saccade.draw.loss import bound, divergence, importance_weighted, log_logistic, log_weight, reconstruction
from saccade.draw.model import Step
from saccade.draw.system import SYSTEM
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.recurrent.unroll import unroll
from tests.images.cases import facts_of

CONFIG = Config()


def step(canvas: Tensor, mu: Tensor, log_sigma: Tensor) -> Step:
    """An output of DRAW as the loss reads it."""
    rows = torch.zeros(*canvas.shape[:2], 6)
    return Step(canvas, rows, torch.zeros(*canvas.shape[:2], canvas.shape[2]), rows, mu, log_sigma)


def test_the_divergence_is_torchs_with_every_constant() -> None:
    generator = torch.Generator().manual_seed(0)
    mu, log_sigma = (torch.randn(7, 3, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    expected = kl_divergence(Normal(mu, log_sigma.exp()), Normal(torch.zeros(()), torch.ones(()))).sum(-1)
    torch.testing.assert_close(divergence(mu, log_sigma), expected)
    assert divergence(torch.zeros(2, 4), torch.zeros(2, 4)).tolist() == [0, 0]


def test_the_reconstruction_is_the_bernoullis_and_bears_large_logits() -> None:
    generator = torch.Generator().manual_seed(0)
    canvas = torch.randn(4, 1, 3, 3, generator=generator)
    images = torch.bernoulli(torch.rand(4, 1, 3, 3, generator=generator), generator=generator)
    expected = -Bernoulli(logits=canvas).log_prob(images).flatten(1).sum(1)
    torch.testing.assert_close(reconstruction(canvas, torch.zeros(4, 1), images, CONFIG), expected)
    assert reconstruction(torch.full((1, 1, 1, 1), -100.0), torch.zeros(1, 1), torch.ones(1, 1, 1, 1), CONFIG) == 100


@pytest.mark.parametrize("log_scale", [-7.0, -4.0, -2.0, 0.0, 7.0])
@pytest.mark.parametrize("mean", [0.0, 0.3, 1.0])
def test_the_discretised_logistic_sums_to_one_over_the_grey_levels(mean: float, log_scale: float) -> None:
    levels = torch.arange(256, dtype=torch.float64) / 255
    at = torch.tensor(mean, dtype=torch.float64)
    found = log_logistic(levels, at, torch.tensor(log_scale, dtype=torch.float64))
    assert found.exp().sum().item() == pytest.approx(1, abs=1e-9)
    cumulated = torch.sigmoid((levels[100] + 0.5 / 255 - at) / math.exp(log_scale))
    cumulated -= torch.sigmoid((levels[100] - 0.5 / 255 - at) / math.exp(log_scale))
    assert found[100].exp().item() == pytest.approx(cumulated.item(), abs=1e-9)
    single = log_logistic(levels.float(), at.float(), torch.tensor(log_scale))
    assert single.isfinite().all()


class TwoPixels:
    """p(z) = N(0, 1), pixel i ~ Bernoulli(sigmoid(a_i z + b_i)): small enough to integrate z by quadrature."""

    slope = torch.tensor([2.0, -1.0], dtype=torch.float64)
    offset = torch.tensor([0.3, -0.5], dtype=torch.float64)
    mu, log_sigma = 0.3, 0.1  # of a posterior that is not the true one, and nowhere much narrower

    def canvas(self, z: Tensor) -> Tensor:
        """z [1, B, 1] to logits [1, B, 1, 1, 2]."""
        return (self.slope * z + self.offset)[:, :, None, None]

    def evidence(self, images: Tensor) -> Tensor:
        """log p(x) by enumerating z on a fine grid: [B]."""
        z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)[:, None]
        logits = self.slope * z + self.offset
        found = []
        for image in images.flatten(1):
            likelihood = -F.binary_cross_entropy_with_logits(logits, image.expand_as(logits), reduction="none").sum(1)
            joint = likelihood + Normal(0.0, 1.0).log_prob(z[:, 0])
            found.append(torch.logsumexp(joint, 0) + math.log(24 / 200_000))
        return torch.stack(found)

    def sample(self, count: int, images: Tensor) -> tuple[Step, Tensor, Tensor]:
        """`count` samples for every image, their noise [1, count * B, 1], and the images repeated."""
        rows = count * len(images)
        noise = torch.randn(1, rows, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        mu = torch.full_like(noise, self.mu)
        log_sigma = torch.full_like(noise, self.log_sigma)
        drawn = step(self.canvas(mu + log_sigma.exp() * noise), mu, log_sigma)
        return drawn, noise, images.repeat(count, 1, 1, 1)


ALL_IMAGES = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64).view(4, 1, 1, 2)


def test_two_pixels_the_probabilities_of_all_images_sum_to_one() -> None:
    assert TwoPixels().evidence(ALL_IMAGES).exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_two_pixels_the_bound_is_the_exact_expectation_and_above_the_evidence() -> None:
    model, count = TwoPixels(), 200_000
    for image in ALL_IMAGES.split(1):
        drawn, _, images = model.sample(count, image)
        found = bound(drawn, images, CONFIG).total.item()
        z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)[:, None]  # the expectation over q by enumeration
        q = Normal(model.mu, math.exp(model.log_sigma))
        logits = model.slope * z + model.offset
        wrong = F.binary_cross_entropy_with_logits(logits, image.view(1, 2).expand_as(logits), reduction="none").sum(1)
        weight = q.log_prob(z[:, 0]).exp() * (24 / 200_000)
        kl = kl_divergence(q, Normal(0.0, 1.0)).item()
        exact = (weight * wrong).sum().item() + kl
        assert found == pytest.approx(exact, abs=0.01)
        assert exact > -model.evidence(image).item()


def test_two_pixels_the_importance_weighted_estimate_falls_from_the_bound_to_the_evidence() -> None:
    model, repeats = TwoPixels(), 4000
    evidence = -model.evidence(ALL_IMAGES)
    expected = []
    for samples in (1, 5, 50):
        drawn, noise, images = model.sample(samples * repeats, ALL_IMAGES)
        weights = log_weight(drawn, noise, images, CONFIG).view(samples, repeats, 4)
        expected.append(importance_weighted(weights).mean(0))
    drawn, _, images = model.sample(repeats, ALL_IMAGES)
    torch.testing.assert_close(expected[0].mean(), bound(drawn, images, CONFIG).total, atol=0.03, rtol=0)
    assert (expected[0] > expected[1]).all() and (expected[1] > expected[2] - 1e-3).all()
    assert (expected[2] > evidence - 0.01).all()  # never below, but for the noise of the mean
    torch.testing.assert_close(expected[2], evidence, atol=0.02, rtol=0)


class DrawOfTwoPixels:
    """The shipped model with two steps of one latent each, on 1 x 2 images: z is enumerated on a grid."""

    shape = Shape(1, 1, 2, 4)

    def __init__(self, likelihood: Literal["bernoulli", "logistic"] = "bernoulli") -> None:
        self.config = Config(steps=2, hidden=6, latent=1, read=1, write=1, likelihood=likelihood)
        torch.manual_seed(0)
        self.core = SYSTEM.build(self.config, facts_of(self.shape)).double()
        with torch.no_grad():
            for parameter in self.core.parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))

    @torch.no_grad()
    def evidence(self, images: Tensor) -> Tensor:
        """log p(x) from the generator alone: [B]."""
        axis = torch.linspace(-8, 8, 321, dtype=torch.float64)
        z = torch.cartesian_prod(axis, axis).t()[:, :, None]  # [T, grid, 1]
        strokes, _ = unroll(self.core.generator, z, self.core.generator.initial_state(z.shape[1]))
        prior = Normal(0.0, 1.0).log_prob(z).sum((0, 2))
        found = []
        for image in images:
            repeated = image.expand(z.shape[1], *image.shape)
            wrong = reconstruction(strokes.canvas[-1], strokes.log_scale[-1], repeated, self.config)
            found.append(torch.logsumexp(prior - wrong, 0) + 2 * math.log(16 / 320))
        return torch.stack(found)

    @torch.no_grad()
    def measured(self, samples: int, images: Tensor) -> dict[str, Tensor]:
        """What an evaluation finds for the images, with `samples` z each."""
        config = replace(self.config, samples=samples)
        generator = torch.Generator().manual_seed(1)
        episode = SYSTEM.episode(ImageBatch(images, torch.zeros(len(images), dtype=torch.int64)), config, generator)
        inputs = episode.inputs.double()
        outputs, _ = unroll(self.core, inputs, self.core.initial_state(len(episode.targets)), episode.context)
        return SYSTEM.metrics(outputs, episode._replace(inputs=inputs), config)


def test_a_draw_of_two_pixels_gives_all_images_together_the_probability_one() -> None:
    assert DrawOfTwoPixels().evidence(ALL_IMAGES).exp().sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("likelihood", ["bernoulli", "logistic"])
def test_a_draws_estimates_fall_from_the_bound_to_the_exact_evidence(
    likelihood: Literal["bernoulli", "logistic"],
) -> None:
    model, repeats = DrawOfTwoPixels(likelihood), 400
    images = ALL_IMAGES if likelihood == "bernoulli" else torch.tensor([[0, 51], [102, 255]]).view(2, 1, 1, 2) / 255
    images = images.double()
    exact = -model.evidence(images)
    estimates = []
    for samples in (1, 10, 100):
        weights = model.measured(samples * repeats, images)["log_weights"].view(len(images), repeats, samples)
        estimates.append(importance_weighted(weights.permute(2, 0, 1)))  # [images, repeats]
    means, errors = ([part(e, 1) for e in estimates] for part in (torch.mean, lambda e, _: e.std(1) / repeats**0.5))
    for mean, error in zip(means, errors, strict=True):
        assert (mean > exact - 4 * error).all()  # an upper bound in expectation
    assert (means[0] > means[1] + errors[0]).all() and (means[1] > means[2]).all()
    torch.testing.assert_close(means[2], exact, atol=0.02, rtol=0)
    one = model.measured(1, images.repeat_interleave(20_000, 0))
    bounds = (one["reconstruction"] + one["kl"].sum(1)).view(len(images), -1)
    assert ((bounds.mean(1) - means[0]).abs() < 4 * errors[0]).all()  # the same expectation, by its parts
    assert (bounds.mean(1) > exact).all()


def test_a_weights_mean_is_minus_the_bound() -> None:
    generator = torch.Generator().manual_seed(3)
    mu, log_sigma = (0.3 * torch.randn(2, 1, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    count = 100_000
    noise = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    drawn = step(torch.zeros(2, count, 1, 1, 2), mu.expand(-1, count, -1), log_sigma.expand(-1, count, -1))
    images = torch.ones(count, 1, 1, 2)
    found = -log_weight(drawn, noise, images, CONFIG).mean().item()
    assert found == pytest.approx(bound(drawn, images, CONFIG).total.item(), abs=0.02)
