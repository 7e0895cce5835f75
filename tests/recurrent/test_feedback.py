"""Sampling by `Feedback` against loops written by hand, on a small language model."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from saccade.recurrent.cells import LSTM, LSTMState
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.feedback import Feedback
from saccade.recurrent.sequence import lengths_until
from saccade.recurrent.shared_weights import shared_weights
from saccade.recurrent.unroll import unroll

SYMBOLS, START, END = 6, 0, 1
STEPS, EXAMPLES = 9, 5


class Speller(RecurrentCore[Tensor, LSTMState, Tensor, Tensor]):
    """Symbols int64 [B] to the logits of the next one [B, K]; `readout` makes probabilities. Context: a bias [B, K]."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.logits = LSTM(SYMBOLS, 8), nn.Linear(8, SYMBOLS)

    def initial_state(self, batch_size: int) -> LSTMState:
        return self.cell.initial_state(batch_size)

    def prepare(self, context: Tensor) -> Tensor:
        return context.double()

    def forward(self, inputs: Tensor, state: LSTMState, context: Tensor) -> tuple[Tensor, LSTMState]:
        h, state = self.cell(nn.functional.one_hot(inputs, SYMBOLS).double(), state)
        return 4 * self.logits(h) + context, state

    def readout(self, outputs: Tensor, state: LSTMState) -> Tensor:
        return outputs.softmax(2)


def greedy(logits: Tensor, noise: Tensor) -> Tensor:
    return logits.argmax(1)


def sampled(logits: Tensor, noise: Tensor) -> Tensor:
    """A sample of softmax(logits), by the Gumbel maximum of uniform noise [B, K]."""
    return (logits - (-noise.log()).log()).argmax(1)


def moved(output: Tensor, noise: Tensor) -> Tensor:
    return output + noise


def start(batch_size: int) -> Tensor:
    return torch.full((batch_size,), START)


@pytest.fixture
def core() -> Speller:
    torch.manual_seed(0)
    return Speller().double()


@pytest.fixture
def context() -> Tensor:
    return torch.randn(EXAMPLES, SYMBOLS, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def noise() -> Tensor:
    return torch.rand(STEPS, EXAMPLES, SYMBOLS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("choose", [greedy, sampled])
@torch.no_grad()
def test_it_equals_a_loop_written_by_hand(
    core: Speller, context: Tensor, noise: Tensor, choose: Callable[[Tensor, Tensor], Tensor]
) -> None:
    feedback = Feedback(core, choose, start)
    outputs, state = unroll(feedback, noise, feedback.initial_state(EXAMPLES), context)
    symbol, inner = start(EXAMPLES), core.initial_state(EXAMPLES)
    with shared_weights():
        for t in range(STEPS):
            logits, inner = core(symbol, inner, context.double())
            symbol = choose(logits, noise[t])
            assert torch.equal(outputs.choice[t], symbol)
            assert torch.equal(outputs.output[t], logits.softmax(1))
    assert torch.equal(state.choice, symbol) and torch.equal(state.core.h, inner.h)
    assert len(outputs.choice.unique()) > 2


@torch.no_grad()
def test_training_on_what_was_sampled_gives_the_same_outputs(core: Speller, context: Tensor, noise: Tensor) -> None:
    feedback = Feedback(core, sampled, start)
    outputs, _ = unroll(feedback, noise, feedback.initial_state(EXAMPLES), context)
    seen = torch.cat([start(EXAMPLES)[None], outputs.choice[:-1]])
    assert torch.equal(unroll(core, seen, core.initial_state(EXAMPLES), context)[0], outputs.output)


@torch.no_grad()
def test_the_same_noise_gives_the_same_sample_and_greedy_needs_none(
    core: Speller, context: Tensor, noise: Tensor
) -> None:
    def chosen(choose: Callable[[Tensor, Tensor], Tensor], noise: Tensor) -> Tensor:
        feedback = Feedback(core, choose, start)
        return unroll(feedback, noise, feedback.initial_state(EXAMPLES), context)[0].choice

    assert torch.equal(chosen(sampled, noise), chosen(sampled, noise))
    assert not torch.equal(chosen(sampled, noise), chosen(sampled, noise.flip(0)))
    assert torch.equal(chosen(greedy, noise), chosen(greedy, torch.zeros(STEPS, EXAMPLES)))


@torch.no_grad()
def test_samples_follow_the_probabilities(core: Speller) -> None:
    many = 4000
    context = torch.tensor([[0.0, 1.0, 2.0, -1.0, 0.5, 0.0]]).expand(many, -1)
    uniform = torch.rand(1, many, SYMBOLS, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    feedback = Feedback(core, sampled, start)
    outputs, _ = unroll(feedback, uniform, feedback.initial_state(many), context)
    found = torch.bincount(outputs.choice[0], minlength=SYMBOLS) / many
    torch.testing.assert_close(found.double(), outputs.output[0, 0], atol=0.03, rtol=0)


@torch.no_grad()
def test_lengths_end_a_sample_at_its_first_end(core: Speller, context: Tensor, noise: Tensor) -> None:
    feedback = Feedback(core, sampled, start)
    free, _ = unroll(feedback, noise, feedback.initial_state(EXAMPLES), context)
    lengths = lengths_until(free.choice == END)
    assert lengths.min() < STEPS
    cut, state = unroll(feedback, noise, feedback.initial_state(EXAMPLES), context, lengths=lengths)
    for i, length in enumerate(lengths.tolist()):
        assert torch.equal(cut.choice[:length, i], free.choice[:length, i])
        assert (cut.choice[length:, i] == 0).all() and (cut.output[length:, i] == 0).all()
        assert state.choice[i] == free.choice[length - 1, i]


def test_truncation_cuts_the_choice_too() -> None:
    feedback = Feedback(LSTM(7, 7), moved, lambda size: torch.zeros(size, 7))
    _, state = unroll(feedback, torch.randn(2, 3, 7), feedback.initial_state(3))
    assert state.choice.requires_grad
    assert not any(leaf.requires_grad for leaf in (feedback.detach(state).choice, *feedback.detach(state).core))
