"""A recurrent core that reads numbers and marks, and answers with the sum at every step."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.adding.config import Config
from saccade.recurrent.cells import GRU, LSTM, CoreState, Stacked, VanillaRNN
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.shared_weights import affine

KINDS = {
    "rnn-tanh": partial(VanillaRNN, nonlinearity="tanh"),
    "rnn-relu": partial(VanillaRNN, nonlinearity="relu"),
    "lstm": LSTM,
    "gru": GRU,
}
"""The cells, by name."""


class Adder(RecurrentCore[Tensor, CoreState, None, Tensor]):
    """A core, or a stack of them, with a linear output. Inputs: (number, mark); no context."""

    core: AnyCore

    def __init__(self, config: Config) -> None:
        super().__init__()
        cells = [
            KINDS[config.core](2 if layer == 0 else config.hidden, config.hidden) for layer in range(config.layers)
        ]
        self.core = cells[0] if config.layers == 1 else Stacked(cells)
        self.answer = nn.Linear(config.hidden, 1)

    def initial_state(self, batch_size: int) -> CoreState:
        return self.core.initial_state(batch_size)

    def forward(
        self, inputs: Float[Tensor, "B 2"], state: CoreState, context: None = None
    ) -> tuple[Float[Tensor, " B"], CoreState]:
        h, state = self.core(inputs, state, None)
        answer = affine((h,), (self.answer.weight,), (self.answer.bias,)).squeeze(1)
        return answer.float() if answer.dtype == torch.bfloat16 else answer, state

    def detach(self, state: CoreState) -> CoreState:
        return self.core.detach(state)
