"""The answers of Sketch, Follow and Translate are those of their commands."""

import math
from base64 import b64decode, b64encode
from typing import Any

import numpy as np
import pytest
import torch

import saccade
from saccade.errors import InputError
from saccade.sketch.live import CELLS, WHOLE
from saccade.sketch.mixture import END
from saccade.track.follower import from_pixels
from saccade.track.window import overlap

ANGLES = [math.pi * (1.05 + 1.15 * (k / 40) ** 1.1) for k in range(41)]
ARC = [[0.5 + 0.2 * math.cos(angle), 0.37 + 0.19 * math.sin(angle)] for angle in ANGLES]
DRAW: dict[str, Any] = {"network": "sketch-digits", "count": 3, "seed": 5, "temperature": 0.4}


def moves_of(events: list[Any], ending: int) -> np.ndarray:
    """Return an ending's moves (dx, dy, pen) without its end."""
    rows = [event["moves"][ending] for event in events[1:]]
    return np.array([row for row in rows if row and row[2] != END])


@pytest.mark.parametrize("pen_down", [True, False])
def test_a_drawing_goes_on_as_by_the_command(ask: Any, pen_down: bool) -> None:
    network: Any = saccade.load("sketch-digits")
    begun = network.strokes_of([np.array(ARC)], whole=WHOLE, pen_down=pen_down)
    expected = network.complete(begun, 3, seed=5, temperature=0.4, label="2")
    events = ask("sketch", "draw", **DRAW, strokes=[ARC], label=2, pen_down=pen_down)
    assert events[0] == {"classes": ["2"] * 3}
    unit = network.facts.unit * WHOLE / network.facts.size
    gallery = expected.trace.batch
    for k in range(3):
        wanted = gallery.moves[k, int(gallery.given[k]) : int(gallery.lengths[k])].numpy()
        found = moves_of(events, k)
        assert len(found) == len(wanted) > 2
        np.testing.assert_allclose(found[:, :2], wanted[:, :2] * unit, atol=1e-3)
        np.testing.assert_array_equal(found[:, 2], wanted[:, 2])


def test_digits_from_noise_are_those_of_the_command(ask: Any) -> None:
    network: Any = saccade.load("sketch-digits")
    expected = network.generate(3, seed=5, temperature=0.4)
    events = ask("sketch", "draw", **DRAW, strokes=[])
    assert events[0]["classes"] == expected.classes
    for k, length in enumerate(expected.trace.batch.lengths.tolist()):
        assert len(moves_of(events, k)) == length


def test_mixed_digits_one_stroke_and_where_the_next_point_may_be(ask: Any) -> None:
    network: Any = saccade.load("sketch-digits")
    events = ask("sketch", "draw", **DRAW, strokes=[ARC], label=-2, most_strokes=1, density=True)
    begun = network.strokes_of([np.array(ARC)], whole=WHOLE, pen_down=True)
    order = network.log_probabilities(begun)[0].argsort(descending=True)[:3].tolist()
    assert events[0]["classes"] == [network.facts.classes[k] for k in order]
    for k in range(3):
        assert (moves_of(events, k)[:-1, 2] == 0).all(), "it stops at the first lift"
    shade = np.frombuffer(b64decode(events[1]["density"][0]), np.uint8).reshape(CELLS, CELLS)
    assert shade.max() == 255
    assert 0.002 < (shade > 60).mean() < 0.6


def test_a_reader_reads_along(ask: Any) -> None:
    reader: Any = saccade.load("sketch-reader")
    beliefs = ask("sketch", "read", strokes=[ARC])[0]["beliefs"]
    batch = reader.strokes_of([np.array(ARC)])
    assert len(beliefs) == int(batch.lengths[0])
    expected = list(reader.read(batch)[0].probabilities.values())
    np.testing.assert_allclose(beliefs[-1], expected, atol=1e-3)
    np.testing.assert_allclose(np.sum(beliefs, axis=1), 1, atol=1e-2)


