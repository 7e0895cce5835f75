"""Finishing a part: what is not given has no say, the refined posterior is what draws, and its bound is right."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from saccade.draw.completion import MaskedDraw, Posterior, complete
from saccade.draw.config import Config
from saccade.draw.model import Context, Draw
from saccade.draw.system import SYSTEM
from saccade.images.config import Shape
from saccade.recurrent.unroll import unroll
from tests.images.cases import facts_of

SHAPE = Shape(1, 9, 9, 3)
SMALL: dict[str, Any] = {"steps": 4, "hidden": 12, "latent": 4, "read": 3, "write": 4}
FACTS = facts_of(SHAPE, ("a", "b", "c"))


def model(config: Config, shape: Shape = SHAPE) -> Draw:
    """A model whose every parameter is off its initial value."""
    torch.manual_seed(0)
    core = SYSTEM.build(config, facts_of(shape))
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return core


def unfinished(shape: Shape = SHAPE) -> tuple[Tensor, Tensor]:
    """A black and white image, of which the upper 5 rows are given."""
    generator = torch.Generator().manual_seed(1)
    image = torch.bernoulli(torch.full(shape[:3], 0.4), generator=generator)
    given = torch.zeros(shape[1:3], dtype=torch.bool)
    given[:5] = True
    return image, given


def posterior(config: Config, count: int = 3) -> Posterior:
    image, given = unfinished()
    context = Context(image.expand(count, -1, -1, -1), torch.full((count,), -1))
    generator = torch.Generator().manual_seed(2)
    return Posterior(model(config), config, context, given.expand(count, 1, -1, -1), generator)


@pytest.mark.parametrize("attention", [True, False])
def test_with_everything_given_it_is_draw(attention: bool) -> None:
    core, (image, given) = model(Config(attention=attention, **SMALL)), unfinished()
    noise = torch.randn(4, 1, 4, generator=torch.Generator().manual_seed(0))
    context = Context(image[None], torch.tensor([0]))
    whole, _ = unroll(core, noise, core.initial_state(1), context)
    filled, _ = unroll(MaskedDraw(core), noise, core.initial_state(1), (context, torch.ones_like(given)[None, None]))
    for found, expected in zip(filled, whole, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("attention", [True, False])
def test_what_is_not_given_has_no_say(attention: bool) -> None:
    config, (image, given) = Config(attention=attention, **SMALL), unfinished()
    core, other = model(config), torch.where(given, image, 1 - image)
    drawn, fit = complete(core, config, image, given, FACTS, count=2, seed=0, refinements=3)
    again, same = complete(core, config, other, given, FACTS, count=2, seed=0, refinements=3)
    assert torch.equal(drawn.outputs.canvas, again.outputs.canvas)
    assert all(torch.equal(a, b) for a, b in zip(fit, same, strict=True))
    changed = torch.where(given, 1 - image, image)
    different, _ = complete(core, config, changed, given, FACTS, count=2, seed=0, refinements=3)
    assert not torch.equal(drawn.outputs.canvas, different.outputs.canvas)


def test_the_encoder_sees_no_error_where_nothing_is_given() -> None:
    core, (image, given) = model(Config(attention=False, **SMALL)), unfinished()
    seen: list[tuple[Tensor, Tensor]] = []
    core.read.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[:2]))
    canvases: list[Tensor] = [core.generator.canvas[None]]
    noise = torch.randn(4, 1, 4, generator=torch.Generator().manual_seed(0))
    context = Context(image[None], torch.tensor([-1]))
    record = lambda state: canvases.append(state.generator.canvas)  # noqa: E731
    unroll(MaskedDraw(core), noise, core.initial_state(1), (context, given[None, None]), on_state=record)
    for (x, error), canvas in zip(seen, canvases, strict=False):
        assert torch.equal(error, torch.where(given, image - torch.sigmoid(canvas), 0.0))
        assert torch.equal(x, torch.where(given, image, torch.sigmoid(canvas)))
    assert len(seen) == 4


def test_the_latents_that_draw_come_from_the_posterior_whose_bound_is_taken() -> None:
    q = posterior(Config(**SMALL))
    with torch.no_grad():
        q.shift.normal_(generator=torch.Generator().manual_seed(3))
        q.log_scale.normal_(0, 0.5, generator=torch.Generator().manual_seed(4))
    q.generator.manual_seed(7)
    step, z = q.draw()
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(3, 4, 4, generator=generator).transpose(0, 1)  # as [B, T, Z]: an ending does not depend on T
    torch.testing.assert_close(z, step.mu + step.log_sigma.exp() * noise)
    generate = q.core.draw.generator
    drawn, _ = unroll(generate, z, generate.initial_state(3))
    torch.testing.assert_close(drawn.canvas, step.canvas)
    wrong, kl = q.explain(step)
    nats = -Bernoulli(logits=step.canvas[-1]).log_prob(q.context.images)[:, :, :5].flatten(1).sum(1)
    torch.testing.assert_close(wrong, nats)
    exact = kl_divergence(Normal(step.mu, step.log_sigma.exp()), Normal(0.0, 1.0)).sum((0, 2))
    torch.testing.assert_close(kl, exact)


def test_refining_lowers_the_bound_and_leaves_the_weights_alone() -> None:
    q = posterior(Config(**SMALL), count=64)
    before = {name: weight.clone() for name, weight in q.core.state_dict().items()}
    amortised = q.refine(40).mean()
    with torch.no_grad():
        refined = sum(q.explain(q.draw()[0])).mean()  # type: ignore[union-attr]
    assert refined < amortised - 2
    assert all(torch.equal(before[name], weight) for name, weight in q.core.state_dict().items())
    assert all(weight.grad is None for weight in q.core.parameters())


def test_the_refined_bound_stays_above_the_evidence() -> None:
    config = Config(**{**SMALL, "steps": 1, "latent": 1})
    q = posterior(config, count=512)
    q.refine(60)
    with torch.no_grad():
        wrong, kl = q.explain(q.draw()[0])
    z = torch.linspace(-8, 8, 2001)
    generate, images = q.core.draw.generator, q.context.images[:1].expand(2001, -1, -1, -1)
    drawn, _ = unroll(generate, z[None, :, None], generate.initial_state(2001))
    likelihood = Bernoulli(logits=drawn.canvas[-1]).log_prob(images)[:, :, :5].flatten(1).sum(1)
    evidence = torch.logsumexp(likelihood + Normal(0.0, 1.0).log_prob(z), 0) + torch.log(torch.tensor(16 / 2000))
    bound, error = (wrong + kl).mean(), (wrong + kl).std() / 512**0.5
    assert bound > -evidence - 3 * error
    assert bound < -evidence + 1.0  # and near it: one latent is fitted by a Gaussian well


def test_what_is_reported_is_what_is_drawn() -> None:
    config, (image, given) = Config(**SMALL), unfinished()
    trace, fit = complete(model(config), config, image, given, FACTS, count=5, seed=0, refinements=2)
    canvas = trace.outputs.canvas[-1, :, 0]
    agree = ((canvas > 0) == (image > 0.5))[:, given].double().mean(1) * 100
    torch.testing.assert_close(fit.agreement_percent.double(), agree)
    nats = -Bernoulli(logits=canvas).log_prob(image.expand_as(canvas))[:, given].mean(1)
    torch.testing.assert_close(fit.nats_per_pixel, nats)
    torch.testing.assert_close(fit.bound, nats * 45 + fit.kl)
    assert torch.equal(trace.batch.images, image.expand(5, -1, -1, -1))
    assert trace.outputs.given.shape == (4, 5, 9, 9)
    assert len(torch.unique(canvas, dim=0)) == 5  # five ways
    again, _ = complete(model(config), config, image, given, FACTS, count=5, seed=0, refinements=2)
    other, _ = complete(model(config), config, image, given, FACTS, count=5, seed=1, refinements=2)
    assert torch.equal(again.outputs.canvas, trace.outputs.canvas)
    assert not torch.equal(other.outputs.canvas, trace.outputs.canvas)


def test_a_network_with_labels_ends_in_the_classes_that_explain_best() -> None:
    config, (image, given) = Config(labelled=True, **SMALL), unfinished()
    core, labels = model(config), torch.tensor([0, 1, 2, 0, 1, 2])  # every class as often, twice as many as are wanted
    context = Context(image.expand(6, -1, -1, -1), labels)
    q = Posterior(core, config, context, given.expand(6, 1, -1, -1), torch.Generator().manual_seed(5))
    q.refine(2)
    with torch.no_grad():
        bounds = sum(q.explain(q.draw()[0]))
    assert isinstance(bounds, Tensor)
    best = bounds.argsort()[:3].sort().values
    assert best.tolist() != [0, 1, 2]
    trace, fit = complete(core, config, image, given, FACTS, count=3, seed=5, refinements=2)
    assert torch.equal(fit.bound, bounds[best])
    assert torch.equal(trace.batch.labels, labels[best])
    assert trace.outputs.canvas.shape[1] == 3


def test_colour_by_the_logistic_likelihood() -> None:
    shape = Shape(3, 8, 11, 3)
    config = Config(likelihood="logistic", **SMALL)
    image = torch.rand(shape[:3], generator=torch.Generator().manual_seed(0)).mul(255).round() / 255
    given = torch.zeros(8, 11, dtype=torch.bool)
    given[:, :4] = True
    trace, fit = complete(model(config, shape), config, image, given, facts_of(shape), count=2, seed=0, refinements=5)
    off = (torch.sigmoid(trace.outputs.canvas[-1]) - image).abs().amax(1)[:, given]
    torch.testing.assert_close(fit.agreement_percent, 100 * (off < 0.1).float().mean(1))
    assert all(part.isfinite().all() for part in fit)
