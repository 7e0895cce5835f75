"""The gaze: moves and places, the oracle, baselines, and REINFORCE through the state."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.glimpse.loss import expected, hybrid_loss, log_probability
from saccade.glimpse.model import RAM, fixed_scan
from saccade.glimpse.reward import rewards
from saccade.glimpse.system import SYSTEM as glimpse
from saccade.images.canvas import CanvasConfig
from saccade.images.config import ImageFacts, Shape
from saccade.images.picture_files import Images
from saccade.images.source import ImageBatch, ImageSource
from saccade.recurrent.reinforce import advantages
from saccade.recurrent.unroll import Unrolled

SHAPE = Shape(1, 12, 12, 3)
SMALL: dict[str, Any] = {"glimpses": 4, "patch": 4, "hidden": 16, "features": 8, "prior": "none"}
MOVES: dict[str, Any] = {**SMALL, "action": "move", "policy_reads": "state"}


def facts(shape: Shape) -> ImageFacts:
    return ImageFacts(*shape[:3], tuple(str(k) for k in range(shape.classes)))


def images(examples: int, side: int = 12) -> ImageBatch:
    generator = torch.Generator().manual_seed(1)
    return ImageBatch(torch.rand(examples, 1, side, side, generator=generator), torch.arange(examples) % 3)


def unrolled(config: Config, batch: ImageBatch, shape: Shape = SHAPE) -> tuple[RAM, Any, Any]:
    torch.manual_seed(0)
    core = glimpse.build(config, facts(shape))
    episode = glimpse.episode(batch, config, torch.Generator().manual_seed(2), progress=0.3)
    return core, episode, Unrolled(core)(episode.inputs, episode.context)


@pytest.mark.parametrize("core", ["rnn", "gru", "lstm"])
def test_a_moving_eye_does_not_know_where_on_the_canvas_it_is(core: Any) -> None:
    """A picture in another corner of a dark canvas, and the eye begun there: the same moves and the same answer."""
    picture = images(5).images
    config = Config(**MOVES, core=core, std=0.05, final_std=0.05)
    found = []
    for left, top in ((14, 14), (18, 10)):
        canvas = torch.zeros(5, 1, 40, 40)
        canvas[:, :, top : top + 12, left : left + 12] = picture
        model, episode, _ = unrolled(config, ImageBatch(canvas, torch.zeros(5).long()), Shape(1, 40, 40, 3))
        began = torch.tensor([left + 6, top + 6]) / 20 - 1
        forced = episode.inputs.forced.clone()
        forced[0] = began
        model.glimpse.where.weight.data.zero_()  # the first move, from the middle of the canvas, is not the same
        model.policy.bias.data.zero_()
        model.policy.weight.data.mul_(0.3)  # stay within the canvas
        outputs = Unrolled(model)(episode.inputs._replace(forced=forced), canvas)
        assert (outputs.location.abs() < 1).all()
        found.append((outputs.location - began, outputs.logits))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=0)


def test_the_policy_of_a_moving_eye_is_centred_where_it_looked_last_plus_its_move() -> None:
    model, _, outputs = unrolled(Config(**MOVES, std=0.9, final_std=0.9), images(50))
    assert (outputs.sample.abs() > 1).any(), "no draw left the image: the test would not see clamping"
    moves = outputs.mean[1:] - outputs.location[:-1]
    assert (moves.abs() < 1).all()
    model.policy.weight.data.zero_()
    model.policy.bias.data = torch.tensor([0.1, -0.2])
    episode = glimpse.episode(images(50), Config(**MOVES, gaze="mean"), torch.Generator())
    location = Unrolled(model)(episode.inputs, episode.context).location
    each = torch.tanh(torch.tensor([0.1, -0.2]))
    torch.testing.assert_close(location, (torch.arange(4)[:, None, None] * each).expand(4, 50, 2))


def gradients(model: RAM, scalar: Tensor) -> Tensor:
    """Of the scalar by the parts that make the policy's mean, as one vector."""
    parts = [*model.glimpse.parameters(), *model.core.parameters(), *model.policy.parameters()]
    found = torch.autograd.grad(scalar, parts, allow_unused=True, retain_graph=True)
    return torch.cat(
        [torch.zeros_like(p).flatten() if g is None else g.flatten() for p, g in zip(parts, found, strict=True)]
    )


