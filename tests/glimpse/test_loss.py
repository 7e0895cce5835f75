"""Who learns from what, and whether REINFORCE's gradient is the gradient of the expected reward."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from saccade.glimpse.config import Config
from saccade.glimpse.loss import hybrid_loss, log_probability
from saccade.glimpse.model import RAM
from saccade.glimpse.reward import rewards
from saccade.glimpse.system import SYSTEM
from saccade.glimpse.trace import Glimpse
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.recurrent.reinforce import advantages
from saccade.recurrent.unroll import Unrolled
from tests.images.cases import facts_of

SHAPE = Shape(1, 12, 12, 3)
SMALL: dict[str, Any] = {"glimpses": 4, "patch": 4, "hidden": 16, "features": 8}


def rollout(config: Config, examples: int = 6) -> tuple[RAM, Any, Any]:
    torch.manual_seed(0)
    core = SYSTEM.build(config, facts_of(SHAPE))
    generator = torch.Generator().manual_seed(1)
    batch = ImageBatch(torch.rand(examples, 1, 12, 12, generator=generator), torch.arange(examples) % 3)
    episode = SYSTEM.episode(batch, config, generator, progress=0.3)
    return core, episode, Unrolled(core)(episode.inputs, episode.context)


def trained_by(core: RAM, scalar: Tensor) -> set[str]:
    """The parts of the model that a scalar's gradient reaches."""
    core.zero_grad()
    scalar.backward(retain_graph=True)
    return {n.split(".")[0] for n, p in core.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


@pytest.mark.parametrize("prior", ["none", "scan"])
@pytest.mark.parametrize("core_kind", ["rnn", "lstm"])
def test_each_term_trains_its_part_and_no_other(prior: Any, core_kind: Any) -> None:
    config = Config(**SMALL, prior=prior, core=core_kind)
    core, episode, outputs = rollout(config)
    targets, std = episode.targets, episode.inputs.std
    classification = torch.nn.functional.cross_entropy(outputs.logits[-1], targets)
    assert trained_by(core, classification) == {"glimpse", "core", "classifier"}
    reward = rewards(outputs.logits[-1], targets, config)
    reinforce = -(log_probability(outputs, std) * advantages(reward, outputs.baseline, 1)).sum()
    assert trained_by(core, reinforce) == {"policy"} | ({"prior"} if prior == "scan" else set())
    baseline = (reward - outputs.baseline).square().sum()
    assert trained_by(core, baseline) == {"baseline"}
    so_far = torch.nn.functional.cross_entropy(outputs.logits[:-1].flatten(0, 1), targets.repeat(3))
    assert trained_by(core, so_far) == {"probe"}
    total = hybrid_loss(outputs, std, targets, config)
    assert set(total.terms) == {"classification", "reinforce", "baseline", "probe"}
    torch.testing.assert_close(total.total, sum(total.terms.values()))


def test_gaussian_attention_trains_everything_by_back_propagation_alone() -> None:
    config = Config(**SMALL, attention="gaussian")
    core, episode, outputs = rollout(config)
    loss = hybrid_loss(outputs, episode.inputs.std, episode.targets, config)
    assert set(loss.terms) == {"classification", "probe"}
    assert trained_by(core, loss.total) == {"glimpse", "core", "classifier", "policy", "prior", "probe"}


@pytest.mark.parametrize("policy", ["random", "centre", "fixed-scan"])
def test_a_control_trains_no_policy(policy: Any) -> None:
    config = Config(**SMALL, policy=policy)
    core, episode, outputs = rollout(config)
    assert not outputs.chosen.any()
    reinforce = hybrid_loss(outputs, episode.inputs.std, episode.targets, config).terms["reinforce"]
    assert reinforce.item() == 0.0
    loss = hybrid_loss(outputs, episode.inputs.std, episode.targets, config).total
    assert trained_by(core, loss) == {"glimpse", "core", "classifier", "probe"}


def test_the_log_probability_is_the_normals_of_the_unclamped_draw_where_the_policy_chose() -> None:
    _, episode, outputs = rollout(Config(**SMALL, std=0.9, final_std=0.9))
    assert (outputs.sample.abs() > 1).any(), "no draw left the image: the test would not see clamping"
    normal = torch.distributions.Normal(outputs.mean, episode.inputs.std[:, :, None])
    expected = normal.log_prob(outputs.sample).sum(2)
    assert not outputs.chosen[0].any() and outputs.chosen[1:].all()
    expected[0] = 0
    torch.testing.assert_close(log_probability(outputs, episode.inputs.std), expected)


def test_rewards_are_the_papers_or_a_floored_log_probability() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 9.0], [0.0, 3.0, 0.0]])
    targets = torch.tensor([0, 0, 1])
    assert rewards(logits, targets, Config(reward="correct")).tolist() == [1.0, 0.0, 1.0]
    found = rewards(logits, targets, Config(reward="log-probability", reward_floor=-3.0))
    expected = torch.log_softmax(logits, 1)[range(3), targets].clamp(min=-3)
    torch.testing.assert_close(found, expected)
    assert found[1] == -3


def test_leave_one_out_advantages_compare_a_rollout_with_the_others_of_its_image() -> None:
    reward = torch.tensor([1.0, 5.0, 2.0, 7.0, 6.0, 9.0])  # 3 rollouts of 2 images, rollout by rollout
    found = advantages(reward, torch.zeros(2, 6), rollouts=3)
    first = [1 - (2 + 6) / 2, 2 - (1 + 6) / 2, 6 - (1 + 2) / 2]
    second = [5 - (7 + 9) / 2, 7 - (5 + 9) / 2, 9 - (5 + 7) / 2]
    expected = torch.tensor([first[0], second[0], first[1], second[1], first[2], second[2]])
    torch.testing.assert_close(found, expected.expand(2, 6))


@pytest.mark.parametrize("rollouts", [1, 2])
def test_reinforce_is_the_gradient_of_the_expected_reward(rollouts: int) -> None:
    """One location on a line, reward known: E[R] and its gradient by quadrature against the mean of many estimates."""
    std, mean_value = 0.3, 0.2

    def reward_at(x: Tensor) -> Tensor:
        return torch.exp(-8 * (x - 0.5).square())

    grid = torch.linspace(-3, 3, 20001, dtype=torch.float64)
    density = torch.exp(-0.5 * ((grid - mean_value) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    exact = torch.trapezoid(reward_at(grid) * density * (grid - mean_value) / std**2, grid)  # d E[R] / d mean

    examples = 400_000
    mean = torch.full((1, examples, 2), mean_value, requires_grad=True)
    noise = torch.randn(1, examples, 2, generator=torch.Generator().manual_seed(0))
    sample = mean.detach() + std * noise
    empty = torch.zeros(1, examples)
    outputs = Glimpse(sample, empty, empty, empty, mean, sample, empty == 0, torch.full((1, examples), 0.3))
    advantage = advantages(reward_at(sample[0, :, 0]), outputs.baseline, rollouts)
    objective = (log_probability(outputs, torch.full((1, examples), std)) * advantage).sum() / examples
    (gradient,) = torch.autograd.grad(objective, mean)
    per_example = gradient[0] * examples
    error = per_example[:, 0].std() / math.sqrt(examples)
    assert abs(per_example[:, 0].mean() - exact) < 4 * error
    assert abs(per_example[:, 1].mean()) < 4 * per_example[:, 1].std() / math.sqrt(examples)  # y earns nothing
    assert error < 0.02 * abs(exact), "too few examples to tell"
