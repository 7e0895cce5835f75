"""A recurrent core that reads numbers and marks, and says at every step what the sum would be."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from saccade.adding.config import Config
from saccade.recurrent.cells import GRU, LSTM, Stacked, VanillaRNN
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.shared_weights import affine

KINDS = {
    "rnn-tanh": partial(VanillaRNN, nonlinearity="tanh"),
    "rnn-relu": partial(VanillaRNN, nonlinearity="relu"),
    "lstm": LSTM,
    "gru": GRU,
}
"""The cells, by name."""


class Adder(RecurrentCore[Tensor, Any, None, Tensor]):
    """A core, or a stack of them, with a linear answer: inputs [T, B, 2] (number, mark) to answers [T, B]."""

    core: AnyCore

    def __init__(self, config: Config) -> None:
        super().__init__()
        cells = [
            KINDS[config.core](2 if layer == 0 else config.hidden, config.hidden) for layer in range(config.layers)
        ]
        self.core = cells[0] if config.layers == 1 else Stacked(cells)
        self.answer = nn.Linear(config.hidden, 1)

    def initial_state(self, batch_size: int) -> Any:
        return self.core.initial_state(batch_size)

    def forward(self, inputs: Tensor, state: Any, context: None = None) -> tuple[Tensor, Any]:
        h, state = self.core(inputs, state, None)
        answer = affine((h,), (self.answer.weight,), (self.answer.bias,)).squeeze(1)
        return answer.float() if answer.dtype == torch.bfloat16 else answer, state

    def detach(self, state: Any) -> Any:
        return self.core.detach(state)
