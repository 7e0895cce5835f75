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
from saccade.video.motion import Motion, corrected, expected, likeliest, pixels, unknown
from saccade.video.next import matched
from saccade.video.objects import Painter
from saccade.video.pooling import Pool
from saccade.video.sentence import beam_search, error_counts, greedy, merged
from saccade.video.two_way import flipped
from saccade.videos.config import VideoFacts
from saccade.videos.moving import GLYPH, SIDE, moved, painted, starts

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


ROOM = 36


def still(place: float, velocity: float, paths: int = 4, variance: float = 1e-6) -> Motion:
    """The motion of one object along both axes, known as exactly as `variance` says."""
    start = unknown(torch.zeros(1).double(), 1, paths, ROOM, 4.0)
    known = torch.full_like(start.place, variance)
    zeros = torch.zeros_like(known)
    return Motion(zeros + place, zeros + velocity, known, zeros, known, start.weight)


def test_places_and_velocities_far_from_the_edges_are_those_of_least_squares() -> None:
    generator = torch.Generator().manual_seed(0)
    measured = 18 + torch.randn(8, 1, 1, 2, generator=generator).double()
    motion = unknown(torch.zeros(1).double(), 1, 2, ROOM, 1e3)
    for n in range(8):
        motion = corrected(motion if n == 0 else straight(motion), measured[n], torch.ones(1, 1).double())
        if n >= 2:
            slope, offset = np.polyfit(np.arange(n + 1), measured[: n + 1, 0, 0, 0].numpy(), 1)
            assert motion.velocity[0, 0, 0, 0].item() == pytest.approx(slope, abs=1e-3)
            assert motion.place[0, 0, 0, 0].item() == pytest.approx(slope * n + offset, abs=1e-3)


def straight(motion: Motion) -> Motion:
    """A frame later, in a room without edges."""
    wide = 1e9
    moved = expected(motion._replace(place=motion.place + wide / 2), wide)
    return moved._replace(place=moved.place - wide / 2)


def test_an_edge_parts_a_motion_as_counting_does() -> None:
    """A Gaussian that may or may not reach the edge, against 400,000 numbers drawn from it."""
    generator = np.random.default_rng(0)
    place, velocity, pp, pv, vv = 2.0, -2.3, 0.5, 0.1, 0.3
    start = still(place, velocity)
    fill = torch.ones_like(start.place)
    found = expected(start._replace(place_variance=pp * fill, covariance=pv * fill, velocity_variance=vv * fill), ROOM)
    drawn = generator.multivariate_normal([place, velocity], [[pp, pv], [pv, vv]], 400_000)
    moved, speed = drawn.sum(1), drawn[:, 1]
    inside = moved > 0
    order = found.place[0, 0, 0].argsort(descending=True)
    kept = [leaf[0, 0, 0][order][:2].numpy() for leaf in found]
    free, turned = ([leaf[i] for leaf in kept] for i in (0, 1))
    covariance = np.cov(moved[inside], speed[inside])
    expected_free = [moved[inside].mean(), speed[inside].mean(), *covariance[[0, 0, 1], [0, 1, 1]], inside.mean()]
    np.testing.assert_allclose(free, expected_free, atol=6e-3)
    expected_turned = [0, -speed[~inside].mean(), 1e-3, 0, speed[~inside].var(), 1 - inside.mean()]
    np.testing.assert_allclose(turned, expected_turned, atol=6e-3)


def test_a_known_motion_bounces_as_the_generator_moves_digits() -> None:
    places, velocities = starts(0, "test", 0, 50)
    motion = still(0, 0)._replace(
        place=(ROOM * places)[:, None, :, None].expand(-1, -1, -1, 4),
        velocity=(ROOM * velocities)[:, None, :, None].expand(-1, -1, -1, 4),
    )
    motion = Motion(*(leaf.expand(50, 1, 2, 4) for leaf in motion))
    for _ in range(30):
        places, velocities = moved(places, velocities)
        motion = expected(motion, ROOM)
    away = (likeliest(motion.place, motion.weight)[:, 0] / ROOM - places).abs()
    assert away.median() < 1e-3
    assert (away.amax(1) < 0.01).double().mean() > 0.8


def test_the_pixels_of_a_mixture_are_its_probabilities() -> None:
    motion = still(7.25, 0, paths=2, variance=0.5)
    motion = motion._replace(weight=torch.full_like(motion.weight, 0.5))
    motion.place[..., 1] = 35.9
    drawn = np.random.default_rng(0).normal(size=400_000) * 0.5**0.5
    each = [np.clip(np.floor(place + drawn), 0, ROOM) for place in (7.25, 35.9)]
    counted = sum(np.bincount(one.astype(int), minlength=ROOM + 1) / len(one) for one in each) / 2
    np.testing.assert_allclose(pixels(motion, ROOM)[0, 0, 0].numpy(), counted, atol=3e-3)


def test_painting_and_reading_at_whole_pixels_are_exact() -> None:
    painter = Painter(Config(task="next", width=4), FACTS)
    glyphs = torch.rand(3, 2, GLYPH, GLYPH, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([[[0, 0], [36, 36]], [[3, 20], [17, 1]], [[10, 10], [36, 0]]])
    layers = painter.paint(glyphs, torch.nn.functional.one_hot(corners, ROOM + 1).float())
    drawn = painted(glyphs, corners[:, None], SIDE, SIDE)[:, 0, 0]
    torch.testing.assert_close(layers.amax(1), drawn, atol=1e-6, rtol=0)
    torch.testing.assert_close(painter.read(layers, corners), glyphs, atol=1e-6, rtol=0)


def test_a_place_between_pixels_is_painted_as_the_mean_of_its_places() -> None:
    painter = Painter(Config(task="next", width=4), FACTS)
    glyph = torch.rand(1, 1, GLYPH, GLYPH, generator=torch.Generator().manual_seed(0))
    probable = torch.zeros(1, 1, 2, ROOM + 1)
    probable[0, 0, 0, [4, 5]] = torch.tensor([0.25, 0.75])
    probable[0, 0, 1, [9, 11]] = torch.tensor([0.5, 0.5])
    mean = torch.zeros(SIDE, SIDE)
    for x, y, part in ((4, 9, 0.125), (5, 9, 0.375), (4, 11, 0.125), (5, 11, 0.375)):
        mean += part * painted(glyph, torch.tensor([[[[x, y]]]]), SIDE, SIDE)[0, 0, 0]
    torch.testing.assert_close(painter.paint(glyph, probable)[0, 0], mean)


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
