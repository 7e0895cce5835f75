"""A small DRAM, trained once: reading, films, resuming, the command line, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import saccade
from saccade.cli import app
from saccade.dram.frame import read_frame
from saccade.dram.picture import HEIGHT, TILE, TILE_CAPTION, WIDTH, picture, tile
from saccade.dram.pictures import COUNT, NO_INK, TOO_MANY, UNCERTAIN, UNLIKE, prepare, training_height
from saccade.dram.reader import Reader
from saccade.dram.system import SYSTEM
from saccade.errors import InputError
from saccade.pipeline.animate.page import font
from saccade.pipeline.checkpoint import checkpoints
from saccade.pipeline.config import default_run, route
from saccade.pipeline.contract import Trace, load_system
from saccade.pipeline.systems import spec
from saccade.pipeline.train.loop import Learner

TINY = {
    "canvas": 48,
    "smallest": 20,
    "dataset": "digits:1-2",
    "held_out": 20,
    "hidden": 48,
    "upper": 24,
    "features": 32,
    "epochs": 2,
    "batch_size": 32,
    "rollouts": 2,
    "random_until": 0.3,
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained for 86 steps: it reads little, but stops."""
    return saccade.train("dram", out=tmp_path_factory.mktemp("dram") / "run", quiet=True, **TINY)


@pytest.fixture(scope="module")
def network(run: Path) -> Reader:
    found = saccade.load(run)
    assert isinstance(found, Reader)
    return found


def number(text: str, *, size: int = 60, width: int = 240, ink: int = 20, paper: int = 240) -> Image.Image:
    image = Image.new("L", (width, 120), paper)
    ImageDraw.Draw(image).text((20, 20), text, ink, font(size))
    return image


