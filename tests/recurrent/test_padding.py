"""Padded batches: with lengths, every core gives each example what the example gives alone."""

from typing import Any

import pytest
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.cells import LSTM
from saccade.recurrent.core import AnyCore
from saccade.recurrent.gradient_flow import gradient_flow
from saccade.recurrent.sequence import last
from saccade.recurrent.tree import count, map_tensors, named_tensors, take
from saccade.recurrent.unroll import Unrolled, unroll
from tests.recurrent.cases import CASES as CORES
from tests.recurrent.cases import Case, close, equal, example, lengths_of, made, measured, sequence
from tests.recurrent.system_cases import SYSTEMS

CASES = CORES | SYSTEMS
RECURRENT = [name for name, case in CASES.items() if case.steps > 1]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def all_gradients(core: AnyCore, inputs: Any, total: Tensor) -> dict[str, Tensor]:
    """By every parameter and every floating input, 0 where none arrives."""
    wanted = {f"inputs.{name}": leaf for name, leaf in named_tensors(inputs).items() if leaf.requires_grad}
    wanted |= {name: p for name, p in core.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(
        total, list(wanted.values()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return dict(zip(wanted, found, strict=True))


def wanting(tree: Any) -> Any:
    """A copy whose floating leaves want a gradient."""
    return map_tensors(lambda leaf: leaf.detach().clone().requires_grad_(leaf.is_floating_point()), tree)


@pytest.mark.parametrize("detach_every", [None, 2])
def test_an_example_of_a_padded_batch_equals_the_same_example_alone(case: Case, detach_every: int | None) -> None:
    core, inputs, state, context = made(case, double=True)
    tolerance = 1e-6 if case.exact else 1e-5
    lengths = lengths_of(case, count(inputs, axis=1))
    inputs = wanting(inputs)
    settings: dict[str, Any] = {"detach_every": detach_every}
    outputs, end = unroll(core, inputs, state, context, lengths=lengths, **settings)
    for i in range(4):
        steps = int(lengths[i])
        own = wanting(take(example(inputs, i, axis=1), slice(steps)))
        alone, its_end = unroll(core, own, core.initial_state(1), example(context, i), **settings)
        padded = example(outputs, i, axis=1)
        close(take(padded, slice(steps)), alone, tolerance)
        close(example(end, i), its_end, tolerance)
        assert all((leaf[steps:] == 0).all() for leaf in named_tensors(padded).values())
        together = measured(take(padded, slice(steps))) + measured(example(end, i))
        found = all_gradients(core, inputs, together)
        expected = all_gradients(core, own, measured(alone) + measured(its_end))
        for name, gradient in found.items():
            if name.startswith("inputs."):
                others = gradient.clone()
                others[:steps, i] = 0
                assert (others == 0).all(), name
                gradient = gradient[:steps, i : i + 1]
            torch.testing.assert_close(gradient, expected[name], atol=tolerance, rtol=tolerance, msg=name)


@pytest.mark.parametrize("stepped", [False, True])
def test_until_an_examples_end_nothing_changes_bit_for_bit(case: Case, stepped: bool) -> None:
    core, inputs, state, context = made(case)
    lengths = lengths_of(case, count(inputs, axis=1))
    settings: dict[str, Any] = {"on_state": lambda _: None} if stepped else {}

    def same(one: Any, other: Any) -> bool:
        """Return True for equal trees; check that those of a case that may round otherwise are close."""
        return equal(one, other) if case.bitwise and (stepped or case.one_way) else close(one, other) is None

    whole, _ = unroll(core, inputs, state, context, **settings)
    padded, end = unroll(core, inputs, state, context, lengths=lengths, **settings)
    for i, steps in enumerate(lengths.tolist()):
        ours, theirs = (take(example(tree, i, axis=1), slice(steps)) for tree in (padded, whole))
        assert same(ours, theirs)
        _, its_end = unroll(core, take(inputs, slice(steps)), state, context, **settings)
        assert same(example(end, i), example(its_end, i))
    assert same(*(unroll(core, inputs, state, context, lengths=given, **settings)[0]
                   for given in (None, torch.full_like(lengths, case.steps))))  # fmt: skip


@pytest.mark.parametrize("junk", [1e9, float("nan"), float("inf")])
def test_values_in_the_padding_change_nothing(case: Case, junk: float) -> None:
    core, inputs, state, context = made(case)
    lengths = lengths_of(case, count(inputs, axis=1))

    def spoil(leaf: Tensor) -> Tensor:
        leaf = leaf.clone()
        for i, steps in enumerate(lengths.tolist()):
            leaf[steps:, i] = junk if leaf.is_floating_point() else 255 if leaf.dtype == torch.uint8 else 1
        return leaf

    results = []
    for given in (inputs, map_tensors(spoil, inputs)):
        given = wanting(given)
        outputs, end = unroll(core, given, state, context, lengths=lengths)
        total = measured(outputs) + measured(end)
        results.append((outputs, end, all_gradients(core, given, total)))
    (outputs, end, found), (spoilt, spoilt_end, spoilt_gradients) = results
    assert equal(outputs, spoilt) and equal(end, spoilt_end)
    for name, gradient in spoilt_gradients.items():
        assert gradient.isfinite().all(), name
        assert torch.equal(gradient, found[name]), name


@pytest.mark.parametrize("name", RECURRENT)
def test_gradient_flow_counts_the_steps_that_an_example_has(name: str) -> None:
    case = CASES[name]
    core, inputs, _, context = made(case, double=True)
    rows = count(inputs, axis=1)
    lengths = lengths_of(case, rows)
    loss = lambda outputs: measured(last(outputs, lengths))  # noqa: E731
    flow = gradient_flow(core, inputs, context, loss, batch_size=rows, lengths=lengths)
    squares = {field: torch.zeros_like(norms) for field, norms in flow.items()}
    for i in range(rows):
        own = take(example(inputs, i, axis=1), slice(int(lengths[i])))
        alone = gradient_flow(core, own, example(context, i), lambda outputs: measured(last(outputs)), batch_size=1)
        for field, norms in alone.items():
            squares[field][: len(norms)] += norms.square()
    for field, norms in flow.items():
        torch.testing.assert_close(norms.square(), squares[field], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_one_step_and_one_example(name: str) -> None:
    case = CASES[name]
    core, inputs, _, context = made(case, examples=1)
    rows = count(inputs, axis=1)
    first = take(inputs, slice(1))
    state = core.initial_state(rows)
    plain = unroll(core, first, state, context)
    with_lengths = unroll(core, first, state, context, lengths=torch.ones(rows, dtype=torch.int64))
    for ours, theirs in zip(with_lengths, plain, strict=True):
        close(ours, theirs)


def test_a_system_without_context_is_unrolled() -> None:
    """The batch size comes from the inputs."""
    core = LSTM(3, 7)
    inputs, _ = sequence(5, 2)
    assert torch.equal(Unrolled(core)(inputs), unroll(core, inputs, core.initial_state(2))[0])
    lengths = torch.tensor([5, 2])
    expected = unroll(core, inputs, core.initial_state(2), lengths=lengths)[0]
    assert torch.equal(Unrolled(core)(inputs, None, lengths), expected)


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        (torch.tensor([0, 2]), "a length of 0"),
        (torch.tensor([2, 6]), "a length of 6"),
        (torch.tensor([-1, 6]), "a length of -1"),
        (torch.tensor([2.0, 3.0]), "float32"),
        (torch.tensor([2, 3], dtype=torch.int32), "int32"),
        (torch.tensor([2, 3, 4]), r"\[3\]"),
        (torch.tensor([[2, 3]]), r"\[1, 2\]"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths: Tensor, found: str) -> None:
    core = LSTM(3, 7)
    with pytest.raises(InputError, match=f"expected lengths .*found.*{found}"):
        unroll(core, torch.zeros(5, 2, 3), core.initial_state(2), lengths=lengths)
