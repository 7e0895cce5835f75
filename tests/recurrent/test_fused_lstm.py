"""All steps of an LSTM at once: the same as stepping, in value and gradient; NumPy transcriptions of the equations."""

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.recurrent.cells import LSTM, LSTMState
from saccade.recurrent.core import AnyCore
from saccade.recurrent.fused_lstm import Weights, lstm_steps
from saccade.recurrent.layer_norm_lstm import EPSILON, DroppedInputs, LayerNormLSTM
from saccade.recurrent.tree import map_tensors
from saccade.recurrent.unroll import unroll

STEPS, EXAMPLES, INPUTS, HIDDEN = 5, 4, 20, 6  # more inputs than `NARROW`


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def built(kind: str, inputs: int = INPUTS) -> tuple[AnyCore, Tensor | DroppedInputs, LSTMState]:
    """A core in float64, its inputs, and a state that is not zero."""
    torch.manual_seed(0)
    x = torch.randn(STEPS, EXAMPLES, inputs, dtype=torch.float64, requires_grad=True)
    state = LSTMState(*(torch.randn(EXAMPLES, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in range(2)))
    if kind == "lstm":
        return LSTM(inputs, HIDDEN).double(), x, state
    core = LayerNormLSTM(inputs, HIDDEN, 0.75).double()
    with torch.no_grad():
        for parameter in (core.gain, core.bias, core.cell_gain, core.cell_bias):
            parameter.add_(0.3 * torch.randn_like(parameter))
    keep = torch.rand(STEPS, EXAMPLES, HIDDEN) < 0.75
    return core, DroppedInputs(x, keep), state


@pytest.mark.parametrize("kind", ["lstm", "layer-norm-lstm"])
@pytest.mark.parametrize("inputs", [3, INPUTS])
def test_all_steps_at_once_equal_stepping(kind: str, inputs: int) -> None:
    core, x, state = built(kind, inputs)
    together, end = unroll(core, x, state)
    apart, last = unroll(core, x, state, on_state=lambda _: None)  # which steps
    for ours, theirs in ((together, apart), (end.h, last.h), (end.c, last.c)):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-10)
    leaves = [*core.parameters(), *state, x if isinstance(x, Tensor) else x.x]
    found = []
    for outputs, final in ((together, end), (apart, last)):
        total = outputs.sin().sum() + final.h.cos().sum() + final.c.sin().sum()
        found.append(torch.autograd.grad(total, leaves, retain_graph=True))
    again = torch.autograd.grad(together.sin().sum() + end.h.cos().sum() + end.c.sin().sum(), leaves)
    for ours, theirs, twice in zip(*found, again, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-8)
        assert torch.equal(ours, twice), "a second backward pass through the same graph"


def test_gradients_equal_finite_differences() -> None:
    core, x, state = built("lstm", 3)
    assert isinstance(core, LSTM) and isinstance(x, Tensor)
    constant = torch.randn(EXAMPLES, 4 * HIDDEN, dtype=torch.float64, requires_grad=True)

    def steps(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        inputs, *weights = tensors
        return lstm_steps(inputs, Weights(*weights), torch.float64)

    assert torch.autograd.gradcheck(steps, (x, core.cell.weight_ih, core.cell.weight_hh, constant, *state))


def test_a_layer_norm_step_equals_a_transcription() -> None:
    core, inputs, state = built("layer-norm-lstm")
    assert isinstance(core, LayerNormLSTM) and isinstance(inputs, DroppedInputs) and inputs.keep is not None
    h, c = (leaf.detach().numpy() for leaf in state)
    weight_x, weight_h, gain, bias, cell_gain, cell_bias = (p.detach().numpy() for p in core.parameters())

    def norm(a: np.ndarray) -> np.ndarray:
        return (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + EPSILON)

    expected = []
    for x, keep in zip(inputs.x.detach().numpy(), inputs.keep.numpy(), strict=True):
        sums = x @ weight_x.T + h @ weight_h.T
        i, f, g, o = (norm(part) * gain[k] + bias[k] for k, part in enumerate(np.split(sums, 4, axis=1)))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g) * keep / 0.75
        h = sigmoid(o) * np.tanh(norm(c) * cell_gain + cell_bias)
        expected.append(h)
    outputs, _ = unroll(core, inputs, state)
    np.testing.assert_allclose(outputs.detach().numpy(), np.stack(expected), atol=1e-12)


@pytest.mark.parametrize("kind", ["lstm", "layer-norm-lstm"])
def test_bf16_products_stay_close_and_keep_the_state_in_full_precision(kind: str) -> None:
    core, x, state = built(kind)
    core, x, state = core.float(), map_tensors(lambda t: t.detach().float() if t.is_floating_point() else t, x), state
    state = map_tensors(lambda leaf: leaf.detach().float(), state)
    exact, _ = unroll(core, x, state)
    with torch.autocast("cpu", torch.bfloat16):
        rough, end = unroll(core, x, state)
    assert rough.dtype == end.c.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05
    exact.square().sum().backward()
    right = {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}
    core.zero_grad()
    rough.square().sum().backward()
    for name, p in core.named_parameters():
        if name in right and right[name].norm() > 0:
            assert p.grad is not None and (p.grad - right[name]).norm() < 0.05 * right[name].norm(), name


def test_without_gradients_the_gates_of_one_step_are_kept() -> None:
    core, x, state = built("lstm")
    with torch.no_grad():
        outputs, _ = unroll(core, x, state)
    torch.testing.assert_close(outputs, unroll(core, x, state)[0].detach())