def test_training_resumes_bit_for_bit(tmp_path: Path) -> None:
    whole = route(default_run("dram", spec("dram")), TINY)
    source = SYSTEM.load(whole, torch.device("cpu"))
    straight, broken = Learner(whole, source), Learner(whole, source)
    for _ in range(12):
        straight.advance()
    for _ in range(5):
        broken.advance()
    file = checkpoints.save(tmp_path, broken.snapshot(), keep=1)
    assert file.is_file()
    again = Learner(whole, SYSTEM.load(whole, torch.device("cpu")))
    found = checkpoints.newest(tmp_path, checkpoints.room_for(again.core))
    assert found is not None
    again.restore(found)
    for _ in range(7):
        again.advance()
    for (name, a), (_, b) in zip(straight.core.named_parameters(), again.core.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_picture_of_a_number_is_brought_to_the_training_digits_size(network: Reader) -> None:
    height = training_height(20, 28)
    for image in (number("42"), number("42", size=90), number("42", ink=250, paper=5)):
        found = prepare(image, network.facts, digits=True, height=height)
        assert found.image.shape == (1, 48, 48) and found.doubt is None and found.marks == 2
        rows = (found.image[0] > 127).any(1).nonzero()
        columns = (found.image[0] > 127).any(0).nonzero()
        tall, wide = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        assert abs(tall - height) <= 2 and wide < 44
        assert abs(int(rows[-1] + rows[0]) / 2 - 23.5) <= 1.5, "in the middle"


def test_doubts_are_honest(network: Reader) -> None:
    height = training_height(20, 28)

    def doubt(image: Image.Image) -> str | None:
        return prepare(image, network.facts, digits=True, height=height).doubt

    assert doubt(Image.new("L", (90, 60), 255)) == NO_INK
    assert doubt(number("4217", width=300)) == TOO_MANY
    scribble = Image.new("L", (200, 120), 255)
    ImageDraw.Draw(scribble).line([(10, 10), (60, 90), (15, 80), (70, 20), (20, 50), (66, 60)], 0, 5)
    assert doubt(scribble) is not None


def test_readings_say_what_they_are_worth(network: Reader, tmp_path: Path) -> None:
    number("42").save(tmp_path / "n.png")
    blank = np.full((40, 60), 255, np.uint8)
    found = network.read([tmp_path / "n.png", number("7"), blank])
    assert len(found) == 3 and found[2].doubt == NO_INK
    for one in found:
        assert len(one.text) == len(one.probabilities) and len(one.gaze) == one.spent <= 6 and one.truth is None
        assert all(0 < p <= 1 for p in one.probabilities)
    for one in found[:2]:  # a network that has hardly learned must not be sure of itself
        sure = one.text and min(one.probabilities) >= 0.7
        assert sure or one.doubt in (COUNT, UNCERTAIN, NO_INK, TOO_MANY, UNLIKE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "one picture or more"),
        (np.zeros((4, 4)), "an array of uint8"),
        (np.zeros((0, 4), np.uint8), "an array with pixels"),
        ([3.5], "a path, a PIL image or a NumPy array"),
        (["nowhere.png"], "no such file"),
    ],
)
def test_bad_pictures_are_refused(network: Reader, given: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        network.read(given)  # type: ignore[arg-type]


def looked(network: Reader, count: int = 4) -> Trace:
    return network.look(network.held_out(network.source(), "test", 0, count))


def test_a_trace_ends_with_its_last_stop(network: Reader) -> None:
    trace = looked(network, 8)
    steps = len(trace.outputs.location)
    assert steps == max(max(one.spent for one in network.read([number("1")])), steps) and steps <= 6
    assert len(trace.episode.inputs.noise) == steps


def test_frames_write_the_text_as_it_is_read(network: Reader) -> None:
    trace = looked(network, 6)
    for example in range(6):
        whole = read_frame(trace, 99, example)
        assert whole.stopped and whole.written == whole.reading.text and len(whole.marks) == len(whole.written)
        start = read_frame(trace, 0, example)
        assert start.written == "" and start.coarse is not None and start.step == 0
        lengths = [len(read_frame(trace, t / 2, example).written) for t in range(2 * whole.steps - 1)]
        assert lengths == sorted(lengths) and lengths[-1] == len(whole.reading.text)


def test_drawings_have_their_sizes_and_show_the_example_alone(network: Reader) -> None:
    trace, alone = looked(network, 3), looked(network, 1)
    for t in (0, 0.3, 1, 5):
        assert picture(trace, t, 0).shape == (HEIGHT, WIDTH, 3)
        assert tile(trace, t, 1).shape == (TILE + TILE_CAPTION, TILE, 3)
    assert np.array_equal(picture(trace, 1, 0), picture(alone, 1, 0))
    assert not np.array_equal(picture(trace, 0, 0), picture(trace, 0, 1))


def test_a_cnn_is_drawn_without_a_gaze(tmp_path: Path) -> None:
    settings = {**TINY, "network": "cnn", "epochs": 1, "glance": 0}
    run = saccade.train("dram", out=tmp_path / "cnn", quiet=True, **settings)
    network = saccade.load(run)
    assert isinstance(network, Reader)
    assert picture(looked(network), 0, 0).shape == (HEIGHT, WIDTH, 3)
    assert load_system("dram").conditions(network.config).keys() == {"one_look"}


def test_the_command_line_reads_and_films(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number("42").save(tmp_path / "n.png")
    out = tmp_path / "n.gif"
    app(
        ["dram", "read", str(tmp_path / "n.png"), "--run", str(run), "--gif", str(out), "--json"], standalone_mode=False
    )
    found = json.loads(capsys.readouterr().out)
    assert out.is_file() and found["wrote"] == [str(out)]
    assert {"picture", "text", "probabilities", "spent", "stopped", "gaze", "truth", "doubt"} == found["answers"][
        0
    ].keys()
    app(["dram", "read", str(tmp_path / "n.png"), "--run", str(run)], standalone_mode=False)
    assert "n.png" in capsys.readouterr().out


def test_the_command_line_refuses_what_is_no_picture(run: Path, tmp_path: Path) -> None:
    (tmp_path / "n.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a picture in .*n\.png"):
        app(["dram", "read", str(tmp_path / "n.png"), "--run", str(run)], standalone_mode=False)
