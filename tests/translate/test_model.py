"""The network against a literal one and a NumPy transcription; padding; what a step gives and what it drops."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.recurrent.tree import take
from saccade.recurrent.unroll import Unrolled
from saccade.translate.config import Config
from saccade.translate.model import EncoderDecoder, Writer, for_beams
from saccade.translate.pairs import Pairs, Source, Written
from saccade.translate.system import SYSTEM
from saccade.words.search import beam_search

sys.path.insert(0, str(Path(__file__).parent))
from literal_translate import copy_of

SYMBOLS = 31
SMALL: dict[str, Any] = {"embedding": 6, "encoder": 5, "hidden": 8, "dropout": 0.0}


def network(**settings: Any) -> tuple[EncoderDecoder, Config]:
    torch.manual_seed(0)
    config = Config(**SMALL | settings)
    core = EncoderDecoder(config, SYMBOLS).double()
    with torch.no_grad():
        core.bias.normal_()
        core.vectors.weight.mul_(5)
    return core, config


def pairs(lengths: list[tuple[int, int]]) -> Pairs:
    generator = torch.Generator().manual_seed(1)
    sides = []
    for side in (0, 1):
        own = torch.tensor([length[side] for length in lengths])
        symbols = torch.randint(4, SYMBOLS, (len(lengths), int(own.max())), generator=generator)
        places = torch.arange(symbols.shape[1])
        symbols = symbols.masked_fill(places == own[:, None] - 1, 3).masked_fill(places >= own[:, None], 0)
        sides.append((symbols, own))
    return Pairs(sides[0][0], sides[1][0], sides[0][1], sides[1][1], torch.arange(len(lengths)))


BATCH = pairs([(5, 7), (2, 3), (9, 1), (4, 7)])


def outputs_of(core: EncoderDecoder, config: Config, batch: Pairs) -> tuple[Written, Any]:
    episode = SYSTEM.episode(batch, config, torch.Generator())
    outputs: Any = Unrolled(core)(episode.inputs, episode.context, episode.lengths)
    return outputs, episode


def gradients(core: torch.nn.Module, loss: Tensor) -> dict[str, Tensor]:
    core.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}


def test_loss_and_gradients_are_the_literal_ones() -> None:
    core, config = network(label_smoothing=0.2)
    outputs, episode = outputs_of(core, config, BATCH)
    loss = SYSTEM.loss(outputs, episode, config)
    literal = copy_of(core)
    words = episode.inputs
    theirs = literal.loss(BATCH.source, BATCH.source_lengths, words.previous, words.target, 0.2)
    torch.testing.assert_close(loss.total, theirs)
    ours, expected = gradients(core, loss.total), gradients(literal, theirs)
    torch.testing.assert_close(ours["vectors.weight"], expected["vectors.weight"])
    torch.testing.assert_close(ours["decoder.combine.weight"], expected["combine.weight"])
    torch.testing.assert_close(ours["decoder.attention.key.weight"], expected["key.weight"])
    torch.testing.assert_close(ours["encoder.backwards.cell.weight_hh"], expected["encoder.weight_hh_l0_reverse"])
    both = torch.cat([ours["decoder.cell.cell.weight_ih"], ours["decoder.feed.weight"]], dim=1)
    torch.testing.assert_close(both, expected["cell.weight_ih"])


def test_bf16_products_give_nearly_the_same() -> None:
    core, config = network()
    core.float()
    fine, episode = outputs_of(core, config, BATCH)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = outputs_of(core, config, BATCH)
    assert rough.log_p.dtype == torch.float32
    torch.testing.assert_close(rough.log_p, fine.log_p, atol=0.2, rtol=0.05)
    assert SYSTEM.loss(rough, episode, config).total.item() == pytest.approx(
        SYSTEM.loss(fine, episode, config).total.item(), rel=0.02
    )


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def gru(cell: Any, x: np.ndarray, h: np.ndarray, more: np.ndarray | float = 0.0) -> np.ndarray:
    """A step of torch's GRU; `more` is added to the inputs' part."""
    w = {name: getattr(cell, name).detach().numpy() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    a, b = w["weight_ih"] @ x + w["bias_ih"] + more, w["weight_hh"] @ h + w["bias_hh"]
    (ri, zi, ni), (rh, zh, nh) = np.split(a, 3), np.split(b, 3)
    r, z = sigmoid(ri + rh), sigmoid(zi + zh)
    return (1 - z) * np.tanh(ni + r * nh) + z * h


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


@pytest.mark.parametrize("attention", ["dot", "additive", "none"])
def test_the_equations_in_numpy(attention: str) -> None:
    """Bahdanau et al. 2015, equations 5 to 7; Luong et al. 2015, equations 5 to 8 and section 3.3."""
    core, config = network(attention=attention)
    outputs, _ = outputs_of(core, config, BATCH)
    for b in range(len(BATCH.source)):
        n, steps = int(BATCH.source_lengths[b]), int(BATCH.target_lengths[b])
        table, gain = array(core.vectors.weight), 6**0.5
        source, target = array(BATCH.source[b, :n]), array(BATCH.target[b, :steps])
        there, back = [np.zeros(5)], [np.zeros(5)]
        for word in source:
            there.append(gru(core.encoder.forwards.cell, gain * table[word], there[-1]))
        for word in source[::-1]:
            back.append(gru(core.encoder.backwards.cell, gain * table[word], back[-1]))
        memory = np.array([np.concatenate([f, r]) for f, r in zip(there[1:], back[1:][::-1], strict=True)])
        ends = np.concatenate([there[-1], back[-1]])
        h = np.tanh(array(core.start.weight) @ ends + array(core.start.bias))
        vector, previous = np.zeros(8), 2
        for t in range(steps):
            assert core.decoder.feed is not None
            h = gru(core.decoder.cell.cell, gain * table[previous], h, array(core.decoder.feed.weight) @ vector)
            layer: Any = core.decoder.attention
            if attention == "dot":
                weights = softmax(memory @ array(layer.key.weight).T @ h / 8**0.5)
            elif attention == "additive":
                keys = memory @ array(layer.key.weight).T + array(layer.key.bias)
                weights = softmax(np.tanh(keys + array(layer.query.weight) @ h) @ array(layer.score.weight)[0])
            else:
                weights = np.full(n, 1 / n)
            both = np.concatenate([h, weights @ memory])
            vector = np.tanh(array(core.decoder.combine.weight) @ both + array(core.decoder.combine.bias))
            scores = table @ (array(core.project.weight) @ vector + array(core.project.bias)) + array(core.bias)
            log_p = np.log(softmax(scores))
            np.testing.assert_allclose(array(outputs.attention[t, b, :n]), weights, atol=1e-12)
            np.testing.assert_allclose(outputs.log_p[t, b].item(), log_p[target[t]], atol=1e-12)
            np.testing.assert_allclose(outputs.mean_log_p[t, b].item(), log_p.mean(), atol=1e-12)
            assert bool(outputs.right[t, b]) == (log_p[target[t]] == log_p.max())
            previous = int(target[t])


@pytest.mark.parametrize("attention", ["dot", "additive", "none"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_pair_in_a_padded_batch_is_the_pair_alone(attention: str, cell: str) -> None:
    core, config = network(attention=attention, cell=cell)
    outputs, episode = outputs_of(core, config, BATCH)
    felt = gradients(core, SYSTEM.loss(outputs, episode, config).total)
    summed = {name: torch.zeros_like(gradient) for name, gradient in felt.items()}
    for b in range(len(BATCH.source)):
        n, steps = int(BATCH.source_lengths[b]), int(BATCH.target_lengths[b])
        one = take(BATCH, slice(b, b + 1))
        one = one._replace(source=one.source[:, :n], target=one.target[:, :steps])
        alone, its = outputs_of(core, config, one)
        torch.testing.assert_close(alone.log_p[:, 0], outputs.log_p[:steps, b])
        torch.testing.assert_close(alone.attention[:, 0], outputs.attention[:steps, b, :n])
        assert (outputs.attention[:, b, n:] == 0).all(), "padding is never attended to"
        assert (outputs.log_p[steps:, b] == 0).all()
        for name, gradient in gradients(core, SYSTEM.loss(alone, its, config).total).items():
            summed[name] += gradient * steps / BATCH.target_lengths.sum()
    for name, gradient in felt.items():
        torch.testing.assert_close(gradient, summed[name])


def test_what_lies_in_the_padding_does_not_matter() -> None:
    core, config = network()
    outputs, episode = outputs_of(core, config, BATCH)
    padding = torch.arange(BATCH.source.shape[1]) >= BATCH.source_lengths[:, None]
    spoilt, _ = outputs_of(core, config, BATCH._replace(source=BATCH.source.masked_fill(padding, 17)))
    assert torch.equal(outputs.log_p, spoilt.log_p)
    assert torch.equal(outputs.attention, spoilt.attention)
    assert episode.lengths is None


def test_dropout_is_drawn_by_the_generator_and_off_in_evaluation() -> None:
    core, config = network(dropout=0.5)
    one, other, again = (SYSTEM.episode(BATCH, config, torch.Generator().manual_seed(seed)) for seed in (1, 2, 1))
    kept, otherwise, same = (episode.context.kept for episode in (one, other, again))
    assert kept is not None and otherwise is not None and same is not None
    assert 0.4 < kept.float().mean() < 0.6
    assert torch.equal(kept, same)
    assert not torch.equal(kept, otherwise)
    (main,) = SYSTEM.conditions(config).values()
    assert SYSTEM.episode(BATCH, main, torch.Generator()).context.kept is None
    values = [Unrolled(core)(e.inputs, e.context).log_p for e in (one, other, again)]  # type: ignore[union-attr]
    assert torch.equal(values[0], values[2])
    assert not torch.equal(values[0], values[1])


def test_a_search_is_the_literal_one() -> None:
    core, _ = network(embedding=16, encoder=12, hidden=20)
    core.float()
    literal = copy_of(core)
    lengths, most = BATCH.source_lengths, 2 * BATCH.source_lengths + 10
    found = beam_search(Writer(core), core.logits, Source(BATCH.source, lengths), most, beams=4)
    for b, own in enumerate(found.sentences()):
        assert own[0] == literal.search(BATCH.source[b, : int(lengths[b])], int(most[b]), 4)
    looked_up = beam_search(Writer(core, many=True), core.logits, Source(BATCH.source, lengths), most, beams=4)
    assert torch.equal(looked_up.symbols, found.symbols)
    shared = beam_search(Writer(core), core.logits, Source(BATCH.source, lengths), most, beams=4, spread=for_beams)
    assert torch.equal(shared.symbols, found.symbols)
