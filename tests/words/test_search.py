"""Beam search against enumeration of all sentences, and against a literal search of one sentence at a time."""

from itertools import product
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.recurrent.cells import LSTM, LSTMState
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.unroll import unroll
from saccade.words.largest import BLOCK, largest, normaliser
from saccade.words.sampling import sample, sampled_symbol
from saccade.words.search import STEPS_AT_ONCE, Hypotheses, beam_search, done, teacher
from saccade.words.symbols import BEGIN, END, NEVER_WRITTEN, PAD

WORDS = 6  # the four special symbols and two words


class Written(NamedTuple):
    h: Tensor
    seen: Tensor


class Writer(RecurrentCore[Tensor, LSTMState, Tensor, Written]):
    """A core that reads symbols and a context vector; its scores depend on all symbols so far."""

    def __init__(self, words: int = WORDS, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embed, self.cell, self.out = nn.Embedding(words, width), LSTM(2 * width, width), nn.Linear(width, words)
        nn.init.normal_(self.out.weight, std=2.0)

    def initial_state(self, batch_size: int) -> LSTMState:
        return self.cell.initial_state(batch_size)

    def forward(self, inputs: Tensor, state: LSTMState, context: Tensor) -> tuple[Written, LSTMState]:
        h, state = self.cell(torch.cat([self.embed(inputs), context], dim=1), state)
        return Written(h, context), state

    def logits(self, output: Written) -> Tensor:
        return self.out(output.h)


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer().double()


def contexts(examples: int, width: int = 8) -> Tensor:
    return torch.randn(examples, width, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def step_scores(writer: Writer, sentence: list[int], context: Tensor) -> Tensor:
    """Log-probability of each symbol of a sentence and of its END, by an unroll on the sentence."""
    taught = teacher([sentence])
    outputs, _ = unroll(writer, taught.inputs, writer.initial_state(1), context[None])
    log_p = torch.log_softmax(writer.logits(outputs), dim=-1)[:, 0]
    return log_p.gather(1, taught.targets).squeeze(1)


def enumerate_all(writer: Writer, context: Tensor, most: int, penalty: float) -> list[tuple[float, list[int]]]:
    """Return all sentences of at most `most` symbols with their scores, best first."""
    found = []
    for length in range(most):
        for sentence in product(range(4, WORDS), repeat=length):
            total = step_scores(writer, list(sentence), context).sum().item()
            found.append((total / (length + 1) ** penalty, list(sentence)))
    return sorted(found, reverse=True)


def literal_search(
    writer: Writer, context: Tensor, most: int, beams: int, penalty: float
) -> list[tuple[float, list[int]]]:
    """One sentence, lists and loops; each beam is read from its beginning at every step."""
    alive: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for step in range(most):
        candidates = []
        for score, sentence in alive:
            inputs = torch.tensor([[BEGIN], *[[word] for word in sentence]])
            outputs, _ = unroll(writer, inputs, writer.initial_state(1), context[None])
            log_p = torch.log_softmax(writer.logits(outputs)[-1, 0], dim=0)
            words = [END] if step == most - 1 else [w for w in range(len(log_p)) if w not in NEVER_WRITTEN]
            candidates += [(score + log_p[word].item(), sentence, word) for word in words]
        candidates.sort(key=lambda c: -c[0])
        going = [c for c in candidates if c[2] != END][:beams]
        for score, sentence, word in candidates[:beams]:
            if word == END:
                finished.append((score / (step + 1) ** penalty, sentence))
        finished = sorted(finished, reverse=True)[:beams]
        if len(finished) == beams:
            break
        alive = [(score, [*sentence, word]) for score, sentence, word in going]
    return finished


def as_pairs(found: Hypotheses, example: int) -> list[tuple[float, list[int]]]:
    scores = [score for score in found.scores[example].tolist() if score > -torch.inf]
    return list(zip(scores, found.sentences()[example], strict=True))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_search_finds_every_sentence_in_the_right_order(writer: Writer, penalty: float) -> None:
    context, most = contexts(3), [4, 2, 3]
    found = beam_search(writer, writer.logits, context, torch.tensor(most), beams=16, length_penalty=penalty)
    for example, limit in enumerate(most):
        expected = enumerate_all(writer, context[example], limit, penalty)
        got = as_pairs(found, example)
        assert [sentence for _, sentence in got] == [sentence for _, sentence in expected]
        assert [score for score, _ in got] == pytest.approx([score for score, _ in expected], rel=1e-5)


@pytest.mark.parametrize("beams", [1, 2, 3, 5])
@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_the_batched_search_is_the_literal_one_of_each_sentence(beams: int, penalty: float) -> None:
    writer, context = Writer(40).double(), contexts(7)
    most = [1, 13, 6, 9, 13, 2, 11]
    found = beam_search(writer, writer.logits, context, torch.tensor(most), beams=beams, length_penalty=penalty)
    for example, limit in enumerate(most):
        expected = literal_search(writer, context[example], limit, beams, penalty)
        got = as_pairs(found, example)
        assert [sentence for _, sentence in got] == [sentence for _, sentence in expected]
        assert [score for score, _ in got] == pytest.approx([score for score, _ in expected], rel=1e-5)
    assert len({len(s) for own in found.sentences() for s in own}) > 3, "sentences of several lengths"


def test_a_sentence_does_not_depend_on_its_batch(writer: Writer) -> None:
    context, most = contexts(6), torch.tensor([12, 5, 9, 3, 12, 7])
    together = beam_search(writer, writer.logits, context, most, beams=3)
    for i in range(6):
        alone = beam_search(writer, writer.logits, context[i : i + 1], most[i : i + 1], beams=3)
        assert alone.sentences()[0] == together.sentences()[i]
        torch.testing.assert_close(alone.scores[0], together.scores[i])


def test_one_beam_is_greedy(writer: Writer) -> None:
    context = contexts(5)
    found = beam_search(writer, writer.logits, context, torch.full((5,), 8), beams=1)
    near_zero = sample(writer, writer.logits, context, torch.full((8, 5), 0.5), temperature=1e-9)
    assert [own[0] for own in found.sentences()] == [s[:7] for s in near_zero]


def test_scores_are_those_of_an_unroll_on_the_sentence(writer: Writer) -> None:
    context = contexts(4)
    found = beam_search(writer, writer.logits, context, torch.full((4,), 9), beams=3, length_penalty=0.6)
    for example in range(4):
        for score, sentence in as_pairs(found, example):
            steps = step_scores(writer, sentence, context[example])
            assert score == pytest.approx(steps.sum().item() / len(steps) ** 0.6)


def test_never_written_symbols_are_never_written() -> None:
    writer = Writer().double()
    with torch.no_grad():
        writer.out.bias[list(NEVER_WRITTEN)] = 50.0
    found = beam_search(writer, writer.logits, contexts(3), torch.full((3,), 9), beams=4)
    assert all(symbol >= 4 for own in found.sentences() for sentence in own for symbol in sentence)


def test_fewer_sentences_than_beams(writer: Writer) -> None:
    found = beam_search(writer, writer.logits, contexts(2), torch.tensor([1, 2]), beams=5)
    assert [len(own) for own in found.sentences()] == [1, 3]
    assert found.lengths[0].tolist() == [1, 0, 0, 0, 0]


def test_the_outputs_of_the_core_are_left_alone(writer: Writer) -> None:
    kept = []

    def logits(output: Written) -> Tensor:
        kept.append((scores := writer.logits(output).float(), scores.clone()))
        return scores

    beam_search(writer, logits, contexts(2), torch.full((2,), STEPS_AT_ONCE + 2), beams=2)
    assert all(torch.equal(now, before) for now, before in kept)


@pytest.mark.parametrize(("beams", "most"), [(0, [3]), (2, [0]), (2, [])])
def test_bad_requests_are_refused(writer: Writer, beams: int, most: list[int]) -> None:
    with pytest.raises(InputError, match="1 or more"):
        beam_search(writer, writer.logits, contexts(len(most)), torch.tensor(most, dtype=torch.int64), beams=beams)


@pytest.mark.parametrize("width", [3, BLOCK, 10 * BLOCK, 40 * BLOCK + 7])
@pytest.mark.parametrize("k", [1, 3])
def test_the_largest_are_topk(width: int, k: int) -> None:
    values = torch.randn(11, width, generator=torch.Generator().manual_seed(width))
    values[3] = -torch.inf
    values[3, -1] = 1.0
    found, places = largest(values, k)
    assert torch.equal(found, values.topk(k).values)
    assert torch.equal(values.gather(1, places), found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_normaliser_is_logsumexp_and_leaves_its_input_alone(dtype: torch.dtype) -> None:
    logits = 20 * torch.randn(70, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    before = logits.clone()
    torch.testing.assert_close(normaliser(logits, logits.amax(1)).double(), logits.double().logsumexp(1))
    assert torch.equal(logits, before)


def test_sampled_symbols_follow_the_probabilities() -> None:
    logits = torch.tensor([[1.0, -torch.inf, 0.0, 2.0]]).expand(20_000, 4)
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    drawn = sampled_symbol(logits, uniform)
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(shares, logits[0].softmax(0), atol=0.01, rtol=0)
    assert set(sampled_symbol(logits, uniform, nucleus=0.7).tolist()) == {0, 3}, "0.665 is not yet 0.7"
    assert set(sampled_symbol(logits, uniform, nucleus=0.6).tolist()) == {3}


def test_samples_end_and_their_noise_decides(writer: Writer) -> None:
    uniform = torch.rand(9, 4, generator=torch.Generator().manual_seed(1))
    one = sample(writer, writer.logits, contexts(4), uniform)
    assert one == sample(writer, writer.logits, contexts(4), uniform)
    assert one != sample(writer, writer.logits, contexts(4), uniform.flip(0))
    assert all(END not in sentence and len(sentence) <= 9 for sentence in one)
    with pytest.raises(InputError, match="temperature above 0"):
        sample(writer, writer.logits, contexts(4), uniform, temperature=0.0)


def test_a_teacher_shifts_by_one() -> None:
    taught = teacher([[7, 8], [], [9]])
    assert taught.inputs.t().tolist() == [[BEGIN, 7, 8], [BEGIN, PAD, PAD], [BEGIN, 9, PAD]]
    assert taught.targets.t().tolist() == [[7, 8, END], [END, PAD, PAD], [9, END, PAD]]
    assert taught.lengths.tolist() == [3, 1, 2]


def test_a_sentence_is_done_at_its_own_end(writer: Writer) -> None:
    from saccade.words.search import BeamSearch

    state = BeamSearch(writer, writer.logits, 2, 1.0).begin(torch.tensor([3, 5]))
    assert done(state, 2).tolist() == [False, False]
    assert done(state, 3).tolist() == [True, False]
