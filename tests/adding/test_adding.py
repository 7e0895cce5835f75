"""The adding problem as a system: its loss and report, padded batches, and that networks learn it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from saccade.adding.config import SPEC, AddingData, AddingFacts, Config
from saccade.adding.model import KINDS, Adder
from saccade.adding.sequences import BLIND_ERROR, AddingSource, Sequences, draw
from saccade.adding.system import SYSTEM, AddingEpisode
from saccade.pipeline.config import Run
from saccade.pipeline.contract import load_system
from saccade.pipeline.evaluate.evaluate import evaluate, unrolled
from saccade.pipeline.session import train_run
from saccade.pipeline.train.divergence import NotFinite
from saccade.pipeline.train.loop import Learner, train
from saccade.pipeline.trained import open_trained
from saccade.recurrent.tree import take

CONFIG = Config()
GENERATOR = torch.Generator()


def adder(kind: Any = "lstm", layers: int = 1, hidden: int = 8) -> Adder:
    torch.manual_seed(0)
    return SYSTEM.build(Config(core=kind, hidden=hidden, layers=layers), AddingFacts(2, 100))


def run_of(data: AddingData, model: Config = CONFIG, **train: Any) -> Run[AddingData, Config]:
    return Run(system="adding", data=data, model=model, train=replace(SPEC.train, precision="fp32", **train))


def made(lengths: list[int], sums: list[float]) -> AddingEpisode:
    """An episode of sequences with those lengths and sums; what the numbers are does not matter to its loss."""
    longest = max(lengths)
    zeros = torch.zeros(len(lengths), longest)
    batch = Sequences(zeros, zeros, torch.tensor(lengths), torch.tensor(sums))
    return SYSTEM.episode(batch, CONFIG, GENERATOR)


def test_it_is_found_by_name_and_says_what_it_measures() -> None:
    assert load_system("adding") is SYSTEM
    assert SPEC.unit == "sequences"
    assert SPEC.headline.key == "mean_squared_error"
    assert list(SYSTEM.conditions(CONFIG).values()) == [CONFIG]


def test_an_episode_has_numbers_and_marks_as_inputs() -> None:
    batch = draw(0, "test", 0, 5, 3, 7)
    episode = SYSTEM.episode(batch, CONFIG, GENERATOR)
    assert episode.inputs.shape == (7, 5, 2)
    assert torch.equal(episode.inputs[..., 0], batch.numbers.t())
    assert torch.equal(episode.inputs[..., 1], batch.marks.t())
    assert torch.equal(episode.targets, batch.sums)
    assert episode.lengths is not None
    assert torch.equal(episode.lengths, batch.lengths)


def test_the_loss_is_the_squared_error_of_each_sequences_own_last_answer() -> None:
    episode = made([2, 3, 1], [1.0, 0.5, 2.0])
    outputs = torch.tensor([[9.0, 9, 1.75], [0.8, 9, 0], [0, 1.5, 0]], requires_grad=True)  # [T, B]
    loss = SYSTEM.loss(outputs, episode, CONFIG)
    assert loss.total.item() == pytest.approx((0.2**2 + 1.0 + 0.25**2) / 3)
    assert loss.terms == {}
    loss.total.backward()
    assert outputs.grad is not None
    expected = torch.tensor([[0, 0, -0.5 / 3], [-0.4 / 3, 0, 0], [0, 2 / 3, 0]])
    torch.testing.assert_close(outputs.grad, expected)


def test_metrics_are_one_number_a_sequence_and_the_report_sums_them_up() -> None:
    episode = made([2, 3, 1, 3], [1.0, 0.5, 2.0, 1.0])
    outputs = torch.tensor([[9.0, 9, 1.75, 9], [1.03125, 9, 0, 9], [0, 1.5, 0, 1.03125]])  # 1 + 2**-5: exact
    metrics = SYSTEM.metrics(outputs, episode, CONFIG)
    assert {name: tuple(values.shape) for name, values in metrics.items()} == {"squared_error": (4,), "length": (4,)}
    errors = [0.03125**2, 1.0, 0.25**2, 0.03125**2]
    assert metrics["squared_error"].tolist() == pytest.approx(errors)
    assert metrics["length"].tolist() == [2, 3, 1, 3]
    report = SYSTEM.report({"main": metrics}, CONFIG)
    assert report["mean_squared_error"] == pytest.approx(sum(errors) / 4)
    assert report["within_percent"] == 50
    assert report["always_1_squared_error"] == BLIND_ERROR
    halves = {"shorter": (errors[0] + errors[2]) / 2, "longer": (errors[1] + errors[3]) / 2}
    assert report["mean_squared_error_by_length"] == pytest.approx(halves)
    for metric in SPEC.metrics:
        assert metric.value(report) is not None
    health = SYSTEM.health(outputs, episode, CONFIG)
    assert health == {"squared_error": pytest.approx(sum(errors) / 4)}


def test_of_sequences_of_one_length_there_are_no_longer_ones() -> None:
    metrics = SYSTEM.metrics(torch.ones(4, 2), made([4, 4], [1.0, 2.0]), CONFIG)
    report = SYSTEM.report({"main": metrics}, CONFIG)
    assert report["mean_squared_error_by_length"] == {"shorter": 0.5}


def test_a_network_that_answers_no_better_than_a_constant_is_warned_about() -> None:
    (said,) = SYSTEM.warnings({"squared_error": BLIND_ERROR}, CONFIG)
    assert "0.167" in said
    assert SYSTEM.warnings({"squared_error": 0.5 * BLIND_ERROR}, CONFIG) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
def test_an_adder_answers_a_number_at_every_step_of_every_sequence(kind: str, layers: int) -> None:
    episode = SYSTEM.episode(draw(0, "test", 0, 5, 7, 7), CONFIG, GENERATOR)
    outputs: Any = unrolled(adder(kind, layers), episode)
    assert outputs.shape == (7, 5)
    assert outputs.isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        rough: Any = unrolled(adder(kind, layers), episode)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, outputs, atol=0.05, rtol=0.05)


def gradients(core: Adder, loss: Tensor) -> dict[str, Tensor]:
    core.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_padded_batch_equals_its_sequences_alone(kind: str, layers: int) -> None:
    core, batch = adder(kind, layers).double(), draw(0, "test", 0, 6, 2, 9)
    batch = batch._replace(numbers=batch.numbers.double(), marks=batch.marks.double(), sums=batch.sums.double())
    assert len(batch.lengths.unique()) > 2
    episode = SYSTEM.episode(batch, CONFIG, GENERATOR)
    outputs: Any = unrolled(core, episode)
    together = SYSTEM.metrics(outputs, episode, CONFIG)["squared_error"]
    felt = gradients(core, SYSTEM.loss(outputs, episode, CONFIG).total)
    summed = {name: torch.zeros_like(gradient) for name, gradient in felt.items()}
    for example in range(6):
        length = int(batch.lengths[example])
        one = take(batch, slice(example, example + 1))
        one = one._replace(numbers=one.numbers[:, :length], marks=one.marks[:, :length])
        alone = SYSTEM.episode(one, CONFIG, GENERATOR)
        answers: Any = unrolled(core, alone)
        torch.testing.assert_close(outputs[:length, example], answers[:, 0])
        assert (outputs[length:, example] == 0).all()
        torch.testing.assert_close(together[example], SYSTEM.metrics(answers, alone, CONFIG)["squared_error"][0])
        for name, gradient in gradients(core, SYSTEM.loss(answers, alone, CONFIG).total).items():
            summed[name] += gradient / 6
    for name, gradient in felt.items():
        torch.testing.assert_close(gradient, summed[name])


def test_what_stands_in_the_padding_does_not_matter() -> None:
    core, batch = adder(), draw(0, "test", 0, 6, 2, 9)
    padding = torch.arange(9) >= batch.lengths[:, None]
    spoilt = batch._replace(numbers=batch.numbers.masked_fill(padding, math.nan))
    found = []
    for its in (batch, spoilt):
        episode = SYSTEM.episode(its, CONFIG, GENERATOR)
        outputs: Any = unrolled(core, episode)
        loss = SYSTEM.loss(outputs, episode, CONFIG).total
        found.append((outputs, loss, gradients(core, loss)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    for name, gradient in found[0][2].items():
        assert torch.equal(gradient, found[1][2][name])


SHORT = AddingData(shortest=2, longest=10, epoch_examples=1500, held_out=500)


def test_a_short_training_beats_the_blind_answer(tmp_path: Path) -> None:
    run = run_of(SHORT, Config(core="gru", hidden=16), epochs=10, threads=1)
    result = train_run(run, tmp_path / "run")
    assert result is not None and result["step"] == 300
    network = open_trained(tmp_path / "run", "adding")
    metrics, wrote = network.evaluate()
    assert metrics["mean_squared_error"] < 0.9 * BLIND_ERROR
    assert metrics["mean_squared_error"] < 0.02
    assert metrics["examples"] == 500
    assert metrics["dataset"] == "adding"
    assert wrote == [str(tmp_path / "run" / "metrics.json")]
    assert network.facts == AddingFacts(2, 10)
    trace = network.look(network.held_out(network.source(), "test", 3, 2))
    assert trace.system == "adding"
    assert trace.outputs.shape == (10, 2)


def test_training_is_a_function_of_its_seed_and_lowers_the_error() -> None:
    data = AddingData(shortest=4, longest=4, epoch_examples=50 * 150)

    def trained() -> tuple[Adder, list[float]]:
        run = run_of(data, Config(core="gru", hidden=16), epochs=1, threads=1)
        learner = Learner(run, AddingSource(data, run.train.seed))
        assert learner.steps == 150
        for _ in range(150):
            learner.advance()
        assert isinstance(learner.core, Adder)
        return learner.core, list(learner.losses)

    (one, losses), (other, _) = trained(), trained()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    run = run_of(data, Config(core="gru", hidden=16))
    held_out = evaluate(run, one, AddingSource(data, 0))["mean_squared_error"]
    assert held_out < 0.02 < losses[0]


def test_a_training_that_diverges_says_so() -> None:
    data = AddingData(shortest=50, longest=50, epoch_examples=50 * 20)
    run = run_of(data, Config(core="rnn-relu", hidden=8), epochs=1, learning_rate=1e30, clip=0.0)
    with pytest.raises(NotFinite):
        list(train(run, AddingSource(data, 0)))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute and a half on a quiet machine
@pytest.mark.parametrize("seed", [0, 1])
def test_an_lstm_learns_what_a_vanilla_rnn_fails_to_learn_in_the_same_budget(seed: int) -> None:
    data = AddingData(shortest=60, longest=60, epoch_examples=50 * 1000)
    errors = {}
    for kind in KINDS:
        model: Any = Config(core=kind)  # type: ignore[arg-type]
        run, source = run_of(data, model, epochs=1, seed=seed), AddingSource(data, seed)
        learner = Learner(run, source)
        for _ in range(1000):
            learner.advance()
        errors[kind] = evaluate(run, learner.core, source)["mean_squared_error"]
    print(errors)
    assert errors["lstm"] < 0.1 * BLIND_ERROR
    assert errors["rnn-tanh"] > 0.7 * BLIND_ERROR
    assert errors["rnn-relu"] > 0.7 * BLIND_ERROR
