"""The training loop: its schedule, its learning, and that it goes on from a snapshot bit for bit."""

import dataclasses
import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from saccade.baseline.config import Config as BaselineConfig
from saccade.draw.config import Config as DrawConfig
from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.images.config import ImageData
from saccade.images.source import load_images
from saccade.pipeline.checkpoint.checkpoints import Snapshot
from saccade.pipeline.config import AnyRun, Run, TrainConfig
from saccade.pipeline.device import mixed_precision
from saccade.pipeline.evaluate.evaluate import evaluate
from saccade.pipeline.train.loop import Learner, Progress, train
from saccade.pipeline.train.optimizers import learning_rate, optimizers
from saccade.recurrent.tree import count

DIGITS = ImageData(dataset="digits")


def run(model: Any = None, system: str = "glimpse", **settings: Any) -> AnyRun:
    model = model or Config(glimpses=4, hidden=64, features=32)
    return Run(system, DIGITS, model, TrainConfig(batch_size=128, **settings))


def test_the_learning_rate_warms_up_and_falls_as_a_cosine() -> None:
    config = TrainConfig(learning_rate=2.0, warmup=0.1, final_learning_rate=0.25)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == max(rates) == 2.0
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    for step in (10, 40, 99):
        cosine = (1 + math.cos(math.pi * (step - 10) / 90)) / 2
        assert rates[step] == pytest.approx(2.0 * (0.25 + 0.75 * cosine))


@pytest.mark.parametrize(
    "settings", [{}, {"ema": 0.9, "clip": 1.0, "precision": "fp32"}, {"detach_every": 2}, {"optimizer": "muon"}]
)
def test_it_goes_on_from_a_snapshot_bit_for_bit(settings: dict[str, Any]) -> None:
    source = load_images(DIGITS, 0)
    whole, first = (Learner(run(epochs=3, **settings), source) for _ in range(2))
    for _ in range(20):
        whole.advance()
    for _ in range(9):
        first.advance()
    torch.manual_seed(1234)  # the second process starts elsewhere in torch's own stream
    second = Learner(run(epochs=3, **settings), load_images(DIGITS, 0))
    second.restore(first.snapshot())
    for _ in range(11):
        second.advance()
    one, other = whole.snapshot(), second.snapshot()
    assert one.step == other.step == 20
    assert one.tensors.keys() == other.tensors.keys()
    assert any(name.startswith("optimizer/") for name in one.tensors)
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_network_that_draws_goes_on_bit_for_bit_while_its_steps_grow(precision: Any) -> None:
    model = DrawConfig(steps=8, first_steps=2, grow_until=0.8, hidden=16, latent=4, read=2, write=3)
    data = ImageData(binarise="dynamic")
    its_run = Run("draw", data, model, TrainConfig(batch_size=128, epochs=2, ema=0.9, clip=1.0, precision=precision))
    learners = []
    for resumed_at in (None, 3, 13):
        learner, lengths = Learner(its_run, load_images(data, 0)), []
        while learner.step < learner.steps:
            if learner.step == resumed_at:
                snapshot = learner.snapshot()
                torch.manual_seed(99)
                learner = Learner(its_run, load_images(data, 0))
                learner.restore(snapshot)
            learner.advance()
            assert learner.last is not None
            lengths.append(count(learner.last[0]))
        learners.append(learner.snapshot())
        assert lengths[0] == 2 and lengths[-1] == 8 and len(set(lengths)) > 4
        assert lengths == sorted(lengths)
    whole, *resumed = learners
    for other in resumed:
        assert whole.step == other.step == 20
        assert whole.tensors.keys() == other.tensors.keys()
        assert all(torch.equal(whole.tensors[name], other.tensors[name]) for name in whole.tensors)


def test_it_learns_and_ends_with_a_report_and_a_snapshot() -> None:
    source = load_images(DIGITS, 0)
    model = Config(glimpses=4)
    events = list(train(run(model, epochs=40), source))
    progress = [event for event in events if isinstance(event, Progress)]
    assert isinstance(events[-1], Snapshot) and isinstance(events[-2], Progress)
    assert progress[-1].step == progress[-1].steps == events[-1].step == 400
    assert progress[-1].epoch == 40
    assert progress[-1].terms["classification"] < 0.3 < progress[0].terms["classification"]
    assert set(progress[-1].terms) == {"classification", "probe", "reinforce", "baseline"}
    assert {"gaze_entropy_nats", "gaze_centre_distance", "advantage_variance"} <= progress[-1].health.keys()


def test_the_weights_average_is_one() -> None:
    learner = Learner(run(epochs=3, ema=0.9), load_images(DIGITS, 0))
    assert learner.average is not None
    core: Any = learner.core
    expected = None
    for _ in range(5):
        learner.advance()
        now = core.classifier.weight.detach().clone()
        expected = now if expected is None else 0.9 * expected + 0.1 * now
    average: Any = learner.average.module
    torch.testing.assert_close(average.classifier.weight.detach(), expected)