@pytest.mark.parametrize("action", ["place", "move"])
@pytest.mark.parametrize(("rollouts", "baseline"), [(1, "state"), (1, "greedy"), (4, "state")])
def test_reinforce_through_the_state_is_the_gradient_of_the_expected_reward(
    action: Any, rollouts: int, baseline: Any
) -> None:
    """The second of two glimpses falls on one of 13 x 13 windows. The expected reward is the sum over all of them."""
    config = Config(**{**MOVES, "glimpses": 2, "action": action, "std": 0.4, "final_std": 0.4, "policy_gain": 1.0})
    config = replace(config, rollouts=rollouts, baseline=baseline, reward="log-odds")
    image, target = images(1).images, torch.zeros(1, dtype=torch.int64)
    torch.manual_seed(0)
    model = glimpse.build(config, facts(SHAPE))
    model.glimpse.where.weight.data.zero_()  # what is seen depends on the window alone
    model.classifier.weight.data.mul_(10)

    edges = (torch.arange(-2, 12) - 0.5 + 2) / 6 - 1  # of the places that see window -2 ... 10
    middles = (edges + 1 / 12)[:-1].clamp(-1, 1)
    everywhere = torch.cartesian_prod(middles, middles)  # (x, y)
    episode = glimpse.episode(
        ImageBatch(image.expand(169, -1, -1, -1), target.expand(169)), replace(config, rollouts=1), torch.Generator()
    )
    forced = episode.inputs.forced.clone()
    forced[1] = everywhere
    outputs = Unrolled(model)(episode.inputs._replace(forced=forced), episode.context)
    reward = rewards(outputs.logits[-1], episode.targets, config)
    assert reward.std() > 0.1, "the windows are worth the same: the test would see nothing"
    normal = torch.distributions.Normal(outputs.mean[1, 0], 0.4)
    inner = normal.cdf(edges[1:-1, None].expand(-1, 2))
    below = torch.cat([torch.zeros(1, 2), inner, torch.ones(1, 2)])
    chance = below.diff(dim=0)  # [13, 2]
    weight = (chance[:, 0, None] * chance[None, :, 1]).flatten()
    exact = gradients(model, (weight * reward).sum())
    model.baseline.weight.data.zero_()
    model.baseline.bias.data.fill_((weight * reward).sum().item())

    estimates = []
    for seed in range(40):
        many = ImageBatch(image.expand(2000, -1, -1, -1), target.expand(2000))
        episode = glimpse.episode(many, config, torch.Generator().manual_seed(seed))
        outputs = Unrolled(model)(episode.inputs, episode.context)
        earned = rewards(outputs.logits[-1], episode.targets, config)
        earned = advantages(earned, expected(outputs.baseline, episode.targets), rollouts)
        objective = (log_probability(outputs, episode.inputs.std) * earned).sum(0).mean()
        estimates.append(gradients(model, objective))
    estimate = torch.stack(estimates)
    error = estimate.std(0) / math.sqrt(len(estimates))
    assert ((estimate.mean(0) - exact).abs() <= 5 * error + 1e-6).all()
    assert error.norm() < 0.2 * exact.norm(), "too few examples to tell"
    policy = sum(p.numel() for p in model.policy.parameters())
    assert exact[:-policy].norm() > 0.1 * exact.norm(), "hardly anything passes through the state"


def test_a_detached_policy_teaches_its_state_nothing() -> None:
    model, episode, outputs = unrolled(Config(**{**MOVES, "policy_reads": "detached"}), images(6))
    policy = sum(p.numel() for p in model.policy.parameters())
    found = gradients(model, log_probability(outputs, episode.inputs.std).sum())
    assert found[-policy:].abs().sum() > 0 and found[:-policy].abs().sum() == 0


def test_leave_one_out_takes_away_how_hard_an_image_is() -> None:
    """Rewards of one draw's own, on top of a far larger one of the image's: unbiased, and of the draw's variance."""
    noise = torch.randn(4, 50_000, generator=torch.Generator().manual_seed(0))
    hard = 5 * torch.randn(50_000, generator=torch.Generator().manual_seed(1))
    reward = (noise + hard).view(1, -1)
    score = noise.view(1, -1)  # d log p / d mean at standard deviation 1: the gradient of E[reward] is 1
    plain = reward * score
    compared = advantages(reward[0], torch.zeros_like(reward), 4) * score
    assert abs(compared.mean() - 1) < 0.02
    assert compared.var() < 0.2 * plain.var()


def test_a_baseline_by_label_is_the_true_classs() -> None:
    config = Config(**SMALL, baseline="label")
    _, episode, outputs = unrolled(config, images(6))
    assert outputs.baseline.shape == (4, 6, 3)
    told = expected(outputs.baseline, episode.targets)
    for b, label in enumerate(episode.targets.tolist()):
        assert torch.equal(told[:, b], outputs.baseline[:, b, label])
    loss = hybrid_loss(outputs, episode.inputs.std, episode.targets, config)
    reward = rewards(outputs.logits[-1], episode.targets, config)
    torch.testing.assert_close(loss.terms["baseline"], (reward - told)[1:].square().mean())


def test_a_greedy_baseline_is_refused_where_training_is_truncated() -> None:
    config = Config(**SMALL, baseline="greedy")
    core, episode, _ = unrolled(config, images(3))
    message = (
        'expected an uncut unroll for baseline = "greedy", found detach_every (or lengths, or on_state); '
        "set detach_every to 0, or choose another baseline"
    )
    with pytest.raises(InputError) as refused:
        Unrolled(core, detach_every=2)(episode.inputs, episode.context)
    assert str(refused.value) == message
    with torch.no_grad():  # an evaluation needs no baseline
        assert Unrolled(core, detach_every=2)(episode.inputs, episode.context).baseline.shape == (4, 3)


