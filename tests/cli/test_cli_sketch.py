"""`saccade sketch`, as a person meets it: train, resume, eval, films and sheets, a drawing of one's own, bad input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from saccade.cli import app
from saccade.pipeline.checkpoint.checkpoints import newest
from saccade.sketch.files import read_drawings
from tests.sketch.drawings import write_npz, write_pickles, zigzag

TINY = ["--encoder", "8", "--decoder", "16", "--latent", "4", "--mixtures", "2", "--batch-size", "20", "--threads", "1"]
ONE = ["--epochs", "1"]

SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><g transform="translate(5 5) scale(2)">
<path d="M5 5 L20 0 L40 5 Q40 15 30 20"/><polyline points="5,20 20,20"/></g></svg>"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of drawings: two classes."""
    folder = tmp_path_factory.mktemp("data")
    for name, shift in (("one", 0), ("two", 500)):
        drawings = [zigzag(4 + i % 9, seed=i + shift) for i in range(60)]
        write_npz(folder / f"{name}.npz", train=drawings, valid=drawings[:9], test=drawings[9:20])
    return folder


def made(folder: Path, data: Path, *words: str) -> Path:
    """The folder of a run that was trained."""
    command = ["sketch", "train", *TINY, *words, "--data-dir", str(data), "--out", str(folder)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with latents and two classes."""
    return made(
        tmp_path_factory.mktemp("runs") / "drawer", data, *ONE, "--dataset", "npz:one.npz,two.npz", "--labelled"
    )


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder alone, of one class."""
    words = ["--dataset", "npz:one.npz", "--core", "layer-norm-lstm", "--dropout", "0.1"]
    return made(tmp_path_factory.mktemp("runs") / "alone", data, *ONE, *words, "--latent", "0")


@pytest.fixture(scope="module")
def reader(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader of two classes."""
    words = ["--dataset", "npz:one.npz,two.npz", "--task", "read", "--core", "gru"]
    return made(tmp_path_factory.mktemp("runs") / "reader", data, *ONE, *words)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    path = tmp_path / "begun.svg"
    path.write_text(SVG)
    return path


def test_eval_reports_the_bound_the_papers_losses_and_the_second_half(saccade: Any, run: Path, alone: Path) -> None:
    found = saccade("sketch", "eval", run, "--json").json()
    assert found["examples"] == 22
    bound = found["offset_nats_per_point"] + found["pen_nats_per_point"]
    bound += found["kl_nats_per_drawing"] / found["points_per_drawing"]
    assert found["nats_per_point"] == pytest.approx(bound, rel=1e-5)
    assert set(found["second_half_nats_per_point"]) == {"second_half_after_first", "second_half_alone"}
    assert found["kl"] == pytest.approx(found["kl_nats_per_drawing"] / 4, rel=1e-5)
    assert saccade("sketch", "eval", alone, "--json").json()["kl_nats_per_drawing"] == 0


def test_a_reader_judges_what_is_drawn(saccade: Any, refused: Any, run: Path, alone: Path, reader: Path) -> None:
    found = saccade("sketch", "eval", run, "--judge", reader, "--judged", "5", "--json").json()
    assert np.sum(found["judged_confusion"]) == 10
    right = np.trace(found["judged_confusion"])
    assert found["judged"]["agreement_percent"] == pytest.approx(10 * right)
    assert "a reader as judge" in refused("sketch", "eval", run, "--judge", run)
    assert "trained with labels" in refused("sketch", "eval", alone, "--judge", reader)


def test_a_reader_reports_its_error(saccade: Any, reader: Path) -> None:
    found = saccade("sketch", "eval", reader, "--split", "validation", "--json").json()
    assert 0 <= found["error_percent"] <= 100 and np.sum(found["confusion"]) == 18


def test_a_resumed_training_ends_with_the_same_weights(data: Path, tmp_path: Path) -> None:
    words = ["--dataset", "npz:one.npz,two.npz", "--core", "layer-norm-lstm", "--dropout", "0.2", "--ema", "0.9"]
    from saccade.pipeline import session
    from saccade.pipeline.checkpoint.run_folder import open_run

    whole = made(tmp_path / "whole", data, *words, "--epochs", "2")
    stopped = made(
        tmp_path / "stopped", data, *words, "--epochs", "2", "--save-every-seconds", "0.001", "--keep", "100"
    )
    steps = sorted(int(file.stem.split("-")[1]) for file in stopped.glob("checkpoint-*.safetensors"))
    assert len(steps) > 3
    for step in steps[2:]:
        (stopped / f"checkpoint-{step}.safetensors").unlink()
    session.train_run(open_run(stopped).run, stopped)
    one, other = newest(whole), newest(stopped)
    assert one is not None and other is not None and one.tensors.keys() == other.tensors.keys()
    assert all((one.tensors[name] == other.tensors[name]).all() for name in one.tensors)


def test_generate_writes_a_sheet_and_a_film(saccade: Any, run: Path, tmp_path: Path) -> None:
    sheet, film = tmp_path / "sheet.png", tmp_path / "pen.gif"
    answer = saccade("sketch", "generate", run, "--count", "4", "--out", sheet, "--gif", film, "--json")
    assert answer.code == 0 and answer.json()["wrote"] == [str(sheet), str(film)]
    with Image.open(sheet) as drawn:
        assert drawn.size == (2 * 160 + 48, 2 * 160 + 48)
    with Image.open(film) as frames:
        assert frames.n_frames > 3  # type: ignore[attr-defined]
    again = tmp_path / "again.png"
    saccade("sketch", "generate", run, "--count", "4", "--out", again)
    assert again.read_bytes() == sheet.read_bytes()
    saccade("sketch", "generate", run, "--count", "4", "--out", again, "--seed", "1")
    assert again.read_bytes() != sheet.read_bytes()


def test_an_svg_has_a_path_for_each_stroke_and_can_be_read_again(saccade: Any, run: Path, tmp_path: Path) -> None:
    from saccade.sketch.commands import open_artist

    sheet = tmp_path / "sheet.svg"
    assert saccade("sketch", "generate", run, "--count", "1", "--out", sheet).code == 0
    drawn = open_artist(run).generate(1, 0).strokes[0]
    [strokes] = read_drawings(sheet)
    assert len(strokes) == len(drawn)
    first = [np.diff(stroke[0], axis=0) for stroke in (strokes, drawn)]
    np.testing.assert_allclose(first[0] / np.abs(first[0]).max(), first[1] / np.abs(first[1]).max(), atol=0.05)
    assert saccade("sketch", "generate", run, "--count", "1", "--out", sheet).code == 0, "its own file is replaced"


@pytest.mark.parametrize("which", ["run", "alone", "reader"])
def test_gif_of_every_kind_of_network(saccade: Any, request: Any, tmp_path: Path, which: str) -> None:
    network = request.getfixturevalue(which)
    film = tmp_path / "pen.gif"
    assert saccade("sketch", "gif", network, "--index", "2", "--out", film).code == 0
    with Image.open(film) as frames:
        assert frames.size == (960, 540)
    wall = saccade("sketch", "gif", network, "--index", "2", "--count", "3", "--out", tmp_path / "wall.gif")
    assert wall.code == 0
    if which != "reader":
        shaded = tmp_path / "heat.png"
        assert saccade("sketch", "gif", network, "--index", "2", "--heat", "--out", shaded).code == 0


def test_complete_keeps_what_a_person_drew(saccade: Any, run: Path, alone: Path, begun: Path, tmp_path: Path) -> None:
    for network in (run, alone):
        film, sheet = tmp_path / "endings.gif", tmp_path / "endings.svg"
        answer = saccade(
            *("sketch", "complete", network, begun, "--count", "3", "--pen-down", "--whole", "400"),
            *("--out", film, "--sheet", sheet, "--json"),
        )
        assert answer.code == 0, answer.err
        assert answer.json()["given_moves"] > 3
        blue = sheet.read_text().count("#1f5fa8")
        assert blue == 6, "two strokes of the person in each of three drawings"


def test_a_beginning_has_its_size_and_its_last_stroke_may_go_on(run: Path, begun: Path) -> None:
    from saccade.sketch.commands import open_artist
    from saccade.sketch.files import read_drawings
    from saccade.sketch.strokes import extent

    network, strokes = open_artist(run), read_drawings(begun)[0]
    own = network.strokes_of(strokes)
    half = network.strokes_of(strokes, whole=2 * extent(strokes), pen_down=True)
    steps = [batch.moves[0, :, :2].cumsum(0) for batch in (own, half)]
    large, small = (float((places.amax(0) - places.amin(0)).amax()) for places in steps)
    assert small == pytest.approx(large / 2, rel=0.1)
    assert [float(batch.moves[0, -1, 2]) for batch in (own, half)] == [1, 0]


def test_interpolate_and_read(saccade: Any, run: Path, reader: Path, begun: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "morph.svg"
    assert saccade("sketch", "interpolate", run, "--between", "1,5", "--steps", "4", "--out", sheet).code == 0
    assert sheet.read_text().count("<g>") == 4
    lines = tmp_path / "two.ndjson"
    lines.write_text('{"drawing": [[[0, 5, 9], [1, 2, 8]]]}\n' * 2)
    for network in (run, reader):
        answers = saccade("sketch", "read", begun, lines, "--run", network, "--json").json()["answers"]
        assert [answer["drawing"] for answer in answers] == [1, 1, 2]
        assert all(sum(a["probabilities"].values()) == pytest.approx(1, abs=1e-5) for a in answers)


BAD_SVG = {
    "no path": "<svg xmlns='http://www.w3.org/2000/svg'><text>hello</text></svg>",
    "no xml": "hello",
    "html": "<html><body/></html>",
    "bomb": '<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg><text>&b;</text></svg>',
    "external entity": '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg><path d="&a;"/></svg>',
    "external dtd": '<!DOCTYPE svg SYSTEM "http://127.0.0.1:9/a.dtd"><svg><path d="M0 0L1 1"/></svg>',
    "use": "<svg><path id='a' d='M0 0L1 1'/><use href='#a'/></svg>",
    "image": "<svg xmlns:x='http://www.w3.org/1999/xlink'><image x:href='http://127.0.0.1:9/a.png'/></svg>",
    "garbage path": "<svg><path d='M0 0 L garbage'/></svg>",
    "one point": "<svg><path d='M3 3'/></svg>",
    "nan": "<svg><polyline points='0,0 nan,1'/></svg>",
    "huge": "<svg><polyline points='0,0 1e30,1'/></svg>",
    "bad transform": "<svg><g transform='scale(1e300)'><path d='M0 0L9 9'/></g></svg>",
    "deep": "<svg>" + "<g>" * 3000 + "<path d='M0 0L1 1'/>" + "</g>" * 3000 + "</svg>",
    "many points": "<svg><path d='M0 0" + "L1 1L2 3" * 110_000 + "'/></svg>",
    "too large": "<svg>" + " " * (5 << 20) + "</svg>",
}


@pytest.mark.parametrize("name", BAD_SVG)
def test_bad_svg_is_refused_in_one_line_and_nothing_is_written(
    refused: Callable[..., str], run: Path, place: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "bad.svg"
    path.write_text(BAD_SVG[name])
    refused("sketch", "complete", run, path, "--out", "endings.gif")
    assert list(place.iterdir()) == []


def test_a_begun_drawing_that_is_too_long_is_refused(refused: Any, run: Path, place: Path, tmp_path: Path) -> None:
    zig = " ".join(f"{x},{x % 2 * 50}" for x in range(200))
    path = tmp_path / "long.svg"
    path.write_text(f"<svg><polyline points='{zig}'/></svg>")
    assert "longest drawing's 12" in refused("sketch", "complete", run, path, "--out", "endings.gif")
    assert list(place.iterdir()) == []


def test_other_bad_input_is_refused(
    refused: Any, run: Path, alone: Path, reader: Path, begun: Path, place: Path
) -> None:
    out = ("--out", "a.png")
    assert "temperature above 0" in refused("sketch", "generate", run, "--temperature", "0", *out)
    assert "temperature above 0" in refused("sketch", "complete", run, begun, "--temperature", "-1", "--out", "a.gif")
    assert "a class among one, two" in refused("sketch", "generate", run, "--text", "x", *out)
    assert "trained with labels" in refused("sketch", "generate", alone, "--text", "x", *out)
    assert "network that draws" in refused("sketch", "generate", reader, *out)
    assert "decoder-only" in refused("sketch", "interpolate", alone, *out)
    assert "two indices" in refused("sketch", "interpolate", run, "--between", "1;2", *out)
    assert "examples 0 to 21" in refused("sketch", "interpolate", run, "--between", "1,99", *out)
    assert "trained with classes" in refused("sketch", "read", begun, "--run", alone)
    assert "no such file" in refused("sketch", "read", "absent.svg", "--run", run)
    assert "ends in" in refused("sketch", "generate", run, "--out", "a.txt")
    assert list(place.iterdir()) == []


def test_bad_data_are_refused_before_anything_is_written(refused: Any, data: Path, place: Path) -> None:
    def train(name: str, *words: str) -> str:
        return refused("sketch", "train", *TINY, "--dataset", f"npz:{name}", "--data-dir", data, *words, "--out", "run")

    assert "several classes" in train("one.npz", "--labelled")
    assert "No such file" in train("absent.npz")
    write_pickles(data / "hostile.npz", dict.fromkeys(("train", "valid", "test"), b"cos\nsystem\n(S'touch x'\ntR."))
    assert "a call of os.system" in train("hostile.npz")
    nan = zigzag(4).astype(np.float32)
    nan[2, 0] = np.nan
    for drawing, says in ((nan, "NaN"), (zigzag(4)[:0], "an empty one"), (np.zeros((3, 2)), "(3, 2)")):
        write_npz(data / "bad.npz", train=[zigzag(5), drawing], valid=[], test=[zigzag(5)])
        assert says in train("bad.npz")
    assert "layer-norm-lstm" in train("one.npz", "--dropout", "0.1")
    assert list(place.iterdir()) == []


def test_json_with_a_word_that_controls_the_terminal_is_refused(refused: Any, run: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text(json.dumps({"word": "\x1b[31m", "drawing": [[[0, 1], [0, 1]]]}))
    refused("sketch", "read", path, "--run", run)
