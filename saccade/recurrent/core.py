"""The recurrent contract, and the three classical cells as cores: vanilla RNN, LSTM, GRU; and a stack of cores.

The cells' parameters, their names and their initialisation are torch's own (`nn.RNNCell`, `nn.LSTMCell`,
`nn.GRUCell`); the step is written out with `affine`, so that the gradients of the weights, which all steps share,
are taken once per unroll instead of once per step.
"""

from typing import Any, Generic, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from saccade.recurrent.lstm_gates import lstm_gates
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.tree import map_tensors

Inputs = TypeVar("Inputs")
State = TypeVar("State")
Context = TypeVar("Context")
Output = TypeVar("Output")


class RecurrentCore(nn.Module, Generic[Inputs, State, Context, Output]):
    """State in, state out: `output, state = core(inputs, state, context)`, one step; `unroll` does the rest.

    A step is a pure function of its arguments: whatever is random comes in with the inputs.
    """

    def initial_state(self, batch_size: int) -> State:
        """The state before the first step; every leaf [B, ...]."""
        raise NotImplementedError

    def forward(self, inputs: Inputs, state: State, context: Context) -> tuple[Output, State]:
        """One step. Inputs and context leaves [B, ...]; output leaves [B, ...]; the state keeps its structure."""
        raise NotImplementedError

    def prepare(self, context: Context) -> Any:
        """What a step needs of the context, computed once per unroll (e.g. padded images). The context by default."""
        return context

    def passage(self, inputs: Any, state: State, context: Any) -> tuple[Any, State] | None:
        """All steps at once, where the core knows a faster way to what stepping gives (up to rounding): the stacked
        outputs [T, B, ...] and the last state. `context` is prepared. None, the default: it must be stepped."""
        return None

    def readout(self, outputs: Any, state: State) -> Any:
        """What follows from the steps and does not feed back, for all steps at once: from what `forward` gave, stacked
        [T, B, ...], and the last state to what `unroll` returns. The stacked outputs by default."""
        return outputs

    def detach(self, state: State) -> State:
        """The truncation point of truncated BPTT: memory is cut. A core that accumulates spares its accumulator."""
        return map_tensors(Tensor.detach, state)


class HiddenState(NamedTuple):
    """State of a vanilla RNN or a GRU: h [B, H]."""

    h: Tensor


class LSTMState(NamedTuple):
    """State of an LSTM: output h and cell c, each [B, H]."""

    h: Tensor
    c: Tensor


class _Cell(RecurrentCore[Tensor, State, Any, Tensor]):
    """A torch cell as a core: inputs [B, I] to outputs [B, H]; the context is not used."""

    cell: nn.RNNCell | nn.LSTMCell | nn.GRUCell

    @property
    def output_size(self) -> int:
        return self.cell.hidden_size

    def zeros(self, batch_size: int) -> Tensor:
        return self.cell.weight_hh.new_zeros(batch_size, self.cell.hidden_size)


class VanillaRNN(_Cell[HiddenState]):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), f the rectifier (as RAM) or tanh."""

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: Literal["relu", "tanh"] = "relu") -> None:
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size, nonlinearity=nonlinearity)

    def initial_state(self, batch_size: int) -> HiddenState:
        return HiddenState(self.zeros(batch_size))

    def forward(self, inputs: Tensor, state: HiddenState, context: Any = None) -> tuple[Tensor, HiddenState]:
        cell = self.cell
        rectify = cell.nonlinearity == "relu"
        h = affine((inputs, state.h), (cell.weight_ih, cell.weight_hh), (cell.bias_ih, cell.bias_hh), relu=rectify)
        h = h if rectify else torch.tanh(h)
        return h, HiddenState(h)


class LSTM(_Cell[LSTMState]):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), gates in torch's order: input, forget, cell, output.

    The forget gate's bias starts at 1 (Jozefowicz et al. 2015): a fresh LSTM remembers.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        with torch.no_grad():
            self.cell.bias_ih[hidden_size : 2 * hidden_size] = 1.0
            self.cell.bias_hh[hidden_size : 2 * hidden_size] = 0.0

    def initial_state(self, batch_size: int) -> LSTMState:
        return LSTMState(self.zeros(batch_size), self.zeros(batch_size))

    def forward(self, inputs: Tensor, state: LSTMState, context: Any = None) -> tuple[Tensor, LSTMState]:
        cell = self.cell
        gates = affine((inputs, state.h), (cell.weight_ih, cell.weight_hh), (cell.bias_ih, cell.bias_hh))
        h, c = lstm_gates(gates, state.c)
        return h, LSTMState(h, c)


class GRU(_Cell[HiddenState]):
    """Gated recurrent unit (Cho et al. 2014) in torch's form: the reset gate acts after the recurrent product."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> HiddenState:
        return HiddenState(self.zeros(batch_size))

    def forward(self, inputs: Tensor, state: HiddenState, context: Any = None) -> tuple[Tensor, HiddenState]:
        cell = self.cell
        reset_i, update_i, new_i = affine((inputs,), (cell.weight_ih,), (cell.bias_ih,)).chunk(3, dim=1)
        reset_h, update_h, new_h = affine((state.h,), (cell.weight_hh,), (cell.bias_hh,)).chunk(3, dim=1)
        update = torch.sigmoid(update_i + update_h).to(state.h.dtype)
        new = torch.tanh(new_i + torch.sigmoid(reset_i + reset_h) * new_h).to(state.h.dtype)
        h = new + update * (state.h - new)
        return h, HiddenState(h)


class Stacked(RecurrentCore[Any, tuple[Any, ...], Any, Any]):
    """A stack of cores, each with its own weights: a layer's output is the next one's input. State: a tuple."""

    def __init__(self, layers: list[RecurrentCore[Any, Any, Any, Any]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size  # type: ignore[return-value]

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        return tuple(layer.initial_state(batch_size) for layer in self.layers)  # type: ignore[operator]

    def forward(self, inputs: Any, state: tuple[Any, ...], context: Any = None) -> tuple[Any, tuple[Any, ...]]:
        states = []
        for layer, layer_state in zip(self.layers, state, strict=True):
            inputs, layer_state = layer(inputs, layer_state, context)
            states.append(layer_state)
        return inputs, tuple(states)

    def detach(self, state: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(layer.detach(s) for layer, s in zip(self.layers, state, strict=True))  # type: ignore[operator]


CELLS = {"rnn": VanillaRNN, "lstm": LSTM, "gru": GRU}


def build_core(kind: Literal["rnn", "lstm", "gru"], input_size: int, hidden_size: int, layers: int) -> Any:
    """One cell, or a stack of them; `output_size` is its outputs' width."""
    sizes = [input_size] + [hidden_size] * (layers - 1)
    cells = [CELLS[kind](size, hidden_size) for size in sizes]
    return cells[0] if layers == 1 else Stacked(cells)
