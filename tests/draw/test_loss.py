"""The bound: its parts against torch, its value on a model small enough to sum over everything, its estimates."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from draw.config import Config
from draw.loss import bound, divergence, importance_weighted, log_logistic, log_weight, reconstruction
from draw.model import Step

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


def test_a_weights_mean_is_minus_the_bound() -> None:
    generator = torch.Generator().manual_seed(3)
    mu, log_sigma = (0.3 * torch.randn(2, 1, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    count = 100_000
    noise = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    drawn = step(torch.zeros(2, count, 1, 1, 2), mu.expand(-1, count, -1), log_sigma.expand(-1, count, -1))
    images = torch.ones(count, 1, 1, 2)
    found = -log_weight(drawn, noise, images, CONFIG).mean().item()
    assert found == pytest.approx(bound(drawn, images, CONFIG).total.item(), abs=0.02)
