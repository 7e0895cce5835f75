"""`saccade gradients` and `saccade cores` as a person meets them."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from saccade.cores import compare, flow


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_gradients_draws_a_figure_and_gives_its_numbers(
    saccade: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LENGTHS", (4, 12))
    answer = saccade("gradients", "--steps", "6", "--updates", "1", "--out", "flow.png", "--json")
    assert answer.code == 0, answer
    found = answer.json()
    assert found["wrote"] == ["flow.png"]
    assert found["steps"] == 6
    assert len(found["adding"][0]["norms"]["h"]) == 6
    with Image.open("flow.png") as image:
        assert image.format == "PNG"
        assert image.width == 1440
    assert (place / "flow.png").stat().st_size < 200_000
    assert sorted(path.name for path in place.iterdir()) == ["flow.png"]


def test_cores_prints_a_table_and_draws_it(saccade: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"system": "glimpse", "core": "rnn", "epochs": 3, "error_percent": 1.25, "by_seed": [1.25], "runs": ["x"]}
    row |= {"standard_error": 0.5, "examples": 400, "collapsed": False, "step_cpu_ms": 12.0, "parameters": 1234}
    row |= {"curve": [(1.0, 2.0), (2.0, 1.0)]}
    asked: dict[str, Any] = {}

    def measured(runs: Path, say: Any, **options: Any) -> list[dict[str, Any]]:
        asked.update(options, runs=runs)
        return [row, row | {"core": "gru", "parameters": 4321}]

    monkeypatch.setattr(compare, "measure", measured)
    answer = saccade("cores", "--epochs", "3", "--seeds", "2", "--runs", "here")
    assert answer.code == 0, answer
    assert asked == {"epochs": 3, "seeds": 2, "runs": Path("here")}
    for words in ("glimpse, rnn", "glimpse, gru", "error 1.25 ± 0.50 %", "12.0", "1,234", "4,321", "wrote cores.png"):
        assert words in answer.out
    with Image.open("cores.png") as image:
        assert image.format == "PNG"
    found = json.loads(saccade("cores", "--json").out)
    assert found["cores"][0]["error_percent"] == 1.25


@pytest.mark.parametrize("command", ["gradients", "cores"])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--out figure.gif", "a file name that ends in .png, found 'figure.gif'"),
        ("--out figure", "a file name that ends in .png"),
        ("--out nowhere/figure.png", "a folder that is there, found none at nowhere"),
        ("--out folder.png", "a file to write, found a folder at folder.png"),
    ],
)
def test_a_figure_that_cannot_be_written_is_refused_before_the_work(
    refused: Any, place: Path, monkeypatch: pytest.MonkeyPatch, command: str, words: str, says: str
) -> None:
    def work(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(flow, "measure", work)
    monkeypatch.setattr(compare, "measure", work)
    (place / "folder.png").mkdir()
    assert says in refused(command, *words.split())
    assert [path.name for path in place.iterdir()] == ["folder.png"]


def test_a_folder_that_is_not_writable_is_refused(refused: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # a test may run as root, who may write everywhere
    assert "a folder that can be written to" in refused("gradients", "--out", "figure.png")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("gradients --steps 0", "'--steps'"),
        ("gradients --steps ten", "'--steps'"),
        ("gradients --updates -1", "'--updates'"),
        ("cores --epochs 0", "'--epochs'"),
        ("cores --seeds 0", "'--seeds'"),
        ("cores --step 3", "found --step"),
        ("gradient", "did you mean 'gradients'?"),
    ],
)
def test_refused(refused: Any, place: Path, words: str, says: str) -> None:
    assert says in refused(*words.split()).lower()
    assert list(place.iterdir()) == []


def test_a_runs_folder_with_other_settings_is_refused_by_name(refused: Any, saccade: Any, place: Path) -> None:
    words = ["glimpse", "train", "--hidden", "8", "--features", "8", "--glimpses", "1", "--epochs", "1"]
    assert saccade(*words, "--threads", "1", "--out", "runs/cores/glimpse-rnn-s0").code == 0
    said = refused("cores", "--epochs", "1")
    assert "the settings of the run in runs/cores/glimpse-rnn-s0" in said
    assert "model.hidden: 8, now 256" in said
