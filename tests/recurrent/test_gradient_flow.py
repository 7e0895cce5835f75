"""`gradient_flow` against gradients that can be written down: geometric decay, the LSTM's carousel, exact zeros."""

from typing import Any

import pytest
import torch
from torch import Tensor

from saccade.recurrent.cells import LSTM, HiddenState, VanillaRNN
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.gradient_flow import gradient_flow

STEPS, EXAMPLES = 12, 3


class LinearRNN(RecurrentCore[Tensor, HiddenState, Any, Tensor]):
    """h_t = factor h_{t-1} + x_t."""

    def __init__(self, factor: float, size: int) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))
        self.size = size

    def initial_state(self, batch_size: int) -> HiddenState:
        return HiddenState(torch.zeros(batch_size, self.size))

    def forward(self, inputs: Tensor, state: HiddenState, context: Any = None) -> tuple[Tensor, HiddenState]:
        h = self.factor * state.h + inputs
        return h, HiddenState(h)


def last_sum(outputs: Tensor) -> Tensor:
    return outputs[-1].sum()


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, -0.25])
def test_a_linear_rnn_decays_or_grows_geometrically_and_exactly(factor: float) -> None:
    core = LinearRNN(factor, size=4)
    inputs = torch.randn(STEPS, EXAMPLES, 4, generator=torch.Generator().manual_seed(0))
    flow = gradient_flow(core, inputs, None, last_sum, batch_size=EXAMPLES)
    whole = (torch.ones(EXAMPLES, 4)).norm()
    expected = torch.stack([abs(factor) ** (STEPS - 1 - t) * whole for t in range(STEPS)])
    assert torch.equal(flow["h"], expected)  # powers of two: not a bit is lost


def test_a_loss_at_every_step_adds_up() -> None:
    core = LinearRNN(0.5, size=1)
    flow = gradient_flow(core, torch.ones(STEPS, 1, 1), None, torch.sum, batch_size=1)
    expected = torch.tensor([sum(0.5**d for d in range(STEPS - t)) for t in range(STEPS)])
    assert torch.equal(flow["h"], expected)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_truncation_gives_exact_zeros_beyond_the_window_and_nothing_else(window: int) -> None:
    core = LinearRNN(0.5, size=4)
    inputs = torch.ones(STEPS, EXAMPLES, 4)
    full = gradient_flow(core, inputs, None, last_sum, batch_size=EXAMPLES)["h"]
    cut = gradient_flow(core, inputs, None, last_sum, batch_size=EXAMPLES, detach_every=window)["h"]
    reached = (STEPS - 1) // window * window  # the last cut lies before this step
    assert torch.equal(cut[:reached], torch.zeros(reached))
    assert torch.equal(cut[reached:], full[reached:])
    assert (full > 0).all()


def test_the_shipped_vanilla_rnn_decays_by_its_matrix() -> None:
    core = VanillaRNN(2, 3, "relu").double()
    turn = torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.0, 0.5], [0.5, 0.0, 0.0]])  # half of a permutation: norms halve
    with torch.no_grad():
        core.cell.weight_hh.copy_(turn)
        core.cell.weight_ih.fill_(1.0)
        core.cell.bias_ih.zero_()
        core.cell.bias_hh.zero_()
    inputs = torch.ones(STEPS, EXAMPLES, 2, dtype=torch.float64)  # positive: the rectifier lets all pass
    flow = gradient_flow(core, inputs, None, lambda outputs: outputs[-1, :, 0].sum(), batch_size=EXAMPLES)
    expected = torch.tensor([0.5 ** (STEPS - 1 - t) * EXAMPLES**0.5 for t in range(STEPS)], dtype=torch.float64)
    torch.testing.assert_close(flow["h"], expected, atol=0, rtol=1e-12)


def test_along_an_lstms_cell_the_gradient_is_multiplied_by_the_forget_gate() -> None:
    core = LSTM(2, 3).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.zero_()
        core.cell.bias_ih[3:6] = 2.0  # the forget gate's bias; all other gates are half open, the new content is 0
    inputs = torch.zeros(STEPS, 1, 2, dtype=torch.float64)
    flow = gradient_flow(core, inputs, None, last_sum, batch_size=1)
    forget = torch.sigmoid(torch.tensor(2.0, dtype=torch.float64))
    into_answer = 0.5 * 3**0.5  # d h_T / d c_T = o (1 - tanh(c_T)^2) = 1/2 for each of three units, since c = 0
    expected = torch.stack([into_answer * forget ** (STEPS - 1 - t) for t in range(STEPS - 1)])
    torch.testing.assert_close(flow["c"][:-1], expected, atol=0, rtol=1e-12)
    assert flow["c"][-1] == 0  # h_T, not c_T, is read
    assert (flow["h"][:-1] == 0).all()  # no matrix leads from h to a later step
