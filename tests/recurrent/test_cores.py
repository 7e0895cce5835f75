"""The conformance suite: what every core promises, checked on every core, cells and systems alike."""

import gc
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from saccade.baseline import system as baseline
from saccade.draw import system as draw
from saccade.draw.completion import Filling
from saccade.errors import InputError
from saccade.glimpse import system as glimpse
from saccade.pipeline.contract import Batch, Shape
from saccade.recurrent.cells import GRU, LSTM, Stacked, VanillaRNN
from saccade.recurrent.core import AnyCore
from saccade.recurrent.gradient_flow import gradient_flow
from saccade.recurrent.shared_weights import _Tape, affine, shared_weights
from saccade.recurrent.tree import map_tensors, named_tensors
from saccade.recurrent.unroll import unroll

Core = AnyCore
Episode = tuple[Any, Any]  # inputs [T, B, ...], context [B, ...]
SHAPE = Shape(channels=1, height=20, width=20, classes=5)
STEP = 1e-6  # of a finite difference


class Case(NamedTuple):
    build: Callable[[], Core]
    episode: Callable[[int, int], Episode]  # (steps, examples) -> inputs and context
    steps: int = 6
    accumulates: bool = False  # has a state that truncation spares


def sequence(steps: int, examples: int) -> Episode:
    return torch.randn(steps, examples, 3, generator=torch.Generator().manual_seed(1)), None


def looking(**settings: Any) -> Case:
    config = glimpse.Config(glimpses=6, patch=4, hidden=16, features=8, **settings)

    def episode(steps: int, examples: int) -> Episode:
        generator = torch.Generator().manual_seed(2)
        batch = Batch(torch.rand(examples, 1, 20, 20, generator=generator), torch.zeros(examples, dtype=torch.int64))
        made = glimpse.episode(batch, config, generator)
        return map_tensors(lambda leaf: leaf[:steps], made.inputs), made.context

    return Case(lambda: glimpse.build(config, SHAPE), episode)


def looking_once(kind: Any) -> Case:
    config = baseline.Config(kind=kind, hidden=8)

    def episode(steps: int, examples: int) -> Episode:
        generator = torch.Generator().manual_seed(3)
        batch = Batch(torch.rand(examples, 1, 20, 20, generator=generator), torch.zeros(examples, dtype=torch.int64))
        made = baseline.episode(batch, config, generator)
        return made.inputs, made.context

    return Case(lambda: baseline.build(config, SHAPE), episode, steps=1)


def drawing(*, alone: bool = False, shape: Shape = SHAPE, **settings: Any) -> Case:
    config = draw.Config(steps=6, hidden=16, latent=5, **{"read": 2, "write": 3, **settings})

    def episode(steps: int, examples: int) -> Episode:
        generator = torch.Generator().manual_seed(4)
        batch = Batch(torch.rand(examples, *shape[:3], generator=generator), torch.arange(examples) % 5)
        made = draw.episode(batch, config, generator)
        context = (made.context.labels if config.labelled else None) if alone else made.context
        return made.inputs[:steps], context

    def build() -> AnyCore:
        core = draw.build(config, shape)
        return core.generator if alone else core

    return Case(build, episode, accumulates=True)


def finishing() -> Case:
    case = drawing()

    def episode(steps: int, examples: int) -> Episode:
        inputs, scene = case.episode(steps, examples)
        return inputs, (scene, torch.rand(examples, 1, 20, 20, generator=torch.Generator().manual_seed(5)) < 0.5)

    def build() -> AnyCore:
        core: Any = case.build()
        return Filling(core)

    return Case(build, episode, accumulates=True)


