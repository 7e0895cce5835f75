"""BLEU of single sentences against sacreBLEU, sentence by sentence."""

import logging
import random

import pytest
import torch
from sacrebleu.metrics.bleu import BLEU

from saccade.words.reward import sentence_bleu
from saccade.words.sampling import drawn_symbol
from saccade.words.symbols import END, PAD, UNKNOWN


def padded(sentence: list[int], size: int = 12) -> list[int]:
    return sentence + [PAD] * (size - len(sentence))


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_it_is_sacrebleus(smoothing: float, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "sacrebleu")
    own = random.Random(1)
    sentence = lambda least: [own.randint(4, 8) for _ in range(own.randint(least, 10))] + [END]  # noqa: E731
    written = [sentence(0) for _ in range(300)]
    references = [[sentence(1) for _ in range(own.choice([1, 3]))] for _ in written]
    found = sentence_bleu(
        torch.tensor([padded(one) for one in written]),
        torch.tensor([[padded(one) for one in several] + [padded([])] * (3 - len(several)) for several in references]),
        smoothing=smoothing,
        brevity=1,
    )
    judge = BLEU(smooth_method="add-k", smooth_value=smoothing, tokenize="none")
    text = lambda symbols: " ".join(map(str, symbols))  # noqa: E731
    for score, one, several in zip(found.tolist(), written, references, strict=True):
        assert 100 * score == pytest.approx(judge.sentence_score(text(one), [text(s) for s in several]).score, abs=1e-4)


def test_unknown_words_match_nothing_and_an_empty_sentence_has_none() -> None:
    same = torch.tensor([[4, UNKNOWN, 5, END], [4, 6, 5, END], [PAD] * 4])
    found = sentence_bleu(same, same.masked_fill(same == PAD, 4)[:, None])
    assert found[1] == pytest.approx(1.0) and 0 < found[0] < 0.5 and found[2] == 0


def test_a_short_sentence_is_punished_more() -> None:
    written, reference = torch.tensor([[4, 5, END, PAD]]), torch.tensor([[[4, 5, 6, END]]])
    mild, hard = (sentence_bleu(written, reference, brevity=power).item() for power in (1.0, 2.0))
    assert hard == pytest.approx(mild * torch.tensor(1 - 4 / 3).exp().item())


def test_symbols_are_drawn_with_their_probabilities() -> None:
    logits = torch.tensor([0.1, 0.2, 0.0, 0.4, 0.3]).log()
    uniform = (torch.arange(1000) + 0.5) / 1000
    drawn = drawn_symbol(logits.expand(1000, 5), uniform)
    assert drawn.bincount(minlength=5).tolist() == pytest.approx([100, 200, 0, 400, 300], abs=1)
