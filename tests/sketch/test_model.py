"""The paper's equations against NumPy; gradients; numbers that stay finite; drawings in a padded batch; sampling."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.tree import map_tensors
from saccade.recurrent.unroll import unroll
from saccade.sketch.config import Config
from saccade.sketch.episodes import drawing_episode
from saccade.sketch.loss import annealed, nats, objective
from saccade.sketch.mixture import (
    LARGEST_ATANH_RHO,
    LOG_SIGMA,
    density_on,
    draw,
    log_density,
    log_pen,
    mixture,
    outputs_for,
    pick,
)
from saccade.sketch.model import Given, PenInputs, Sketch
from saccade.sketch.sampling import noise_for, sample
from saccade.sketch.source import Strokes
from saccade.sketch.system import SYSTEM
from tests.sketch.drawings import batch_of

CONFIG = Config(encoder=6, decoder=7, latent=4, mixtures=3)


def built(config: Config = CONFIG, *, classes: int = 2) -> Sketch:
    torch.manual_seed(0)
    core = Sketch(config, classes)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return core.double()


def double(tree: Any) -> Any:
    return map_tensors(lambda leaf: leaf.double() if leaf.is_floating_point() else leaf, tree)


def episode_of(batch: Strokes, config: Config = CONFIG) -> Any:
    made = drawing_episode(batch, config, torch.Generator().manual_seed(1), 0.5)
    return made._replace(**{name: double(getattr(made, name)) for name in ("inputs", "context", "targets")})


def run(core: Sketch, episode: Any) -> Any:
    return unroll(core, episode.inputs, core.initial_state(episode.inputs.move.shape[1]), episode.context)[0]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(cell: Any, xs: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h after every step, for one drawing."""
    w_x, w_h, b_x, b_h = (p.detach().numpy() for p in cell.cell.parameters())
    found = []
    for x in xs:
        i, f, g, o = np.split(w_x @ x + b_x + w_h @ h + b_h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        found.append(h)
    return np.stack(found), c


def linear(layer: Any, x: np.ndarray) -> np.ndarray:
    return layer.weight.detach().numpy() @ x + layer.bias.detach().numpy()


def five(moves: np.ndarray) -> np.ndarray:
    """Section 3.1: (dx, dy, p1, p2, p3)."""
    rows = [[dx, dy, float(not up), float(up), 0] for dx, dy, up in moves]
    return np.array(rows)


def test_the_models_equations_equal_a_transcription() -> None:
    core, batch = built(), batch_of(5, 3)
    episode = episode_of(batch)
    step = run(core, episode)
    encoder: Any = core.encoder
    for k, length in enumerate(batch.lengths.tolist()):
        s = five(batch.moves[k, :length].double().numpy())
        zeros = np.zeros(6)
        forwards, _ = lstm(encoder.forwards, s, zeros, zeros)
        backwards, _ = lstm(encoder.backwards, s[::-1], zeros, zeros)
        h = np.concatenate([forwards[-1], backwards[-1]])  # (1)
        mu, sigma_hat = np.split(linear(encoder.posterior, h), 2)  # (2)
        np.testing.assert_allclose(step.mu[0, k].detach().numpy(), mu, atol=1e-12)
        np.testing.assert_allclose(step.log_variance[-1, k].detach().numpy(), sigma_hat, atol=1e-12)
        z = mu + np.exp(sigma_hat / 2) * episode.context.noise[k].numpy()
        h_0, c_0 = np.split(np.tanh(linear(core.begin, z)), 2)  # [h_0; c_0] = tanh(W_z z + b_z)
        before = np.vstack([[0, 0, 1, 0, 0], s])  # S_0 ... S_Ns
        x = np.hstack([before, np.tile(z, (length + 1, 1))])  # x_i = [S_{i-1}; z]
        hs, _ = lstm(core.decoder, x, h_0, c_0)
        for t in range(length + 1):
            np.testing.assert_allclose(step.y[t, k].detach().numpy(), linear(core.output, hs[t]), atol=1e-12)


def normal(dx: float, dy: float, mx: float, my: float, sx: float, sy: float, rho: float) -> float:
    """The bivariate normal density, as the paper quotes it from Graves 2013, equations 24 and 25."""
    z = ((dx - mx) / sx) ** 2 + ((dy - my) / sy) ** 2 - 2 * rho * (dx - mx) * (dy - my) / (sx * sy)
    return math.exp(-z / (2 * (1 - rho**2))) / (2 * math.pi * sx * sy * math.sqrt(1 - rho**2))


def paper_losses(y: np.ndarray, moves: np.ndarray, longest: int) -> tuple[float, float]:
    """L_s and L_p, equations 9, of one drawing, from its outputs y [N_s + 1, 6 M + 3]."""
    l_s = l_p = 0.0
    for t, row in enumerate(y):
        pen, rest = row[:3], row[3:].reshape(6, -1)
        q = np.exp(pen) / np.exp(pen).sum()  # (7)
        weights = np.exp(rest[0]) / np.exp(rest[0]).sum()  # (6)
        sigma_x, sigma_y, rho = np.exp(rest[3]), np.exp(rest[4]), np.tanh(rest[5])  # (5)
        if t == len(moves):
            l_p -= math.log(q[2])
            continue
        dx, dy, up = moves[t]
        terms = [
            weights[j] * normal(dx, dy, rest[1, j], rest[2, j], sigma_x[j], sigma_y[j], rho[j])
            for j in range(len(weights))
        ]
        l_s -= math.log(sum(terms))  # (3)
        l_p -= math.log(q[int(up)])
    return l_s / longest, l_p / longest


def test_the_objective_equals_a_transcription() -> None:
    core, batch = built(), batch_of(5, 3, 1)
    config = replace(CONFIG, kl_floor=0.0, kl_weight=0.7, kl_start=0.1, kl_end=0.2)
    episode = episode_of(batch, config)
    step = run(core, episode)
    losses, kl = [], []
    for k, length in enumerate(batch.lengths.tolist()):
        y = step.y[: length + 1, k].detach().numpy()
        losses.append(paper_losses(y, batch.moves[k, :length].double().numpy(), int(batch.longest[k])))
        mu, sigma_hat = (part[0, k].detach().numpy() for part in (step.mu, step.log_variance))
        kl.append(-(1 + sigma_hat - mu**2 - np.exp(sigma_hat)).sum() / (2 * 4))  # (10)
    l_r = np.sum(losses, axis=1).mean()
    eta = 1 - (1 - 0.1) * 0.2**0.5  # half of the training is over
    loss = objective(step, episode.targets, config)
    assert loss.terms["reconstruction"].item() == pytest.approx(l_r)
    assert loss.terms["kl"].item() == pytest.approx(np.mean(kl))
    assert loss.total.item() == pytest.approx(l_r + 0.7 * eta * np.mean(kl))  # (11), (12)
    high = objective(step, episode.targets, replace(config, kl_floor=50.0))
    assert high.total.item() == pytest.approx(l_r + 0.7 * eta * 50)
    assert annealed(config, 0.0) == pytest.approx(0.1)
    metrics = SYSTEM.metrics(step, episode, config)
    bound = (metrics["offsets"] + metrics["pen"] + metrics["kl"]).detach()
    expected = [sum(loss) * int(n) + 4 * k for loss, n, k in zip(losses, batch.longest, kl, strict=True)]
    np.testing.assert_allclose(bound.numpy(), expected, rtol=1e-9)


def test_a_drawing_in_a_padded_batch_has_what_it_has_alone() -> None:
    core, batch = built(), batch_of(6, 2, 4)
    together = SYSTEM.metrics(run(core, episode_of(batch)), episode_of(batch), CONFIG)
    noise = episode_of(batch).context.noise
    for k in range(3):
        alone = Strokes(*(leaf[k : k + 1] for leaf in batch))
        episode = episode_of(alone)
        episode = episode._replace(context=episode.context._replace(noise=noise[k : k + 1]))
        for name, values in SYSTEM.metrics(run(core, episode), episode, CONFIG).items():
            torch.testing.assert_close(values[0], together[name][k], atol=1e-10, rtol=1e-10, msg=name)
    spoilt = batch.moves.clone()
    spoilt[1, 2:] = float("nan")
    again = SYSTEM.metrics(run(core, episode_of(batch._replace(moves=spoilt))), episode_of(batch), CONFIG)
    assert all(torch.equal(again[name], together[name]) for name in again), "padding is never read"


def test_the_second_half_alone_is_measured_where_that_is_asked() -> None:
    core, batch = built(), batch_of(7, 4)
    whole = nats(run(core, episode_of(batch)), episode_of(batch).targets)
    for known in ("first half", "nothing"):
        config = replace(CONFIG, known=known)  # type: ignore[arg-type]
        metrics = SYSTEM.metrics(run(core, episode_of(batch, config)), episode_of(batch, config), config)
        assert metrics["moves"].tolist() == [4, 2]
        assert (metrics["offsets"] != whole.offsets).all()
    first = episode_of(batch, replace(CONFIG, known="first half"))
    assert first.context.lengths.tolist() == [3, 2] and first.targets.measured_from.tolist() == [3, 2]
    nothing = episode_of(batch, replace(CONFIG, known="nothing"))
    torch.testing.assert_close(nothing.targets.offsets[0, :4], batch.moves[0, 3:, :2].double())
    assert (run(core, nothing).mu == 0).all(), "z comes from the prior"


@pytest.mark.parametrize("size", [0.0, 1.0, 1e3, 1e30])
def test_no_parameter_value_gives_nan_or_infinity(size: float) -> None:
    generator = torch.Generator().manual_seed(0)
    y = (torch.randn(50, outputs_for(4), generator=generator) * size).requires_grad_()
    offset = torch.randn(50, 2, generator=generator)
    found = mixture(y)
    total = log_density(found, offset).sum() + log_pen(found, torch.arange(50) % 3).sum()
    total.backward()
    assert total.isfinite() and y.grad is not None and y.grad.isfinite().all()
    assert (found.log_sigma >= LOG_SIGMA[0]).all() and (found.atanh_rho.abs() <= LARGEST_ATANH_RHO).all()
    moved, _ = draw(mixture(y.detach()), torch.rand(50, 4, generator=generator), 0.5)
    assert size > 1e20 or moved.isfinite().all()


def test_the_density_integrates_to_one_and_its_gradient_is_right() -> None:
    y = torch.randn(outputs_for(3), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    axis = torch.linspace(-25, 25, 1001, dtype=torch.float64)
    density = density_on(mixture(y), axis, axis)
    assert float(density.sum() * 0.05**2) == pytest.approx(1, abs=1e-3)
    offset = torch.randn(2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda y: log_density(mixture(y), offset), y.requires_grad_())


def test_samples_have_the_mixtures_mean_variance_and_correlation() -> None:
    y = torch.zeros(outputs_for(1))
    y[3:] = torch.tensor([0.0, 2.0, -1.0, math.log(0.5), math.log(2.0), math.atanh(0.8)])
    found = mixture(y.expand(20_000, -1))
    generator = torch.Generator().manual_seed(0)
    noise = torch.cat([torch.rand(20_000, 2, generator=generator), torch.randn(20_000, 2, generator=generator)], dim=1)
    for temperature in (1.0, 0.25):
        moves, pen = draw(found, noise, temperature)
        assert moves.mean(0).tolist() == pytest.approx([2, -1], abs=0.05)
        spread = math.sqrt(temperature)
        assert moves.std(0).tolist() == pytest.approx([0.5 * spread, 2 * spread], rel=0.03)
        assert float(torch.corrcoef(moves.t())[0, 1]) == pytest.approx(0.8, abs=0.02)
        assert torch.bincount(pen).tolist() == pytest.approx([6667] * 3, rel=0.05)


def test_a_category_is_picked_by_its_probability() -> None:
    logits = torch.log(torch.tensor([0.2, 0.5, 0.3]))
    picked = pick(logits.expand(4, 3), torch.tensor([0.0, 0.19, 0.21, 0.9999999]))
    assert picked.tolist() == [0, 0, 1, 2]
    assert int(pick(torch.tensor([0.0, -math.inf]), torch.tensor(0.999))) == 0


def sampled(core: Sketch, temperature: float = 0.5, count: int = 3, **more: Any) -> Any:
    context = Given(torch.randn(count, 4, generator=torch.Generator().manual_seed(2)), torch.zeros(count).long())
    noise = noise_for(40, count, torch.Generator().manual_seed(3))
    return sample(core.float(), context, noise, temperature, **more)


def test_sampling_feeds_the_core_its_own_moves() -> None:
    core = built()
    drawn = sampled(core)
    moves: Tensor = drawn.fed.choice.move  # [T, B, 5]
    start = torch.tensor([0.0, 0, 1, 0, 0]).expand(1, 3, 5)
    context = Given(torch.randn(3, 4, generator=torch.Generator().manual_seed(2)), torch.zeros(3).long())
    teacher, _ = unroll(core, PenInputs(torch.cat([start, moves[:-1]])), core.initial_state(3), context)
    torch.testing.assert_close(drawn.fed.output.y, teacher.y, atol=1e-5, rtol=1e-4)
    assert torch.equal(drawn.moves[0, :, :2], moves[:, 0, :2])


def test_a_drawing_ends_with_the_pens_third_state() -> None:
    core = built()
    with torch.no_grad():
        core.output.bias[2] = 50.0
    assert sampled(core).lengths.tolist() == [0, 0, 0]
    with torch.no_grad():
        core.output.bias[2] = -50.0
    drawn = sampled(core)
    assert drawn.lengths.tolist() == [40, 40, 40] and not drawn.ended.any()


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(InputError, match="a temperature above 0"):
        sampled(built(), temperature)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="layer-norm-lstm"):
        Config(core="lstm", dropout=0.1)
    assert Config(task="read", core="gru", dropout=0.5).dropout == 0.5
