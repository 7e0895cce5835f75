"""The adding problem (Hochreiter & Schmidhuber 1997, section 5.4): a memory task of any length for any core.

A sequence of numbers goes by, two of them marked; at its end the core says their sum. This variant (Arjovsky et al.
2016, section 5.2) draws the numbers from [0, 1] and marks one in each half, so that the answer needs a memory of T / 2
steps at least. Who always says 1 has a mean squared error of 1/6 = 0.167, however long the sequence.

It is no system beside glimpse/ and draw/: the contract of a system is about images of a dataset with class labels, seen
epoch by epoch, and here nothing but numbers is drawn, for every update anew.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.recurrent.cells import GRU, LSTM, Stacked, VanillaRNN
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.unroll import unroll

KINDS = {
    "rnn-tanh": partial(VanillaRNN, nonlinearity="tanh"),
    "rnn-relu": partial(VanillaRNN, nonlinearity="relu"),
    "lstm": LSTM,
    "gru": GRU,
}
"""The cells that are compared, by name."""

BLIND_ERROR = 1 / 6
"""Mean squared error of always answering 1: the variance of a sum of two numbers uniform in [0, 1]."""

HELD_OUT_SEED = 1 << 40  # of the sequences that no training draws


class Sequences(NamedTuple):
    """Numbers and marks [T, B, 2], and the sums of the marked numbers [B]."""

    inputs: Tensor
    sums: Tensor


class Adder(RecurrentCore[Tensor, Any, Any, Tensor]):
    """A core, or a stack of them, whose last output answers: inputs [T, B, 2] to sums [B]."""

    def __init__(self, kind: str, hidden: int = 32, layers: int = 1) -> None:
        super().__init__()
        cells = [KINDS[kind](2 if layer == 0 else hidden, hidden) for layer in range(layers)]
        self.core = cells[0] if layers == 1 else Stacked(cells)
        self.answer = nn.Linear(hidden, 1)

    def initial_state(self, batch_size: int) -> Any:
        return self.core.initial_state(batch_size)

    def forward(self, inputs: Tensor, state: Any, context: Any = None) -> tuple[Tensor, Any]:
        return self.core(inputs, state, context)

    def readout(self, outputs: Tensor, state: Any) -> Tensor:
        """The answer after the last step [B], from the outputs of all [T, B, H]."""
        return self.answer(outputs[-1]).squeeze(1)

    def detach(self, state: Any) -> Any:
        return self.core.detach(state)


def sequences(length: int, count: int, seed: int) -> Sequences:
    """`count` sequences of `length` numbers uniform in [0, 1], one number marked in each half.

    Raises:
        InputError: fewer than 2 numbers.
    """
    if length < 2:
        raise InputError("sequences of 2 numbers or more", str(length), "ask for more steps")
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.rand(length, count, generator=generator)
    half = length // 2
    first = torch.randint(0, half, (1, count), generator=generator)
    second = torch.randint(half, length, (1, count), generator=generator)
    marks = torch.zeros(length, count).scatter_(0, torch.cat([first, second]), 1.0)
    return Sequences(torch.stack([numbers, marks], dim=2), (numbers * marks).sum(0))


def answers(adder: Adder, inputs: Tensor, detach_every: int | None = None) -> Tensor:
    """What the adder says to sequences [T, B, 2]: [B]."""
    state = adder.initial_state(inputs.shape[1])
    return unroll(adder, inputs, state, detach_every=detach_every)[0]


class Lesson(NamedTuple):
    """How an adder is trained: every update sees a batch of new sequences, under Adam with a clipped gradient."""

    length: int
    updates: int
    batch_size: int = 50
    learning_rate: float = 2e-2
    clip: float = 1.0
    seed: int = 0


def train(adder: Adder, lesson: Lesson) -> list[float]:
    """Train in place; the mean squared error of every update's batch, before that update.

    Raises:
        InputError: the error is not finite.
    """
    optimizer = torch.optim.Adam(adder.parameters(), lesson.learning_rate, fused=True)
    errors = []
    for update in range(lesson.updates):
        drawn = sequences(lesson.length, lesson.batch_size, lesson.seed * 1_000_003 + update)
        loss = F.mse_loss(answers(adder, drawn.inputs), drawn.sums)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(adder.parameters(), lesson.clip)
        optimizer.param_groups[0]["lr"] = lesson.learning_rate * (1 - update / lesson.updates)
        optimizer.step()
        errors.append(loss.item())
        if not math.isfinite(errors[-1]):
            raise InputError("a finite error", f"{errors[-1]} at update {update}", "lower the learning rate")
    return errors


@torch.no_grad()
def held_out_error(adder: Adder, length: int, count: int = 1000) -> float:
    """Mean squared error on sequences that no training saw; compare with `BLIND_ERROR`."""
    drawn = sequences(length, count, HELD_OUT_SEED)
    return F.mse_loss(answers(adder, drawn.inputs), drawn.sums).item()
