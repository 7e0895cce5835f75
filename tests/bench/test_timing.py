"""Fits and crossings of synthetic timings, and the fairness of taking turns."""

from typing import Any

import numpy as np
import pytest
import torch

from saccade.bench.cost import Answer, untrained
from saccade.bench.timing import crossing, exponent, interleaved, throughput, traced
from saccade.images.config import Shape
from tests.images.cases import facts_of

SIZES = (28, 60, 100, 200, 400, 800)


@pytest.mark.parametrize("truth", [0.0, 0.1, 1.0, 2.0, -0.5])
def test_the_exponent_of_a_power_law_is_found(truth: float) -> None:
    costs = [0.3 * size**truth for size in SIZES]
    assert exponent(SIZES, costs) == pytest.approx(truth, abs=1e-9)


def test_the_exponent_is_found_under_noise() -> None:
    noise = np.exp(np.random.default_rng(0).normal(0, 0.05, len(SIZES)))
    assert exponent(SIZES, (2e-4 * np.array(SIZES) ** 1.7 * noise).tolist()) == pytest.approx(1.7, abs=0.06)


def test_a_crossing_is_found_between_two_sizes() -> None:
    flat, steep = [1.0] * len(SIZES), [(size / 150) ** 2 for size in SIZES]
    assert crossing(SIZES, flat, steep) == pytest.approx(150, rel=1e-6)
    assert crossing(SIZES, steep, flat) is None
    assert crossing(SIZES, flat, [2.0] * len(SIZES)) == 28
    wavering = [0.5, 2.0, 0.5, 0.5, 2.0, 4.0]  # the last time counts
    found = crossing(SIZES, flat, wavering)
    assert found is not None
    assert 200 < found < 400


def test_jobs_take_turns() -> None:
    order: list[str] = []
    timings = interleaved({name: (lambda name=name: order.append(name)) for name in "abc"}, seconds=0.01)
    runs = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert "".join(runs).startswith("abcabc")
    assert len({timing.rounds for timing in timings.values()}) == 1
    assert timings["a"].rounds >= 5


def test_the_slower_of_two_is_found_slower() -> None:
    a = torch.rand(160, 160)
    timings = interleaved({"one": lambda: a @ a, "four": lambda: a @ a @ a @ a @ a}, seconds=0.3)
    assert 2 < timings["four"].cpu_ms / timings["one"].cpu_ms < 8
    assert timings["one"].quick_ms <= timings["one"].cpu_ms


def test_the_best_batch_is_the_one_with_most_images_a_second() -> None:
    a = torch.rand(300, 300)

    def answer_of(size: int):
        times = {1: 1, 4: 1, 16: 40}[size]  # four at the price of one, sixteen at that of forty
        return lambda: [a @ a for _ in range(times)]

    assert throughput(answer_of, 16, 0.3)["batch"] == 4


@pytest.mark.parametrize(
    ("system", "model"), [("glimpse", {}), ("glimpse", {"attention": "gaussian"}), ("baseline", {})]
)
@pytest.mark.parametrize("side", [28, 200])
def test_a_recorded_network_answers_as_the_network_does_on_other_images(system, model, side) -> None:
    shape = Shape(1, side, side, 10)
    core, package, config = untrained(system, model, facts_of(shape))
    one, other = torch.rand(2, 1, 1, side, side, generator=torch.Generator().manual_seed(0))
    answer = Answer(core, package, config, one)
    recorded = traced(answer, one)
    with torch.inference_mode():
        torch.testing.assert_close(recorded(other), answer(other), atol=1e-4, rtol=1e-4)
        assert not torch.equal(recorded(other), recorded(one))
    assert isinstance(recorded, torch.jit.ScriptModule)
    graph: Any = recorded.inlined_graph
    assert not graph.findAllNodes("prim::PythonOp"), "a replay that calls Python"
