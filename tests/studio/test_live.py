"""The panels' answers are those of the commands: framing and gaze of `glimpse read`, drawings of `draw generate`."""

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import saccade
from saccade.shipped.commands import SAMPLES
from saccade.studio.panels import files_of, folder_of, menu, panels


def levels(text: str) -> np.ndarray:
    """Return bytes in base64 as numbers in [0, 1]."""
    return np.frombuffer(b64decode(text), np.uint8) / 255


@pytest.mark.parametrize("name", ["digit.png", "three.png"])
def test_a_picture_is_framed_and_read_as_by_the_command(ask: Any, name: str) -> None:
    reader = saccade.load("ram-mnist")
    picture = Image.open(SAMPLES / name).convert("RGB")
    picture.thumbnail((320, 320), Image.Resampling.BOX)
    readings: Any = reader.read([picture])  # type: ignore[attr-defined]
    trace: Any = reader.trace([picture])  # type: ignore[attr-defined]
    pixels = b64encode(picture.tobytes()).decode()
    found = ask("glimpse", "frame", width=picture.width, height=picture.height, channels=3, pixels=pixels)[0]["digits"]
    assert len(found) == len(readings)
    for digit, reading, image in zip(found, readings, trace.batch.images, strict=True):
        np.testing.assert_allclose(levels(digit["image"]), image.flatten().numpy(), atol=1 / 500)
        assert digit["doubt"] == reading.doubt
        request = {"network": "ram-mnist", "image": digit["image"], "gazes": [{"policy": "learned"}], "glimpses": 7}
        steps = [event["gazes"][0] for event in ask("glimpse", "look", **request)]
        np.testing.assert_allclose([step["location"] for step in steps], reading.gaze, atol=1e-3)
        expected = [reading.probabilities[name] for name in reader.facts.classes]  # type: ignore[attr-defined]
        np.testing.assert_allclose(steps[-1]["belief"], expected, atol=1e-3)


def test_a_chosen_place_is_looked_at_and_other_gazes_are_the_controls(ask: Any) -> None:
    image = b64encode(bytes(range(256)) * 3 + bytes(16)).decode()
    gazes = [{"policy": "learned", "places": [None, [0.5, -0.25]]}, {"policy": "fixed-scan"}, {"policy": "random"}]
    events = ask("glimpse", "look", network="ram-mnist", image=image, gazes=gazes, glimpses=3)
    assert len(events) == 3
    np.testing.assert_allclose(events[1]["gazes"][0]["location"], [0.5, -0.25], atol=1e-5)
    np.testing.assert_allclose(events[1]["gazes"][1]["location"], [-0.3, -0.3], atol=1e-5)
    alone = ask("glimpse", "look", network="ram-mnist", image=image, gazes=gazes[:1], glimpses=3)
    np.testing.assert_allclose(events[2]["gazes"][0]["belief"], alone[2]["gazes"][0]["belief"], atol=1e-4)


def test_a_number_is_written_as_by_the_command(ask: Any) -> None:
    expected: Any = saccade.load("draw-mnist-labelled").generate("1984", seed=3).trace  # type: ignore[attr-defined]
    events = ask("draw", "write", network="draw-mnist-labelled", labels=[1, 9, 8, 4], seed=3)
    assert len(events) == len(expected.outputs.canvas)
    for event, canvas, window in zip(events, expected.outputs.canvas, expected.outputs.write, strict=True):
        np.testing.assert_allclose(levels(event["canvases"]), torch.sigmoid(canvas).flatten().numpy(), atol=1 / 250)
        np.testing.assert_allclose(event["windows"], window.numpy(), atol=1e-3)
    kl = ask(
        "draw", "redraw", network="draw-mnist-labelled", labels=[1, 9, 8, 4], seed=3, images=events[-1]["canvases"]
    )
    sums = np.sum([step["kl"] for step in kl], axis=0)
    assert (sums > 5).all()
    assert (sums < 60).all()


def test_a_move_along_latents_begins_where_it_does_not_move(ask: Any) -> None:
    change = {"step": 4, "direction": 0, "amounts": [-8.0, 0.0, 8.0]}
    moved = ask("draw", "write", network="draw-mnist-labelled", labels=[3], seed=3, change=change)
    plain = ask("draw", "write", network="draw-mnist-labelled", labels=[3], seed=3)
    last = levels(moved[-1]["canvases"]).reshape(3, -1)
    np.testing.assert_allclose(last[1], levels(plain[-1]["canvases"]), atol=1 / 200)
    assert np.abs(last[0] - last[2]).max() > 0.5
    first = levels(moved[3]["canvases"]).reshape(3, -1)  # before the step that moves
    np.testing.assert_allclose(first[0], first[2], atol=1 / 200)


def test_endings_keep_what_is_given(ask: Any) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[6:9, 8:20] = image[6:14, 17:20] = 255
    given = np.zeros((28, 28), np.uint8)
    given[:14] = 255
    request = {"network": "draw-mnist-labelled", "count": 3, "seed": 1, "refine": True}
    request |= {name: b64encode(bytes(part)).decode() for name, part in (("image", image), ("given", given))}
    events = ask("draw", "finish", **request)
    assert [events[0]["phase"], events[1]["phase"], events[-1]["phase"]] == ["guess", "refining", "refined"]
    for ending in events[-1]["endings"]:
        drawn = levels(ending["canvases"]).reshape(-1, 28, 28)[-1]
        assert ((drawn[:14] > 0.5) == (image[:14] > 127)).mean() > 0.93
        assert drawn[14:].max() > 0.5, "it went on below"
    bounds = [ending["bound"] for ending in events[-1]["endings"]]
    assert bounds == sorted(bounds)
    assert bounds[0] < events[0]["endings"][0]["bound"], "refined"


def test_every_panel_has_its_files_and_its_line_in_the_menu() -> None:
    found = panels()
    assert list(found)[:2] == ["glimpse", "draw"]
    listed: Any = menu(found, live=False)["panels"]
    assert [panel["title"] for panel in listed[:2]] == ["Look", "Draw"]
    for name in found:
        assert {Path("panel.html"), Path("panel.js")} <= set(files_of(folder_of(name)))