@pytest.mark.parametrize("reward", ["correct", "log-probability", "log-odds"])
def test_a_greedy_baseline_is_what_the_policys_mean_earns(reward: Any) -> None:
    config = Config(**MOVES, baseline="greedy", reward=reward)
    model, episode, outputs = unrolled(config, images(6))
    with torch.no_grad():
        mean = glimpse.episode(images(6), replace(config, gaze="mean"), torch.Generator())
        logits = Unrolled(model)(mean.inputs, mean.context).logits[-1]
    told = expected(outputs.baseline, episode.targets)
    assert not told.requires_grad
    torch.testing.assert_close(told, rewards(logits, episode.targets, config).expand(4, 6))


def test_log_odds_are_those_of_the_true_class() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 9.0], [0.0, 40.0, 0.0]])
    found = rewards(logits, torch.tensor([0, 0, 1]), Config(reward="log-odds", reward_floor=-4, reward_ceiling=5))
    p = torch.softmax(logits[0], 0)[0]
    torch.testing.assert_close(found, torch.stack([torch.log(p / (1 - p)), torch.tensor(-4.0), torch.tensor(5.0)]))


@pytest.mark.parametrize("held", [None, "test", "validation"])
def test_the_oracle_looks_where_the_generator_put_the_digit(held: Any) -> None:
    pool = Images(torch.full((40, 1, 28, 28), 255, dtype=torch.uint8), torch.arange(40) % 3)
    source = ImageSource(pool, pool, ("a", "b", "c"), 3, validation=20, canvas=CanvasConfig(60, 0, 8))
    batch = source.batch(5, 8) if held is None else source.held_out(held)
    assert batch.places is not None
    batch = ImageBatch(batch.images[:1500], batch.labels[:1500], batch.places[:1500])
    ink = batch.images[:, 0] > 0
    pixels = torch.arange(60) + 0.5
    x, y = ((ink.any(axis) * pixels).sum(1) / 28 / 30 - 1 for axis in (1, 2))
    config = Config(glimpses=4, patch=12, scales=2, policy="oracle", scan_radius=0.1, rollouts=2)
    outputs = unrolled(config, batch, source.facts.shape)[2]
    where = torch.stack([x, y], 1).repeat(2, 1)
    torch.testing.assert_close(outputs.location[1:], (where + fixed_scan(4, 0.1)[1:, None]).clamp(-1, 1))
    assert (outputs.location[0] == 0).all() and not outputs.chosen.any()


def test_an_oracle_must_be_told_where_the_digit_is() -> None:
    with pytest.raises(InputError, match="where its digits are"):
        unrolled(Config(**SMALL, policy="oracle"), images(3))


def test_the_papers_form_has_the_weights_it_had() -> None:
    names = {name for name, _ in glimpse.build(Config(), facts(Shape(1, 28, 28, 10))).named_parameters()}
    layers = ["glimpse.what", "glimpse.where", "glimpse.from_what", "glimpse.from_where", "policy", "baseline"]
    expected_names = {f"{layer}.{kind}" for layer in [*layers, "classifier", "probe"] for kind in ("weight", "bias")}
    cell = {f"core.cell.{kind}_{side}" for kind in ("weight", "bias") for side in ("ih", "hh")}
    assert names == expected_names | cell | {"prior"}
    moving = glimpse.build(Config(action="move", policy_reads="state"), facts(Shape(1, 28, 28, 10)))
    assert {name for name, _ in moving.named_parameters()} == names


def test_how_the_gaze_follows_the_digit_on_a_trace_made_by_hand() -> None:
    digit = torch.tensor([[0.2, -0.4], [-0.2, 0.4], [0.6, 0.0], [-0.6, 0.0]])
    batch = ImageBatch(torch.rand(4, 1, 60, 60), torch.zeros(4).long(), digit)
    config = Config(glimpses=3, patch=12, scales=2, prior="none")
    core, episode, _ = unrolled(config, batch, Shape(1, 60, 60, 3))
    gaze = torch.stack([torch.zeros(4, 2), digit / 2, digit + torch.tensor([0.1, 0.0])])
    outputs = Unrolled(core)(episode.inputs._replace(forced=gaze), episode.context)
    measured = glimpse.metrics(outputs, episode, config)
    found = glimpse.report(dict.fromkeys(("mean_policy", "one_rollout", "averaged"), measured), config)["gaze"]
    pixels = digit.norm(dim=1).sort().values[1].item() * 30  # torch's median is the lower of the middle two
    assert found["median_distance_pixels"] == pytest.approx([pixels, pixels / 2, 3.0])
    assert found["slope"] == pytest.approx([0.0, 0.5, 1.0])
    assert found["correlation"] == pytest.approx([0.0, 1.0, 1.0])
    replayed = glimpse.replays(outputs, episode, config)["oracle"]
    looked = Unrolled(core)(replayed.inputs, replayed.context).location
    torch.testing.assert_close(looked, torch.stack([gaze[0], digit, digit]))


def test_nothing_is_said_of_a_digit_that_nobody_knows() -> None:
    config = Config(**SMALL)
    _, episode, outputs = unrolled(config, images(4))
    measured = glimpse.metrics(outputs, episode, config)
    assert "digit" not in measured and set(glimpse.replays(outputs, episode, config)) == {"another_image"}
