"""`saccade video` from the command line: train, eval, gif, read; bad input gives one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import refused, saccade

TINY = ["--epoch-clips", "64", "--held-out", "20", "--epochs", "1", "--batch-size", "16", "--threads", "1"]
TINY += ["--hidden", "8", "--features", "8", "--width", "4", "--channels", "4"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "frames"
    answer = saccade("video", "train", "--task", "frames", *TINY, "--out", folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    folder = tmp_path / "recording"
    folder.mkdir()
    for n in range(6):
        frame = np.zeros((40, 64), np.uint8)
        frame[10:20, 5 + 4 * n : 15 + 4 * n] = 255
        Image.fromarray(frame).save(folder / f"{n}.png")
    return folder


def test_a_network_is_evaluated_and_filmed(run: Path, tmp_path: Path) -> None:
    metrics = saccade("video", "eval", run, "--json").json()
    assert metrics["error_percent"] == metrics["word_error_percent"] and 0 <= metrics["frame_accuracy_percent"] <= 100
    other = saccade("video", "eval", run, "--dataset", "moving", "--json").json()
    assert other["error_percent"] == metrics["error_percent"]
    answer = saccade("video", "gif", run, "--index", "2", "--out", tmp_path / "film.gif")
    assert answer.code == 0 and (tmp_path / "film.gif").stat().st_size > 1000


def test_a_recording_is_read_frame_by_frame(run: Path, recording: Path, tmp_path: Path) -> None:
    film = tmp_path / "said.gif"
    answer = saccade("video", "read", recording, "--run", run, "--gif", film, "--box", "0,0,64,40", "--json").json()
    assert len(answer["frames"]) == 6 and answer["milliseconds_per_frame"] > 0 and film.exists()
    assert all(frame["label"] in ("left", "right", "up", "down", "rest") for frame in answer["frames"])


def test_a_recording_of_one_frame_is_read(run: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 40), 90).save(tmp_path / "one.png")
    answer = saccade(
        "video", "read", tmp_path / "one.png", "--run", run, "--gif", tmp_path / "one.gif", "--json"
    ).json()
    assert len(answer["frames"]) == 1 and (tmp_path / "one.gif").exists()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--box", "60,0,10,10"], "box inside the frame of 64 x 40"),
        (["--box", "here"], "a box as x,y,width,height"),
        (["--gif", "film.txt"], "a file name that ends in"),
    ],
)
def test_bad_options_of_read_are_refused_in_one_line(run: Path, recording: Path, words: list[str], found: str) -> None:
    assert found in refused("video", "read", recording, "--run", run, *words)


def test_bad_recordings_are_refused_in_one_line(run: Path, recording: Path, tmp_path: Path) -> None:
    assert "no such file" in refused("video", "read", tmp_path / "none.mp4", "--run", run)
    Image.new("L", (50, 40)).save(recording / "7.png")
    assert "found 50 x 40 in frame 7" in refused("video", "read", recording, "--run", run)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--dataset", "grid:none.npz"], "GRID in none.npz, found no such file"),
        (["--dataset", "joints:none.npz", "--task", "frames"], "data for the task frames"),
        (["--dataset", "films"], "one of moving, grid:FILE.npz"),
        (["--task", "next", "--network", "convlstm", "--cells", "3"], "frames whose sides --cells divides"),
        (["--task", "next", "--given", "900", "--predicted", "900"], "at most 1000 together"),
        (["--task", "next", "--predicted", "900", "--held-out", "9000"], "a test set of at most"),
        (["--batch-size", "70", "--epoch-clips", "64"], "at most the 64"),
    ],
)
def test_bad_settings_are_refused_in_one_line(tmp_path: Path, words: list[str], found: str) -> None:
    assert found in refused("video", "train", *TINY, *words, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()
