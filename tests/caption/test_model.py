"""Show, Attend and Tell against its equations in NumPy; captions that share a picture; REINFORCE against the truth."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.caption.config import CaptionFacts, Config
from saccade.caption.loss import drawn_loss, loss_of, rewards
from saccade.caption.model import NEVER, Teller
from saccade.caption.trace import Reading, Sight, Told
from saccade.recurrent.tree import count, take
from saccade.recurrent.unroll import unroll
from saccade.words.reward import sentence_bleu
from saccade.words.symbols import BEGIN, END, PAD, SPECIAL
from tests.caption.transcription import tell

FACTS = CaptionFacts("a", "", 2, 3, 9, words=("dog", "a", "runs", "red"))
SMALL: dict[str, Any] = {"hidden": 8, "embedding": 5, "features": 6, "scored": 7}


def made(**settings: Any) -> tuple[Teller, Sight, Reading]:
    """A model in float64, two pictures, and two captions of each: rows 0 and 2 are of the first picture."""
    torch.manual_seed(0)
    core = Teller(Config(**(SMALL | settings)), FACTS).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    sight = Sight(torch.randn(2, 6, 9, dtype=torch.float64))
    target = torch.tensor([[4, 5, 6, END], [7, 7, 4, END], [5, 4, END, PAD], [6, END, PAD, PAD]]).t()
    word = torch.cat([torch.full((1, 4), BEGIN), target[:-1]])
    return core, sight, Reading(word, target)


def told(core: Teller, sight: Sight, reading: Reading, lengths: Tensor | None = None) -> Told:
    rows = count(reading, axis=1)
    outputs, _ = unroll(core, reading, core.initial_state(rows), sight, lengths=lengths)
    assert isinstance(outputs, Told)
    return outputs


LENGTHS = torch.tensor([4, 4, 3, 2])


def weights_of(core: Teller) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy() for name, p in core.named_parameters()}


@pytest.mark.parametrize("score", ["additive", "dot", "none"])
def test_it_is_the_papers(score: str) -> None:
    settings = {"attention": "none"} if score == "none" else {"score": score}
    core, sight, reading = made(smoothing=0.1, **settings)
    assert reading.word is not None and reading.target is not None
    outputs = told(core, sight, reading, LENGTHS)
    for row, steps in enumerate(LENGTHS.tolist()):
        ours = tell(weights_of(core), score, sight.vectors[row % 2].numpy(), reading.word[:steps, row].numpy())
        log_p = ours.scores - np.log(np.exp(ours.scores).sum(1, keepdims=True))
        true = log_p[np.arange(steps), reading.target[:steps, row].numpy()]
        close = lambda found, expected: np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-10)  # noqa: E731
        close(outputs.weights[:steps, row], ours.weights)
        close(outputs.gate[:steps, row], ours.gate)
        close(outputs.log_probability[:steps, row], true)
        close(outputs.cost[:steps, row], -0.9 * true - 0.1 * log_p.mean(1))
        assert not outputs.cost[steps:, row].any() and not outputs.weights[steps:, row].any()


def test_hard_attention_sees_the_sampled_place_alone() -> None:
    core, sight, reading = made(attention="hard")
    assert reading.word is not None and reading.target is not None
    chance = torch.rand(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    outputs = told(core, sight, reading._replace(chance=chance))
    for row in range(4):
        vectors, words = sight.vectors[row % 2].numpy(), reading.word[:, row].numpy()
        places: list[int] = []
        for t in range(4):  # the place is drawn from alpha_t, which the places before it decide
            alpha = tell(weights_of(core), "dot", vectors, words[: t + 1], np.array([*places, 0])).weights[t]
            places.append(int((alpha.cumsum() <= chance[t, row].item()).sum()))
        ours = tell(weights_of(core), "dot", vectors, words, np.array(places))
        np.testing.assert_allclose(outputs.weights[:, row].detach().numpy(), ours.weights, atol=1e-10)
        assert outputs.look is not None
        chosen = np.log(ours.weights[np.arange(4), places])
        np.testing.assert_allclose(outputs.look.log_probability[:, row].detach().numpy(), chosen, atol=1e-10)


def test_reinforce_estimates_the_gradient_of_the_expected_log_probability() -> None:
    """One word, every place: the mean of the estimator over all samples is the exact gradient (equation 11)."""
    core, sight, reading = made(attention="hard", smoothing=0.0, doubly=0.0, entropy_weight=0.0)
    config = core.config
    one = take(take(reading, slice(0, 1)), slice(0, 1), axis=1)
    assert one.word is not None and one.target is not None
    picture = Sight(sight.vectors[:1])
    grid = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
    many = Reading(one.word.expand(1, 40_000), one.target.expand(1, 40_000), grid[None])
    outputs = told(core, picture, many)
    loss = loss_of(outputs, torch.tensor(40_000), None, config)
    assert outputs.look is not None
    of_policy = core.attention.key.weight  # type: ignore[union-attr] # it decides alpha, and nothing else
    baseline = (outputs.log_probability - outputs.look.expected).square().sum() / 40_000
    (found,) = torch.autograd.grad(loss.total - baseline, of_policy, retain_graph=True)
    alpha = outputs.weights[0, 0]
    place = (alpha.detach().cumsum(0) <= grid[:, None]).sum(1)
    log_p = torch.stack([-outputs.cost[0, place == i].mean() for i in range(6)])
    (exact,) = torch.autograd.grad(-(alpha * log_p.detach()).sum(), of_policy)
    torch.testing.assert_close(found, exact, atol=3e-3 * float(exact.abs().max()), rtol=0)


def test_a_reward_is_discounted() -> None:
    log_p = torch.tensor([[-1.0], [-2.0], [-4.0]])
    assert rewards(log_p).squeeze(1).tolist() == [-7.0, -6.0, -4.0]
    assert rewards(log_p, 0.5).squeeze(1).tolist() == [-3.0, -4.0, -4.0]
    assert rewards(log_p, 0.0).squeeze(1).tolist() == [-1.0, -2.0, -4.0]


def test_the_gradient_of_drawn_captions_is_that_of_the_expected_bleu() -> None:
    """All captions of two words, each with its probability, against the mean of the estimator over many draws."""
    core, sight, _ = made(objective="bleu")
    picture, draws, writable = Sight(sight.vectors[:1]), 40_000, torch.arange(END, len(SPECIAL) + 4)
    references = torch.tensor([[[4, 5], [7, END]]])
    uniform = torch.rand(2, draws, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    drawn = told(core, picture, Reading(None, None, uniform=uniform))
    assert not (drawn.word[1, drawn.word[0] == END]).any()  # nothing follows the end
    loss = drawn_loss(drawn, references)
    words = (drawn.word != PAD).sum() / draws  # of a caption
    of_words = core.from_hidden.weight
    (found,) = torch.autograd.grad(loss.total * words, of_words)

    first, second = (grid.flatten() for grid in torch.meshgrid(writable, writable, indexing="ij"))
    second = second.masked_fill(first == END, PAD)
    every = torch.unique(torch.stack([first, second]), dim=1)
    begun = torch.stack([torch.full_like(every[0], BEGIN), every[0].masked_fill(every[0] == END, PAD)])
    core.output_bias.data[:END] = NEVER
    log_p = -told(core, picture, Reading(begun, every)).cost.sum(0)
    assert log_p.exp().sum().item() == pytest.approx(1)
    bleu = sentence_bleu(every.t(), references.expand(every.shape[1], -1, -1))
    (exact,) = torch.autograd.grad(-(log_p.exp() * bleu).sum(), of_words)
    torch.testing.assert_close(found, exact, atol=0.05 * float(exact.abs().max()), rtol=0)


def test_drawn_captions_cost_what_reading_them_costs() -> None:
    core, sight, _ = made(objective="bleu", smoothing=0.3, word_dropout=0.4, dropout=0.4)
    kept = torch.rand(5, 6, 5, generator=torch.Generator().manual_seed(0)) > 0.4
    uniform = torch.rand(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    drawn = told(core, sight, Reading(None, None, kept_word=kept, kept_output=kept, uniform=uniform))
    word = torch.cat([torch.full((1, 6), BEGIN), drawn.word[:-1].masked_fill(drawn.word[:-1] == END, PAD)])
    core.output_bias.data[:END] = NEVER
    known = told(core, sight, Reading(word, drawn.word, kept_word=kept, kept_output=kept))
    torch.testing.assert_close(known.log_probability, drawn.log_probability)
    torch.testing.assert_close(drawn.cost.detach(), -drawn.log_probability)  # never smoothed


def test_captions_of_one_picture_are_what_they_are_alone() -> None:
    core, sight, reading = made()
    together = told(core, sight, reading, LENGTHS)
    for row, steps in enumerate(LENGTHS.tolist()):
        alone = told(
            core, Sight(sight.vectors[row % 2][None]), take(take(reading, slice(row, row + 1), axis=1), slice(steps))
        )
        torch.testing.assert_close(together.cost[:steps, row], alone.cost[:, 0])
        torch.testing.assert_close(together.weights[:steps, row], alone.weights[:, 0])


def test_writing_scores_equal_those_of_reading() -> None:
    core, sight, reading = made()
    assert reading.word is not None and reading.target is not None
    picture, words = Sight(sight.vectors[:1]), reading.word[:, :1]
    known = told(core, picture, take(reading, slice(0, 1), axis=1))
    steps, _ = unroll(core, words, core.initial_state(1), picture)
    for t in range(4):
        log_p = torch.log_softmax(core.logits(take(steps, t)), dim=1)  # type: ignore[arg-type]
        torch.testing.assert_close(log_p[0, reading.target[t, 0]], known.log_probability[t, 0])


def test_the_doubly_stochastic_penalty_is_equation_14() -> None:
    core, sight, reading = made(doubly=0.7, smoothing=0.0)
    outputs = told(core, sight, reading, LENGTHS)
    loss = loss_of(outputs, LENGTHS.sum(), LENGTHS, core.config)
    alpha = outputs.weights.detach().numpy()
    penalty = 0.7 * ((1 - alpha.sum(0)) ** 2).sum() / 13
    assert loss.terms["doubly"].item() == pytest.approx(penalty)
    assert loss.terms["words"].item() == pytest.approx(-outputs.log_probability.sum().item() / 13)
    assert loss.total.item() == pytest.approx(penalty + loss.terms["words"].item())


def test_dropout_drops_what_the_masks_say_and_keeps_the_scale() -> None:
    core, sight, reading = made(dropout=0.5, word_dropout=0.5, feature_dropout=0.5)
    whole = told(core, sight, reading)
    kept = lambda value, *shape: torch.full(shape, value)  # noqa: E731
    none = reading._replace(kept_word=kept(False, 4, 4, 5), kept_output=kept(False, 4, 4, 5))
    dropped = told(core, Sight(sight.vectors, kept(False, 2, 6)), none)
    even = torch.log_softmax(core.output_bias, dim=0)  # nothing but the output's bias is left
    torch.testing.assert_close(dropped.log_probability, even[reading.target].masked_fill(reading.target == PAD, 0))
    assert not torch.allclose(whole.cost, dropped.cost)
