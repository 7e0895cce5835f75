"""The classical cells as cores: vanilla RNN, LSTM and GRU; and a stack of cores.

The cells' parameters, their names and their initialisation are torch's own (`nn.RNNCell`, `nn.LSTMCell`,
`nn.GRUCell`). The step is written out with `affine`, so that the gradients of the weights, which all steps share, are
computed once per unroll instead of once per step.
"""

from collections.abc import Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.fused_gru import GRUWeights, gru_steps
from saccade.recurrent.fused_lstm import Weights, lstm_steps
from saccade.recurrent.gru_gates import gru_gates
from saccade.recurrent.lstm_gates import lstm_gates
from saccade.recurrent.sequence import Lengths, last
from saccade.recurrent.shared_weights import affine, compute_type
from saccade.recurrent.tree import Tree
from saccade.recurrent.unroll import unroll

Kind = Literal["rnn", "lstm", "gru"]


class HiddenState(NamedTuple):
    """State of a vanilla RNN or a GRU."""

    h: Float[Tensor, "B H"]


class LSTMState(NamedTuple):
    """State of an LSTM: output h and cell c."""

    h: Float[Tensor, "B H"]
    c: Float[Tensor, "B H"]


CoreState: TypeAlias = tuple[Tree, ...]
"""State of a core of `build_core`: a `HiddenState`, an `LSTMState`, or a tuple of them, one a layer."""


def hidden_of(state: CoreState) -> Float[Tensor, "B H"]:
    """Return h of the topmost layer."""
    top = state if isinstance(state, HiddenState | LSTMState) else state[-1]
    assert isinstance(top, HiddenState | LSTMState)
    return top.h


CellState = TypeVar("CellState", HiddenState, LSTMState)


TorchCell = TypeVar("TorchCell", nn.RNNCell, nn.LSTMCell, nn.GRUCell)


class _Cell(RecurrentCore[Tensor, CellState, object, Tensor], Generic[TorchCell, CellState]):
    """A torch cell as a core: inputs [B, I] to outputs [B, H]. The context is not used."""

    cell: TorchCell

    @property
    def output_size(self) -> int:
        """Width of the outputs, H."""
        return self.cell.hidden_size

    def zeros(self, batch_size: int) -> Float[Tensor, "B H"]:
        """Return zeros in the weights' type."""
        return self.cell.weight_hh.new_zeros(batch_size, self.cell.hidden_size)


class VanillaRNN(_Cell[nn.RNNCell, HiddenState]):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), f the rectifier (as in RAM) or tanh."""

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: Literal["relu", "tanh"] = "relu") -> None:
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size, nonlinearity=nonlinearity)

    def initial_state(self, batch_size: int) -> HiddenState:
        return HiddenState(self.zeros(batch_size))

    def forward(
        self, inputs: Float[Tensor, "B I"], state: HiddenState, context: object = None
    ) -> tuple[Float[Tensor, "B H"], HiddenState]:
        cell = self.cell
        rectify = cell.nonlinearity == "relu"
        h = affine((inputs, state.h), (cell.weight_ih, cell.weight_hh), (cell.bias_ih, cell.bias_hh), relu=rectify)
        h = h if rectify else torch.tanh(h)
        return h, HiddenState(h)


class LSTM(_Cell[nn.LSTMCell, LSTMState]):
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

    def forward(
        self, inputs: Float[Tensor, "B I"], state: LSTMState, context: object = None
    ) -> tuple[Float[Tensor, "B H"], LSTMState]:
        cell = self.cell
        gates = affine((inputs, state.h), (cell.weight_ih, cell.weight_hh), (cell.bias_ih, cell.bias_hh))
        h, c = lstm_gates(gates, state.c)
        return h, LSTMState(h, c)

    def enter(self, inputs: Float[Tensor, "R I"]) -> Float[Tensor, "R four_H"]:
        """Return the gates' part that depends on the inputs alone, which may be computed for all steps at once."""
        return affine((inputs,), (self.cell.weight_ih,), (self.cell.bias_ih, self.cell.bias_hh))

    def advance(self, entered: Float[Tensor, "B four_H"], state: LSTMState) -> tuple[Float[Tensor, "B H"], LSTMState]:
        """Take a step from what `enter` returned: `forward(inputs, state)` is `advance(enter(inputs), state)`."""
        h, c = lstm_gates(entered + affine((state.h,), (self.cell.weight_hh,)), state.c)
        return h, LSTMState(h, c)

    def fused(
        self, inputs: Float[Tensor, "T B I"], state: LSTMState, context: object = None, lengths: Lengths = None
    ) -> tuple[Float[Tensor, "T B H"], LSTMState]:
        """Take all steps at once: see `saccade.recurrent.fused_lstm`."""
        cell = self.cell
        constant = (cell.bias_ih + cell.bias_hh)[None]
        weights = Weights(cell.weight_ih, cell.weight_hh, constant, state.h, state.c)
        hs, cs = lstm_steps(inputs, weights, compute_type(cell.weight_hh))
        return hs, last(LSTMState(hs, cs), lengths)