CASES = {
    "rnn": Case(lambda: VanillaRNN(3, 7), sequence),
    "rnn-tanh": Case(lambda: VanillaRNN(3, 7, "tanh"), sequence),
    "lstm": Case(lambda: LSTM(3, 7), sequence),
    "gru": Case(lambda: GRU(3, 7), sequence),
    "stacked": Case(lambda: Stacked([LSTM(3, 7), GRU(7, 5), VanillaRNN(5, 4)]), sequence),
    "ram": looking(),
    "ram-paper": looking(prior="none", start="uniform", reward="correct", policy_gain=1.0),
    "ram-lstm-2-layers-3-scales": looking(core="lstm", layers=2, scales=3),
    "ram-gru": looking(core="gru"),
    "ram-gaussian": looking(attention="gaussian", scales=2),
    "ram-two-rollouts": looking(rollouts=2),
    "draw": drawing(),
    "draw-without-attention": drawing(attention=False),
    "draw-labelled-gru-2-layers": drawing(core="gru", layers=2, labelled=True),
    "draw-logistic-rnn-one-filter": drawing(core="rnn", likelihood="logistic", read=1, write=1),
    "draw-colour-not-square": drawing(likelihood="logistic", shape=Shape(3, 9, 14, 5)),
    "draw-generator": drawing(alone=True),
    "draw-generator-labelled": drawing(alone=True, labelled=True, attention=False),
    "draw-finishing": finishing(),
    "baseline-fc": looking_once("fc"),
    "baseline-conv": looking_once("conv"),
    "baseline-modern": looking_once("modern"),
}
EXACT = [name for name in CASES if not name.startswith(("ram", "baseline"))]  # the others answer in float32 alone
RECURRENT = [name for name, case in CASES.items() if case.steps > 1]
CUT_WHOLLY = [name for name in RECURRENT if not CASES[name].accumulates]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def made(case: Case, examples: int = 4) -> tuple[Core, Any, Any, Any]:
    torch.manual_seed(0)
    core = case.build()
    inputs, context = case.episode(case.steps, examples)
    rows = next(iter(named_tensors(inputs).values())).shape[1]
    return core, inputs, core.initial_state(rows), context


def equal(a: Any, b: Any) -> bool:
    one, other = named_tensors(a), named_tensors(b)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    one, other = named_tensors(a), named_tensors(b)
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=tolerance, rtol=tolerance, equal_nan=True)


def test_a_step_keeps_the_states_structure_shapes_and_types(case: Case) -> None:
    core, inputs, state, context = made(case)
    outputs, after = unroll(core, inputs, state, context)
    before = {name: (t.shape, t.dtype) for name, t in named_tensors(state).items()}
    assert {name: (t.shape, t.dtype) for name, t in named_tensors(after).items()} == before
    rows = next(iter(named_tensors(inputs).values())).shape[1]
    for name, leaf in named_tensors(outputs).items():
        assert leaf.shape[:2] == (case.steps, rows), name


@pytest.mark.parametrize("name", RECURRENT)
def test_an_unroll_split_in_two_equals_the_whole_bit_for_bit(name: str) -> None:
    core, inputs, state, context = made(CASES[name])
    whole, last = unroll(core, inputs, state, context)
    first, between = unroll(core, map_tensors(lambda leaf: leaf[:2], inputs), state, context)
    second, end = unroll(core, map_tensors(lambda leaf: leaf[2:], inputs), between, context)
    joined = map_tensors(lambda a, b: torch.cat([a, b]), first, second)
    assert equal(map_tensors(torch.nan_to_num, whole), map_tensors(torch.nan_to_num, joined))
    assert equal(last, end)


def test_examples_of_a_batch_do_not_see_one_another(case: Case) -> None:
    core, inputs, state, context = made(case)
    outputs, _ = unroll(core, inputs, state, context)
    for i in (0, 3):
        alone = map_tensors(lambda leaf, i=i: leaf[:, i : i + 1], inputs)
        its_context = None if context is None else map_tensors(lambda leaf, i=i: leaf[i : i + 1], context)
        its_outputs, _ = unroll(core, alone, core.initial_state(1), its_context)
        close(map_tensors(lambda leaf, i=i: leaf[:, i : i + 1], outputs), its_outputs)


def test_a_saved_and_loaded_core_is_the_same(case: Case) -> None:
    core, inputs, state, context = made(case)
    torch.manual_seed(99)
    other = case.build()
    assert not all(torch.equal(a, b) for a, b in zip(core.parameters(), other.parameters(), strict=True))
    other.load_state_dict(core.state_dict())
    assert equal(*(map_tensors(torch.nan_to_num, unroll(c, inputs, state, context)[0]) for c in (core, other)))