def test_muon_takes_the_wide_matrices_and_adam_the_rest() -> None:
    core = Learner(run(Config()), load_images(DIGITS, 0)).core
    adam, muon = optimizers(core, TrainConfig(optimizer="muon"))
    names = {id(parameter): name for name, parameter in core.named_parameters()}
    its = {names[id(parameter)] for parameter in muon.param_groups[0]["params"]}
    glimpse = {"glimpse.what.weight", "glimpse.from_what.weight", "glimpse.from_where.weight"}
    assert its == glimpse | {"core.cell.weight_ih", "core.cell.weight_hh"}
    everything = {names[id(parameter)] for parameter in adam.param_groups[0]["params"]} | its
    assert everything == {name for name, parameter in core.named_parameters() if parameter.requires_grad}
    assert len(optimizers(core, TrainConfig())) == 1


def test_moments_that_an_optimizer_does_not_keep_are_refused() -> None:
    def refused(learner: Learner, change: Callable[[dict[str, torch.Tensor]], Any], expected: str) -> None:
        snapshot = taught.snapshot()
        change(snapshot.tensors)
        with pytest.raises(InputError, match=re.escape(f"expected {expected}, found")):
            learner.restore(snapshot)

    model = Config(glimpses=4, hidden=64, features=32)
    taught = Learner(run(model, epochs=3), load_images(DIGITS, 0))
    taught.advance()
    name = "optimizer/classifier.weight/"
    adams = f"exp_avg, exp_avg_sq, step of {name} as [10, 64]"
    refused(taught, lambda tensors: tensors.update({f"{name}exp_avg": torch.zeros(3)}), adams)
    refused(taught, lambda tensors: tensors.pop(f"{name}exp_avg_sq"), adams)
    muons = "momentum_buffer of optimizer/core.cell.weight_ih/ as [64, 64]"
    refused(Learner(run(model, epochs=3, optimizer="muon"), load_images(DIGITS, 0)), lambda tensors: None, muons)
    frozen = Learner(run(dataclasses.replace(model, prior="none"), epochs=3), load_images(DIGITS, 0))
    refused(frozen, lambda tensors: None, "nothing of optimizer/prior/ as [2, 4]")


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    with pytest.raises(InputError, match="expected a finite loss and gradient, found"):
        list(train(run(epochs=3, learning_rate=1e30, warmup=0.0), load_images(DIGITS, 0)))
    learner = Learner(run(epochs=3), load_images(DIGITS, 0))
    with torch.no_grad():
        next(learner.core.parameters()).view(-1)[0] = math.inf
    with pytest.raises(InputError, match="expected finite weights, found NaN or infinity in"):
        learner.snapshot()


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InputError, match="at most the 1397 training examples"):
        Learner(Run("glimpse", DIGITS, Config(), TrainConfig(batch_size=1398)), load_images(DIGITS, 0))


def test_the_same_weights_get_the_same_numbers_three_ways_and_under_every_control() -> None:
    source = load_images(DIGITS, 0)
    its_run = run(epochs=10)
    learner = Learner(its_run, source)
    while learner.step < learner.steps:
        learner.advance()
    metrics = evaluate(its_run, learner.core, source)
    assert metrics == evaluate(its_run, learner.core, source)
    assert set(metrics["error_percent"]) == {"mean_policy", "one_rollout", "averaged", "rollouts"}
    assert set(metrics["controls"]) == {"fixed_scan", "random", "centre", "another_image"}
    assert metrics["error_percent_per_glimpse"][-1] == metrics["error_percent"]["mean_policy"]
    assert len(metrics["error_percent_per_glimpse"]) == metrics["glimpses"] == 4
    assert sum(map(sum, metrics["confusion"])) == metrics["examples"] == 400
    right = sum(row[i] for i, row in enumerate(metrics["confusion"]))
    assert metrics["error_percent"]["mean_policy"] == pytest.approx(100 * (1 - right / 400), abs=1e-3)
    assert metrics["error_percent"]["mean_policy"] < metrics["controls"]["centre"]
    assert (metrics["dataset"], metrics["seed"]) == ("digits", 0)


def test_baselines_train_and_evaluate_in_the_same_loop() -> None:
    source, its_run = load_images(DIGITS, 0), run(BaselineConfig(kind="fc"), system="baseline", epochs=10)
    learner = Learner(its_run, source)
    while learner.step < learner.steps:
        learner.advance()
    assert evaluate(its_run, learner.core, source)["error_percent"]["one_look"] < 15


def test_auto_precision_is_bf16_only_where_it_is_native() -> None:
    cpu = torch.device("cpu")
    assert mixed_precision("fp32", cpu) == "no" and mixed_precision("bf16", cpu) == "bf16"
    native = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    expected = "bf16" if native.get("avx512_bf16") or native.get("amx_bf16") else "no"
    assert mixed_precision("auto", cpu) == expected
