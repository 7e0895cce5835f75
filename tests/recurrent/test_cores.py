"""The conformance suite: what every core promises, checked on every core, cells and systems alike."""

import gc

import pytest
import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.recurrent.cells import LSTM
from saccade.recurrent.fused_lstm import PlainGating
from saccade.recurrent.gradient_flow import gradient_flow
from saccade.recurrent.shared_weights import _Tape, affine, shared_weights
from saccade.recurrent.tree import count, map_tensors, named_tensors
from saccade.recurrent.unroll import unroll
from tests.recurrent.cases import CASES as CORES
from tests.recurrent.cases import Case, close, equal, gradients, made, measured
from tests.recurrent.system_cases import SYSTEMS

CASES = CORES | SYSTEMS
STEP = 1e-6  # of a finite difference
EXACT = [name for name, case in CASES.items() if case.exact]
RECURRENT = [name for name, case in CASES.items() if case.steps > 1]
CUT_WHOLLY = [name for name in RECURRENT if not CASES[name].accumulates]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_a_step_keeps_the_states_structure_shapes_and_types(case: Case) -> None:
    core, inputs, state, context = made(case)
    outputs, after = unroll(core, inputs, state, context)
    before = {name: (t.shape, t.dtype) for name, t in named_tensors(state).items()}
    assert {name: (t.shape, t.dtype) for name, t in named_tensors(after).items()} == before
    rows = count(inputs, axis=1)
    for name, leaf in named_tensors(outputs).items():
        assert leaf.shape[:2] == (case.steps, rows), name


@pytest.mark.parametrize("name", RECURRENT)
def test_an_unroll_split_in_two_equals_the_whole_bit_for_bit(name: str) -> None:
    core, inputs, state, context = made(CASES[name])
    whole, last = unroll(core, inputs, state, context)
    first, between = unroll(core, map_tensors(lambda leaf: leaf[:2], inputs), state, context)
    second, end = unroll(core, map_tensors(lambda leaf: leaf[2:], inputs), between, context)
    joined = map_tensors(lambda a, b: torch.cat([a, b]), first, second)
    same = equal if CASES[name].split else lambda one, other: close(one, other) is None
    assert same(whole, joined)
    assert same(last, end)


def test_examples_of_a_batch_do_not_see_one_another(case: Case) -> None:
    core, inputs, state, context = made(case)
    outputs, _ = unroll(core, inputs, state, context)
    for i in (0, 3):
        alone = map_tensors(lambda leaf, i=i: leaf[:, i : i + 1], inputs)
        its_context = map_tensors(lambda leaf, i=i: leaf[i : i + 1], context)
        its_outputs, _ = unroll(core, alone, core.initial_state(1), its_context)
        close(map_tensors(lambda leaf, i=i: leaf[:, i : i + 1], outputs), its_outputs)


def test_a_saved_and_loaded_core_is_the_same(case: Case) -> None:
    core, inputs, state, context = made(case)
    torch.manual_seed(99)
    other = case.build()
    assert not all(torch.equal(a, b) for a, b in zip(core.parameters(), other.parameters(), strict=True))
    other.load_state_dict(core.state_dict())
    assert equal(*(unroll(c, inputs, state, context)[0] for c in (core, other)))


def test_gradients_equal_those_of_plain_autograd(case: Case) -> None:
    core, inputs, state, context = made(case, double=True)
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
    core, inputs, _, context = made(CASES[name], examples=2, double=True)
    rows = count(inputs, axis=1)
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
    changed = any(not torch.allclose(full[key], cut[key], atol=1e-6) for key in full)
    assert changed == CASES[name].carries_gradient, "truncation cut nothing, or something where nothing goes through"


@pytest.mark.parametrize("name", CUT_WHOLLY)
def test_gradient_flow_sees_every_step_and_stops_at_a_truncation(name: str) -> None:
    core, inputs, _, context = made(CASES[name])
    rows = count(inputs, axis=1)
    last = lambda outputs: measured(map_tensors(lambda leaf: leaf[-1], outputs))  # noqa: E731
    flow = gradient_flow(core, inputs, context, last, batch_size=rows)
    assert all(norms.shape == (6,) for norms in flow.values())
    assert any((norms > 0).all() for norms in flow.values()) == CASES[name].carries_gradient
    cut = gradient_flow(core, inputs, context, last, batch_size=rows, detach_every=3)
    assert all((norms[:3] == 0).all() for norms in cut.values())
    for field in flow:
        torch.testing.assert_close(cut[field][3:], flow[field][3:])


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


def test_one_weight_with_and_without_a_bias_is_two_maps() -> None:
    layer = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    with shared_weights():
        there, absent = affine((x,), (layer.weight,), (layer.bias,)), affine((x,), (layer.weight,))
        (there.sum() + absent.sum()).backward()
    torch.testing.assert_close(there, layer(x))
    torch.testing.assert_close(absent, x @ layer.weight.t())
    torch.testing.assert_close(layer.weight.grad, 2 * x.sum(0).expand(2, 3))
    torch.testing.assert_close(layer.bias.grad, torch.full((2,), 4.0))


@pytest.mark.parametrize(("name", "kept"), [("rnn", _Tape), ("lstm", PlainGating)])
def test_an_unroll_leaves_no_memory_behind(name: str, kept: type) -> None:
    core, inputs, state, _ = made(CASES[name])
    tapes = lambda: sum(type(thing) is kept for thing in gc.get_objects())  # noqa: E731
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
