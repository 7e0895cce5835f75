"""RAM's step against its NumPy transcription, and the types that it keeps."""

from typing import Any

import numpy as np
import pytest
import torch

from saccade.glimpse.config import Config
from saccade.glimpse.model import RAM, full_precision
from saccade.glimpse.reward import rewards
from saccade.glimpse.trace import GlimpseInputs, MovingState, State
from saccade.images.config import Shape
from saccade.recurrent.cells import CoreState, hidden_of
from saccade.recurrent.reinforce import advantages
from saccade.recurrent.unroll import unroll
from tests.glimpse import transcription

STEPS, BATCH, STD = 5, 4, 0.3

FORCED = {
    "free": [],
    "first at the centre": [(0, 0.0, 0.0)],
    "first off the image": [(0, 3.0, -2.0)],
    "all": [(t, 0.4 * t - 0.9, 0.7 - 0.5 * t) for t in range(STEPS)],
}
"""Forced locations (t, x, y)."""

CASES: dict[str, tuple[dict[str, Any], Shape, str]] = {
    "paper": ({"prior": "none", "policy_gain": 1.0}, Shape(1, 12, 12, 5), "free"),
    "prior, centre": ({"policy_gain": 1.0}, Shape(1, 12, 12, 5), "first at the centre"),
    "three scales, not square": ({"scales": 3}, Shape(1, 17, 14, 5), "first at the centre"),
    "colour, two scales, forced": ({"scales": 2}, Shape(3, 14, 12, 5), "all"),
    "large image, not padded": ({"scales": 2}, Shape(1, 60, 50, 5), "first off the image"),
    "lstm": ({"core": "lstm", "policy_gain": 1.0}, Shape(1, 12, 12, 5), "free"),
    "gru, two layers": ({"core": "gru", "layers": 2, "policy_gain": 1.0}, Shape(1, 12, 12, 5), "first at the centre"),
    "moves": ({"action": "move", "policy_reads": "state"}, Shape(1, 12, 12, 5), "free"),
    "moves, lstm of two layers": ({"action": "move", "core": "lstm", "layers": 2}, Shape(1, 17, 14, 5), "all"),
}


def core_of(state: State) -> CoreState:
    return state.core if isinstance(state, MovingState) else state


def inputs_of(forced: str, dtype: torch.dtype) -> GlimpseInputs:
    generator = torch.Generator().manual_seed(2)
    where = torch.full((STEPS, BATCH, 2), torch.nan, dtype=dtype)
    for t, x, y in FORCED[forced]:
        where[t] = torch.tensor((x, y))
    if forced == "all":
        where[2, 1] = torch.nan  # free for one example
    return GlimpseInputs(
        torch.randn(STEPS, BATCH, 2, generator=generator, dtype=dtype),
        where,
        torch.full((STEPS, BATCH), STD, dtype=dtype),
        torch.eye(STEPS, dtype=dtype)[:, None].expand(-1, BATCH, -1),
        torch.full((STEPS, BATCH, 2), torch.nan, dtype=dtype),
    )


def model(config: Config, shape: Shape, dtype: torch.dtype) -> RAM:
    """A fresh model whose every parameter is off its initial value, so that none is tested at 0."""
    torch.manual_seed(0)
    core = RAM(config, shape).to(dtype)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return core


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_every_step_is_the_papers(name: str, dtype: torch.dtype, tolerance: float) -> None:
    settings, shape, forced = CASES[name]
    config = Config(**{"glimpses": STEPS, "patch": 4, "hidden": 12, "features": 6, **settings})
    core, inputs = model(config, shape, dtype), inputs_of(forced, dtype)
    images = torch.rand(BATCH, *shape[:3], generator=torch.Generator().manual_seed(1), dtype=dtype)
    states: list[Any] = []
    outputs, _ = unroll(core, inputs, core.initial_state(BATCH), images, on_state=states.append)
    weights = {key: tensor.detach().double().numpy() for key, tensor in core.state_dict().items()}
    expected = transcription.unroll(
        weights,
        images.double().numpy(),
        inputs.noise.double().numpy(),
        inputs.forced.double().numpy(),
        STD,
        patch=config.patch,
        scales=config.scales,
        gain=config.policy_gain,
        kind=config.core,
        layers=config.layers,
        moves=config.action == "move",
    )
    found = {**outputs._asdict(), "h": torch.stack([hidden_of(core_of(state)) for state in states])}
    assert {found[key].dtype for key in ("location", "patches", "mean", "sample", "logits", "baseline")} == {dtype}
    for key, values in expected._asdict().items():
        computed = found[key].detach().numpy()
        np.testing.assert_allclose(computed, values, atol=tolerance, rtol=tolerance, err_msg=key)


def test_the_cases_reach_the_border_and_both_ways_of_the_retina() -> None:
    pads = set()
    for settings, shape, _ in CASES.values():
        pads.add(RAM(Config(glimpses=STEPS, patch=4, hidden=12, features=6, **settings), shape).retina.pad)
    assert pads == {True, False}


def test_reward_and_advantage_are_those_of_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    targets = torch.tensor([0, 1, 2, 0, 1, 2])
    probabilities = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    expected = [max(np.log(row[target]), -0.5) for row, target in zip(probabilities, targets.tolist(), strict=True)]
    reward = rewards(logits, targets, Config(reward_floor=-0.5))
    np.testing.assert_allclose(reward.numpy(), expected, atol=1e-12)
    baseline = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    found = advantages(reward, baseline, rollouts=3)
    for b in range(6):
        others = [expected[other] for other in range(b % 2, 6, 2) if other != b]
        np.testing.assert_allclose(found[:, b].numpy(), expected[b] - np.mean(others), atol=1e-12)


def test_full_precision_leaves_float64_and_widens_16_bits() -> None:
    for dtype, expected in (
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
    ):
        assert full_precision(torch.zeros(2, dtype=dtype)).dtype == expected
