"""The video system's equations against NumPy, brute force, and the generator of moving digits."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor

from saccade.recurrent.conv_lstm import ConvLSTM, MapState
from saccade.recurrent.unroll import unroll
from saccade.video.config import Config
from saccade.video.encoder import ComponentEncoder
from saccade.video.next import matched
from saccade.video.objects import Objects, Painter, weigh
from saccade.video.pooling import Pool
from saccade.video.recogniser import flipped
from saccade.video.sentence import beam_search, error_counts, greedy, merged
from saccade.videos.config import VideoFacts
from saccade.videos.moving import GLYPH, SIDE, painted

FACTS = VideoFacts("next", "pictures", 1, SIDE, SIDE, (), given=10)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def test_conv_lstm_is_shi_et_al_equation_3_without_peepholes() -> None:
    torch.manual_seed(0)
    core = ConvLSTM(2, 3, 3, 4, 5).double()
    x, h, c = torch.randn(2, 4, 5).double(), torch.randn(3, 4, 5).double(), torch.randn(3, 4, 5).double()
    weight, bias = core.gates.weight.detach().numpy(), core.gates.bias
    assert bias is not None
    both = np.concatenate([x, h])
    gates = [
        sum(correlate2d(both[j], weight[o, j], "same") for j in range(5)) + float(bias[o].detach()) for o in range(12)
    ]
    i, f, g, o = np.stack(gates).reshape(4, 3, 4, 5)
    new_c = sigmoid(f) * c.numpy() + sigmoid(i) * np.tanh(g)
    new_h = sigmoid(o) * np.tanh(new_c)
    output, state = core(x[None], MapState(h[None], c[None]))
    np.testing.assert_allclose(output[0].detach(), new_h, atol=1e-12)
    np.testing.assert_allclose(state.c[0].detach(), new_c, atol=1e-12)


@pytest.mark.parametrize("kind", ["last", "mean", "attention"])
def test_a_summary_is_that_of_all_steps_so_far(kind: Any) -> None:
    torch.manual_seed(0)
    pool = Pool(kind, 3).double()
    h = 5 * torch.randn(6, 2, 3).double()
    found, _ = unroll(pool, h, pool.initial_state(2))
    for t in range(6):
        so_far = h[: t + 1].numpy()
        scores = np.zeros((t + 1, 2))
        if pool.score is not None:
            scores = so_far @ pool.score.weight.detach().numpy()[0] + pool.score.bias.item()
        weights = np.exp(scores) / np.exp(scores).sum(0)
        expected = so_far[-1] if kind == "last" else (weights[..., None] * so_far).sum(0)
        np.testing.assert_allclose(found[t].detach(), expected, atol=1e-10)


def test_components_are_whitened() -> None:
    torch.manual_seed(0)
    facts = VideoFacts("clip", "pictures", 1, 6, 5, ("a", "b"))
    encoder = ComponentEncoder(Config(components=4), facts)
    mixing = torch.randn(30, 30)
    frames = (torch.randn(500, 30) @ mixing).view(500, 1, 6, 5)
    encoder.prime(frames)
    found = encoder.components(encoder.normalise(frames).flatten(1))
    torch.testing.assert_close(found.t().cov(), torch.eye(4), atol=5e-3, rtol=0)
    torch.testing.assert_close(found.mean(0), torch.zeros(4), atol=1e-3, rtol=0)


def test_flipped_turns_each_examples_own_steps() -> None:
    sequence = torch.arange(4.0)[:, None, None].expand(4, 2, 1)
    assert flipped(sequence, torch.tensor([4, 2]))[..., 0].t().tolist() == [[3, 2, 1, 0], [1, 0, 2, 3]]


def test_with_full_confidence_places_and_velocities_are_those_of_least_squares() -> None:
    generator = torch.Generator().manual_seed(0)
    measured = torch.randn(8, 1, 1, 2, generator=generator).double()
    none = torch.zeros(1, 1, 1, 1).double()
    objects = Objects(torch.zeros(1, 1, 2).double(), torch.zeros(1, 1, 2).double(), none, none)
    for n in range(8):
        expected = objects._replace(place=objects.place + objects.velocity)
        objects = weigh(expected, measured[n], torch.ones(1, 1).double(), torch.tensor([float(n)]).double())
        if n >= 1:
            slope, offset = np.polyfit(np.arange(n + 1), measured[: n + 1, 0, 0, 0].numpy(), 1)
            assert objects.velocity[0, 0, 0].item() == pytest.approx(slope, abs=1e-9)
            assert objects.place[0, 0, 0].item() == pytest.approx(slope * n + offset, abs=1e-9)


def test_painting_and_reading_at_whole_pixels_are_exact() -> None:
    painter = Painter(Config(task="next", width=4), FACTS)
    glyphs = torch.rand(3, 2, GLYPH, GLYPH, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([[[0, 0], [36, 36]], [[3, 20], [17, 1]], [[10, 10], [36, 0]]])
    place = (corners + GLYPH / 2) * (2 / SIDE) - 1
    layers = painter.paint(glyphs, place)
    expected = painted(glyphs, corners[:, None], SIDE, SIDE)[:, 0, 0]
    torch.testing.assert_close(layers.amax(1), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(painter.read(layers[:, :1], place)[:, 0], glyphs[:, 0], atol=1e-5, rtol=0)


def test_a_window_turns_round_at_the_edge_of_the_frame() -> None:
    painter = Painter(Config(task="next", width=4), FACTS)
    wall = 1 - GLYPH / SIDE
    place, velocity = torch.tensor([[[0.5, 0.0]]]), torch.tensor([[[0.1, 0.02]]])
    moved, turned = painter.expect(place, velocity)
    torch.testing.assert_close(moved, torch.tensor([[[wall, 0.02]]]))
    torch.testing.assert_close(turned, torch.tensor([[[-0.1, 0.02]]]))


def test_places_are_matched_once_for_a_whole_sequence() -> None:
    truth = torch.rand(2, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    swapped = truth.clone()
    swapped[1] = truth[1].flip(1)
    assert matched(swapped.transpose(0, 1), truth).abs().max() == 0
    crossed = truth.clone()
    crossed[0, 2:] = truth[0, 2:].flip(1)  # a sequence whose slots change their digits is not forgiven
    assert matched(crossed.transpose(0, 1), truth)[:, 0].max() > 0


def sentences_by_brute_force(logits: Tensor) -> list[int]:
    """Return the likeliest sentence of [T, V], over all paths."""
    likely = logits.double().log_softmax(1).exp().numpy()
    sums: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        sentence = tuple(merged(path))
        sums[sentence] = sums.get(sentence, 0.0) + float(np.prod([likely[t, s] for t, s in enumerate(path)]))
    return list(max(sums, key=lambda sentence: sums[sentence]))


def test_a_wide_beam_finds_the_likeliest_sentence() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 20, 3, generator=generator)
    lengths = torch.full((20,), 5)
    found = beam_search(logits, lengths, 100)
    assert found == [sentences_by_brute_force(logits[:, i]) for i in range(20)]
    assert found != greedy(logits, lengths), "the likeliest path is not always the likeliest sentence"


def test_frames_after_a_clips_end_do_not_speak() -> None:
    logits = torch.full((4, 1, 3), -9.0)
    logits[[0, 1, 2, 3], 0, [1, 0, 1, 2]] = 9.0
    for decode in (greedy, lambda logits, lengths: beam_search(logits, lengths, 5)):
        assert decode(logits, torch.tensor([4])) == [[0, 0, 1]]
        assert decode(logits, torch.tensor([2])) == [[0]]


def test_word_errors_count_substitutions_deletions_and_insertions() -> None:
    assert error_counts([[1, 2, 3], [1, 2], [], [4]], [[1, 3, 3], [2], [7], []]) == [1, 1, 1, 1]
    assert error_counts([[1, 2, 3]], [[1, 9, 2, 3, 3]]) == [2]