@pytest.mark.parametrize(
    ("what", "request_of", "expected"),
    [
        ("draw", {**DRAW, "strokes": [[[0.5, 0.5]]]}, "a drawing of 2 points"),
        ("draw", {**DRAW, "strokes": [ARC], "label": 50}, "a class below 10"),
        ("draw", {**DRAW, "strokes": [ARC], "network": "sketch-reader"}, "one of sketch-digits"),
        ("draw", {**DRAW, "strokes": [[[(k % 7) / 7, (k * 3 % 11) / 11] for k in range(200)]]}, "fewer moves"),
    ],
)
def test_what_is_no_drawing_gets_one_line(ask: Any, what: str, request_of: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        ask("sketch", what, **request_of)


@pytest.mark.parametrize("kind", ["moving", "scenes"])
def test_a_clip_is_followed_as_by_the_command(ask: Any, kind: str) -> None:
    follower: Any = saccade.load("track-moving")
    clip = ask("track", "clip", kind=kind, seed=3)[0]
    shape = clip["height"], clip["width"], clip["channels"]
    frames = np.frombuffer(b64decode(clip["pixels"]), np.uint8).reshape(clip["count"], *shape)
    size = {name: clip[name] for name in ("width", "height", "channels")}
    first, box = b64encode(frames[0].tobytes()).decode(), [float(side) for side in clip["box"]]
    begun = ask("track", "begin", **size, pixels=first, box=box)
    found = []
    for some in (frames[1:9], frames[9:]):  # it remembers from one request to the next
        pixels = b64encode(some.tobytes()).decode()
        found += ask("track", "look", follows=begun[0]["follows"], count=len(some), pixels=pixels)
    pictures = [frame[:, :, 0] if clip["channels"] == 1 else frame for frame in frames]
    expected = follower.follow(pictures, tuple(clip["box"]))[1:]
    np.testing.assert_allclose([one["box"] for one in found], [one.box for one in expected], atol=0.02)
    np.testing.assert_allclose([one["confidence"] for one in found], [one.confidence for one in expected], atol=1e-3)
    side = follower.config.window
    assert len(b64decode(found[0]["patch"])) == side * side * clip["channels"]
    if kind == "moving":
        boxes = from_pixels(np.array([one["box"] for one in found]), frames[0])
        assert overlap(boxes[0], from_pixels(np.array(clip["box"], float), frames[0])) > 0.5


def test_what_nobody_follows_gets_one_line(ask: Any) -> None:
    with pytest.raises(InputError, match="something that is followed"):
        ask("track", "look", follows="nothing", count=1, pixels="")
    pixels = b64encode(bytes(64 * 64)).decode()
    with pytest.raises(InputError, match="a box of 3 x 3 pixels"):
        ask("track", "begin", width=64, height=64, channels=1, pixels=pixels, box=[60.0, 0.0, 20.0, 20.0])


def test_a_sentence_is_translated_as_by_the_command(ask: Any) -> None:
    translator: Any = saccade.load("translate-de-en")
    sentence = "Ein Hund läuft über die Straße."
    (expected,) = translator.write(sentence, beams=4, candidates=4)
    events = ask("translate", "write", sentence=sentence, beams=4)
    assert [event["step"] for event in events[:-1]] == list(range(1, len(events)))
    assert all(len(event["beams"]) == 4 for event in events[1:-1])
    end = events[-1]
    assert [one["text"] for one in end["candidates"]] == [one.text for one in expected.candidates]
    np.testing.assert_allclose(
        [c["score"] for c in end["candidates"]], [c.score for c in expected.candidates], atol=1e-3
    )
    weights = torch.tensor(end["weights"])
    assert weights.shape == (len(end["written"]), len(end["read"]))
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)), atol=1e-2, rtol=0)
    assert end["read"][int(weights[end["written"].index("dog")].argmax())] == "hund"
    with pytest.raises(InputError, match="in the script of"):
        ask("translate", "write", sentence="собака", beams=4)
