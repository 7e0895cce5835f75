"""The table of cores for the conformance tests, and what these tests compute of a core."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saccade.recurrent.cells import GRU, LSTM, LSTMState, Stacked, VanillaRNN
from saccade.recurrent.conv_lstm import ConvLSTM
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.feedback import Feedback
from saccade.recurrent.layer_norm_lstm import DroppedInputs, LayerNormLSTM
from saccade.recurrent.soft_attention import AdditiveAttention, DotProductAttention, Memory
from saccade.recurrent.tree import count, map_tensors, named_tensors, take

STEPS = 6
LENGTHS = (6, 1, 4, 3)
"""Of the examples of a padded batch, again from the start in a larger one."""


class Case(NamedTuple):
    build: Callable[[], AnyCore]
    episode: Callable[[int, int], tuple[Any, Any]]  # (steps, examples) -> inputs [T, B, ...] and context [B, ...]
    steps: int = STEPS
    accumulates: bool = False  # has a state that truncation spares
    exact: bool = True  # answers in float64 where its weights are float64
    carries_gradient: bool = True  # False: by design no gradient goes through its state
    one_way: bool = True  # padded batches go the way of whole ones, fused or stepped; False: only whole ones are fused
    split: bool = True  # split in two, it gives the same bits; False: its sums over all steps at once round otherwise
    bitwise: bool = True  # a padded batch gives the same bits; False: its readout gathers rows, whose place rounds


def sequence(steps: int, examples: int) -> tuple[Tensor, None]:
    return torch.randn(steps, examples, 3, generator=torch.Generator().manual_seed(1)), None


def sequence_and_memory(steps: int, examples: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(6)
    mask = torch.rand(examples, 5, generator=generator) < 0.6
    return sequence(steps, examples)[0], (torch.randn(examples, 5, 4, generator=generator), mask)


def dropped_sequence(steps: int, examples: int) -> tuple[DroppedInputs, None]:
    generator = torch.Generator().manual_seed(7)
    return DroppedInputs(sequence(steps, examples)[0], torch.rand(steps, examples, 7, generator=generator) < 0.8), None


class Attending(RecurrentCore[Tensor, LSTMState, Memory, Tensor]):
    """An LSTM that reads a memory at every step. Context: the memory and its mask."""

    def __init__(self, attention: AdditiveAttention | DotProductAttention) -> None:
        super().__init__()
        self.attention, self.cell = attention, LSTM(3 + 4, 7)

    def initial_state(self, batch_size: int) -> LSTMState:
        return self.cell.initial_state(batch_size)

    def prepare(self, context: tuple[Tensor, Tensor]) -> Memory:
        return self.attention.prepare(*context)

    def forward(self, inputs: Tensor, state: LSTMState, context: Memory) -> tuple[Tensor, LSTMState]:
        read = self.attention(state.h, context)
        return self.cell(torch.cat([inputs, read.context], dim=1), state)


class Choose(nn.Module):
    """A choice that can be differentiated, with weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(7, 3)

    def forward(self, output: Tensor, noise: Tensor) -> Tensor:
        return torch.tanh(self.linear(output) + noise)


def fed_back() -> AnyCore:
    choose = Choose()
    return Feedback(LSTM(3, 7), choose, lambda size: choose.linear.weight.new_zeros(size, 3))


def maps(steps: int, examples: int) -> tuple[Tensor, None]:
    return torch.randn(steps, examples, 2, 4, 5, generator=torch.Generator().manual_seed(9)), None


CASES = {
    "rnn": Case(lambda: VanillaRNN(3, 7), sequence),
    "rnn-tanh": Case(lambda: VanillaRNN(3, 7, "tanh"), sequence),
    "lstm": Case(lambda: LSTM(3, 7), sequence),
    "gru": Case(lambda: GRU(3, 7), sequence),
    "layer-norm-lstm": Case(lambda: LayerNormLSTM(3, 7), lambda *size: (DroppedInputs(sequence(*size)[0], None), None)),
    "layer-norm-lstm-dropout": Case(lambda: LayerNormLSTM(3, 7, 0.8), dropped_sequence),
    "stacked": Case(lambda: Stacked([LSTM(3, 7), GRU(7, 5), VanillaRNN(5, 4)]), sequence),
    "attending-additive": Case(lambda: Attending(AdditiveAttention(4, 7, 6)), sequence_and_memory),
    "attending-dot-product": Case(lambda: Attending(DotProductAttention(4, 7, scaled=True)), sequence_and_memory),
    "feedback": Case(fed_back, sequence),
    "conv-lstm": Case(lambda: ConvLSTM(2, 3, 3, 4, 5), maps),
}


def made(case: Case, examples: int = 4, *, double: bool = False) -> tuple[AnyCore, Any, Any, Any]:
    """The core, its inputs, initial state and context, the same at every call."""
    torch.manual_seed(0)
    core = case.build()
    inputs, context = case.episode(case.steps, examples)
    if double:
        core.double()
        cast = lambda leaf: leaf.double() if leaf.is_floating_point() else leaf  # noqa: E731
        inputs, context = map_tensors(cast, inputs), map_tensors(cast, context)
    return core, inputs, core.initial_state(count(inputs, axis=1)), context


def equal(a: Any, b: Any) -> bool:
    """Tell if two trees are the same bit for bit; NaN equals NaN."""
    one, other = (named_tensors(map_tensors(torch.nan_to_num, tree)) for tree in (a, b))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    one, other = named_tensors(a), named_tensors(b)
    assert one.keys() == other.keys()
    for name in one:
        message = lambda text, name=name: f"{name}: {text}"  # noqa: E731
        torch.testing.assert_close(one[name], other[name], atol=tolerance, rtol=tolerance, equal_nan=True, msg=message)


def measured(outputs: Any) -> Tensor:
    """A scalar that depends on every floating output that carries gradients, on each of them differently."""
    leaves = [leaf for leaf in named_tensors(outputs).values() if leaf.requires_grad]
    return sum(((i + 1) * leaf.sin()).sum() for i, leaf in enumerate(leaves))  # type: ignore[return-value]


def gradients(core: AnyCore, total: Tensor) -> dict[str, Tensor]:
    core.zero_grad()
    total.backward()
    return {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}


def example(tree: Any, i: int, axis: int = 0) -> Any:
    """Example i of a batch, as a batch of one."""
    return take(tree, slice(i, i + 1), axis)


def lengths_of(case: Case, rows: int) -> Tensor:
    """Different lengths, as many as the core's steps allow."""
    return torch.tensor([min(case.steps, LENGTHS[i % len(LENGTHS)]) for i in range(rows)])
