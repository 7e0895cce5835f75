"""A trained RAM in Python: what `read` returns is what the trace holds, for any way to hand over an image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.errors import InputError
from saccade.glimpse.config import SPEC, Config
from saccade.glimpse.reader import Reader, readings
from saccade.glimpse.system import SYSTEM
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.pipeline.animate.show import write_film
from saccade.pipeline.checkpoint.run_folder import RunFolder
from saccade.pipeline.config import Run
from saccade.pipeline.provenance import provenance
from tests.images.cases import facts_of

CLASSES = ("nought", "one", "two")
FACTS = facts_of(Shape(1, 28, 28, 3), CLASSES)
CONFIG = Config(glimpses=4, patch=4, hidden=16, features=8)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    torch.manual_seed(0)
    run = Run(system="glimpse", data=SPEC.data, model=CONFIG, train=SPEC.train)
    return Reader(RunFolder(tmp_path, run, FACTS, provenance()), SYSTEM.build(CONFIG, FACTS).eval(), step=0)


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_a_reading_is_what_the_trace_holds(reader: Reader) -> None:
    found, trace = reader.read(images(3)), reader.trace(images(3))
    probabilities = trace.outputs.logits[-1].softmax(1)
    assert len(found) == 3
    for example, reading in enumerate(found):
        assert list(reading.probabilities) == list(CLASSES)
        assert list(reading.probabilities.values()) == pytest.approx(probabilities[example].tolist())
        assert sum(reading.probabilities.values()) == pytest.approx(1, abs=1e-6)
        assert reading.label == CLASSES[int(probabilities[example].argmax())]
        assert reading.gaze == [tuple(place) for place in trace.outputs.location[:, example].tolist()]
        assert len(reading.gaze) == CONFIG.glimpses
        assert all(-1 <= place <= 1 for location in reading.gaze for place in location)
        assert reading.truth is None  # nobody knows the class of a user's own image


def test_the_truth_of_labelled_images_is_told(reader: Reader) -> None:
    trace = reader.look(ImageBatch(images(3), torch.tensor([2, -1, 0])))
    assert [reading.truth for reading in readings(trace)] == ["two", None, "nought"]


def test_reading_looks_by_the_policys_mean_and_is_repeatable(reader: Reader) -> None:
    assert reader.read(images(2)) == reader.read(images(2))
    assert not reader.trace(images(2)).episode.inputs.noise.any()
    assert reader.trace(images(2), "one_rollout").episode.inputs.noise.any()


def test_an_image_is_read_the_same_alone_and_among_others(reader: Reader) -> None:
    together = reader.read(images(3))
    for example in range(3):
        (alone,) = reader.read(images(3)[example])
        assert alone.label == together[example].label
        assert list(alone.probabilities.values()) == pytest.approx(list(together[example].probabilities.values()))


def test_a_condition_chooses_whose_gaze(reader: Reader) -> None:
    (centre,) = reader.read(images(1), "centre")
    assert centre.gaze == [(0.0, 0.0)] * 4
    (scan,) = reader.read(images(1), "fixed_scan")
    (random,) = reader.read(images(1), "random")
    assert len({tuple(reading.gaze) for reading in (centre, scan, random)}) == 3
    with pytest.raises(InputError, match=r"a condition among mean_policy, .*found 'nowhere'"):
        reader.read(images(1), "nowhere")


def test_several_rollouts_give_one_reading_an_image(reader: Reader) -> None:
    assert len(reader.read(images(2), "averaged")) == 2


def test_a_file_a_picture_and_an_array_are_read_alike(reader: Reader, tmp_path: Path) -> None:
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save(tmp_path / "one.png")
    ways: list[dict[str, Any]] = [{"framed": True}, {"as_is": True}]
    for how in ways:
        expected = reader.read(pixels, **how)
        for picture in (tmp_path / "one.png", str(tmp_path / "one.png"), Image.fromarray(pixels), torch.tensor(pixels)):
            assert reader.read(picture, **how) == expected
        first, second = reader.read([tmp_path / "one.png", pixels], **how)
        assert ([first], second.picture) == (expected, 1) and second._replace(picture=0) == first


def test_what_cannot_be_read_is_refused(reader: Reader, tmp_path: Path) -> None:
    for wrong, said in (
        (tmp_path / "none.png", "no such file"),
        (np.zeros((28, 28, 3), np.uint8), "an image of 1 channel"),
        ([], "one picture or more"),
    ):
        with pytest.raises(InputError, match=said):
            reader.read(wrong)


def test_a_trace_can_be_filmed(reader: Reader, tmp_path: Path) -> None:
    path = write_film(reader.trace(images(1)), tmp_path / "gaze.gif")
    with Image.open(path) as film:
        assert film.size == (960, 540)
        assert getattr(film, "n_frames", 1) > CONFIG.glimpses


def test_two_digits_give_two_readings_with_their_picture(reader: Reader) -> None:
    page = np.full((120, 200), 255, np.uint8)
    page[30:90, 50:62] = page[30:90, 130:142] = 0
    found = reader.read([page, page[:, :100]])
    assert [(reading.picture, reading.digit, reading.digits) for reading in found] == [(0, 1, 2), (0, 2, 2), (1, 1, 1)]
    assert len(reader.read(page, as_is=True)) == 1
    with pytest.raises(InputError, match="framed or as_is, found both"):
        reader.read(page, framed=True, as_is=True)


def test_what_is_no_digit_is_in_doubt_in_the_reading_and_in_the_film(reader: Reader) -> None:
    yy, xx = np.mgrid[:100, :100]
    disc = np.where((yy - 50) ** 2 + (xx - 50) ** 2 < 900, 0, 255).astype(np.uint8)
    (reading,) = reader.read(disc)
    assert reading.doubt == "a filled shape"
    trace = reader.trace(disc)
    believed = trace._replace(batch=trace.batch._replace(doubt=trace.batch.doubt * 0))
    for draw in (SYSTEM.picture, SYSTEM.tile):
        assert (draw(trace, 3, 0) != draw(believed, 3, 0)).any()
        assert (draw(trace, 1, 0) == draw(believed, 1, 0)).all()