def measured(outputs: Any) -> Tensor:
    """A scalar that depends on every floating output that carries gradients, on each of them differently."""
    leaves = [leaf for leaf in named_tensors(outputs).values() if leaf.requires_grad]
    return sum(((i + 1) * leaf.sin()).sum() for i, leaf in enumerate(leaves))  # type: ignore[return-value]


def gradients(core: Core, total: Tensor) -> dict[str, Tensor]:
    core.zero_grad()
    total.backward()
    return {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}


def test_gradients_equal_those_of_plain_autograd(case: Case) -> None:
    core, inputs, state, context = made(case)
    core.double()
    double = lambda leaf: leaf.double() if leaf.is_floating_point() else leaf  # noqa: E731
    inputs, state = map_tensors(double, inputs), map_tensors(double, state)
    context = None if context is None else map_tensors(double, context)
    ours = gradients(core, measured(unroll(core, inputs, state, context)[0]))
    outputs = []
    prepared = core.prepare(context)
    for t in range(case.steps):
        output, state = core(map_tensors(lambda leaf, t=t: leaf[t], inputs), state, prepared)  # affine's plain formula
        outputs.append(output)
    stacked = map_tensors(lambda *leaves: torch.stack(leaves), *outputs)
    theirs = gradients(core, measured(core.readout(stacked, state)))
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(
            ours[name], theirs[name], atol=1e-5, rtol=1e-5, msg=lambda m, name=name: f"{name}: {m}"
        )


@pytest.mark.parametrize("name", EXACT)
def test_gradients_equal_finite_differences(name: str) -> None:
    """In float64, for all parameters at once, along random directions."""
    core, inputs, _, context = made(CASES[name], examples=2)
    core.double()
    double = lambda leaf: leaf.double() if leaf.is_floating_point() else leaf  # noqa: E731
    inputs = map_tensors(double, inputs)
    context = None if context is None else map_tensors(double, context)
    rows = next(iter(named_tensors(inputs).values())).shape[1]
    total = lambda: measured(unroll(core, inputs, core.initial_state(rows), context)[0])  # noqa: E731
    found = gradients(core, total())
    moved = {key: parameter for key, parameter in core.named_parameters() if key in found}
    assert moved
    for _ in range(3):
        direction = {key: torch.randn_like(parameter) for key, parameter in moved.items()}
        sides = []
        for step in (STEP, -2 * STEP, STEP):  # there, to the other side, and back
            with torch.no_grad():
                for key, parameter in moved.items():
                    parameter.add_(direction[key], alpha=step)
            sides.append(total().item())
        expected = (sides[0] - sides[1]) / (2 * STEP)
        slope = sum((found[key] * direction[key]).sum().item() for key in moved)
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", CUT_WHOLLY)
def test_truncated_gradients_are_the_full_ones_inside_a_window(name: str) -> None:
    core, inputs, state, context = made(CASES[name])
    cut = gradients(
        core, measured(map_tensors(lambda leaf: leaf[4:], unroll(core, inputs, state, context, detach_every=4)[0]))
    )
    _, between = unroll(core, map_tensors(lambda leaf: leaf[:4], inputs), state, context)
    tail = map_tensors(lambda leaf: leaf[4:], inputs)
    inside = gradients(core, measured(unroll(core, tail, map_tensors(Tensor.detach, between), context)[0]))
    for key in inside:
        torch.testing.assert_close(cut[key], inside[key], atol=1e-5, rtol=1e-5)
    full = gradients(core, measured(map_tensors(lambda leaf: leaf[4:], unroll(core, inputs, state, context)[0])))
    assert any(not torch.allclose(full[key], cut[key], atol=1e-6) for key in full), "truncation cut nothing"