class GRU(_Cell[nn.GRUCell, HiddenState]):
    """Gated recurrent unit (Cho et al. 2014) in torch's form: the reset gate acts after the recurrent product."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> HiddenState:
        return HiddenState(self.zeros(batch_size))

    def forward(
        self, inputs: Float[Tensor, "B I"], state: HiddenState, context: object = None
    ) -> tuple[Float[Tensor, "B H"], HiddenState]:
        return self.advance(self.enter(inputs), state)

    def enter(self, inputs: Float[Tensor, "R I"]) -> Float[Tensor, "R three_H"]:
        """Return the gates' part that depends on the inputs alone, which may be computed for all steps at once."""
        return affine((inputs,), (self.cell.weight_ih,), (self.cell.bias_ih,))

    def advance(
        self, entered: Float[Tensor, "B three_H"], state: HiddenState
    ) -> tuple[Float[Tensor, "B H"], HiddenState]:
        """Take a step from what `enter` returned."""
        h = gru_gates(entered, affine((state.h,), (self.cell.weight_hh,), (self.cell.bias_hh,)), state.h)
        return h, HiddenState(h)

    def fused(
        self, inputs: Float[Tensor, "T B I"], state: HiddenState, context: object = None, lengths: Lengths = None
    ) -> tuple[Float[Tensor, "T B H"], HiddenState]:
        """Take all steps at once: see `saccade.recurrent.fused_gru`."""
        cell = self.cell
        weights = GRUWeights(cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, state.h)
        hs = gru_steps(inputs, weights, compute_type(cell.weight_hh))
        return hs, HiddenState(last(hs, lengths))


class Stacked(RecurrentCore[Any, tuple[Tree, ...], Any, Any]):
    """A stack of cores, each with its own weights: a layer's output is the next one's input.

    The state is a tuple, a state for every layer; all layers get the same context.
    """

    def __init__(self, layers: Sequence[AnyCore]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @property
    def _cores(self) -> list[AnyCore]:
        return cast(list[AnyCore], list(self.layers))

    @property
    def output_size(self) -> int:
        """Width of the outputs: the last layer's."""
        return cast(int, self.layers[-1].output_size)

    def initial_state(self, batch_size: int) -> tuple[Tree, ...]:
        return tuple(layer.initial_state(batch_size) for layer in self._cores)

    def forward(self, inputs: Tree, state: tuple[Tree, ...], context: object = None) -> tuple[Tree, tuple[Tree, ...]]:
        states: list[Tree] = []
        for layer, before in zip(self._cores, state, strict=True):
            inputs, after = layer(inputs, before, context)
            states.append(after)
        return inputs, tuple(states)

    def fused(
        self, inputs: Tree, state: tuple[Tree, ...], context: Any = None, lengths: Lengths = None
    ) -> tuple[Tree, tuple[Tree, ...]]:
        """Take all steps of a layer before the next one's."""
        states: list[Tree] = []
        for layer, before in zip(self._cores, state, strict=True):
            inputs, after = unroll(layer, inputs, before, context, lengths=lengths)
            states.append(after)
        return inputs, tuple(states)

    def detach(self, state: tuple[Tree, ...]) -> tuple[Tree, ...]:
        return tuple(layer.detach(part) for layer, part in zip(self._cores, state, strict=True))


CELLS: dict[Kind, type[VanillaRNN | LSTM | GRU]] = {"rnn": VanillaRNN, "lstm": LSTM, "gru": GRU}


def build_core(kind: Kind, input_size: int, hidden_size: int, layers: int) -> VanillaRNN | LSTM | GRU | Stacked:
    """Build one cell, or a stack of them; `output_size` is the width of its outputs."""
    sizes = [input_size] + [hidden_size] * (layers - 1)
    cells = [CELLS[kind](size, hidden_size) for size in sizes]
    return cells[0] if layers == 1 else Stacked(cells)