@pytest.mark.parametrize("name", CUT_WHOLLY)
def test_gradient_flow_sees_every_step_and_stops_at_a_truncation(name: str) -> None:
    core, inputs, _, context = made(CASES[name])
    rows = next(iter(named_tensors(inputs).values())).shape[1]
    last = lambda outputs: measured(map_tensors(lambda leaf: leaf[-1], outputs))  # noqa: E731
    flow = gradient_flow(core, inputs, context, last, batch_size=rows)
    assert all(norms.shape == (6,) for norms in flow.values())
    assert any((norms > 0).all() for norms in flow.values())
    cut = gradient_flow(core, inputs, context, last, batch_size=rows, detach_every=3)
    assert all((norms[:3] == 0).all() for norms in cut.values())
    for field in flow:
        torch.testing.assert_close(cut[field][3:], flow[field][3:])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(VanillaRNN(3, 7), nn.RNN), (LSTM(3, 7), nn.LSTM), (GRU(3, 7), nn.GRU)],
    ids=["rnn", "lstm", "gru"],
)
def test_the_cells_equal_torchs_layers(ours: Any, theirs: Any) -> None:
    layer = theirs(3, 7, **({"nonlinearity": "relu"} if theirs is nn.RNN else {}))
    layer.load_state_dict({f"{name}_l0": parameter for name, parameter in ours.cell.state_dict().items()})
    inputs, _ = sequence(9, 5)
    outputs, _ = unroll(ours, inputs, ours.initial_state(5))
    torch.testing.assert_close(outputs, layer(inputs)[0])


def test_a_stack_gives_each_layer_its_own_weights_and_equals_torchs() -> None:
    ours = Stacked([LSTM(3, 7), LSTM(7, 7)])
    layer = nn.LSTM(3, 7, num_layers=2)
    weights = {f"{name}_l{i}": p for i in (0, 1) for name, p in ours.layers[i].cell.state_dict().items()}  # type: ignore[union-attr]
    layer.load_state_dict(weights)
    inputs, _ = sequence(5, 2)
    torch.testing.assert_close(unroll(ours, inputs, ours.initial_state(2))[0], layer(inputs)[0])


def test_two_backward_passes_through_one_graph_give_the_same_gradients() -> None:
    core, inputs, state, _ = made(CASES["lstm"])
    outputs, _ = unroll(core, inputs, state)
    total = measured(outputs)
    torch.autograd.grad(total, outputs, retain_graph=True)
    torch.autograd.grad(outputs[2].sum(), core.cell.weight_ih, retain_graph=True)  # type: ignore[union-attr]
    total.backward(retain_graph=True)
    once = {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}
    again = gradients(core, total)
    assert once.keys() == again.keys() and all(torch.equal(once[name], again[name]) for name in once)


def test_a_weight_first_used_without_gradients_still_learns() -> None:
    layer = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    with shared_weights():
        with torch.no_grad():
            shown = affine((x,), (layer.weight,), (layer.bias,))
        found = affine((x,), (layer.weight,), (layer.bias,))
        assert not shown.requires_grad and torch.equal(shown, found)
        found.sum().backward()
    torch.testing.assert_close(layer.weight.grad, x.sum(0).expand(2, 3))


def test_an_unroll_leaves_no_memory_behind() -> None:
    core, inputs, state, _ = made(CASES["lstm"])
    tapes = lambda: sum(type(thing) is _Tape for thing in gc.get_objects())  # noqa: E731
    gc.collect()
    gc.disable()
    try:
        before = tapes()
        outputs, last = unroll(core, inputs, state)
        assert tapes() > before
        measured(outputs).backward()
        del outputs, last
        assert tapes() == before, "the graph is in a reference cycle: it lives until the garbage collector comes"
    finally:
        gc.enable()


def test_no_steps_and_a_truncation_below_one_are_refused() -> None:
    core = LSTM(3, 7)
    with pytest.raises(InputError, match="at least 1 step"):
        unroll(core, torch.zeros(0, 2, 3), core.initial_state(2))
    with pytest.raises(InputError, match="detach_every"):
        unroll(core, torch.zeros(2, 2, 3), core.initial_state(2), detach_every=0)
