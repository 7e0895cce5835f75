"""Whatever a person gives: one line (expected, found, do), exit code 2, nothing written and nothing lost."""

import errno
import gzip
import json
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from saccade.pipeline import trained as trained_networks
from saccade.pipeline.evaluate import evaluate
from saccade.terminal import screen as terminal


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the lock, with its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to damage at will."""
    return Path(shutil.copytree(trained, tmp_path / "ram"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("glimpse train --glimpses 0", "a value greater than or equal to 1, found 0 for --glimpses"),
        ("glimpse train --glimpses seven", "a valid integer, found 'seven' for --glimpses"),
        ("glimpse train --glimpses 3.5", "a valid integer, found '3.5' for --glimpses"),
        ("glimpse train --learning-rate nan", "a finite number, found nan for --learning-rate"),
        ("glimpse train --core gpu", "'rnn', 'lstm' or 'gru', found 'gpu' for --core"),
        ("glimpse train --glimpes 7", "found --glimpes; did you mean --glimpses?"),
        ("glimpse train --zzz 7", "found --zzz; see `saccade glimpse train --help`"),
        ("glimpse train --glimpses", "'--glimpses' requires an argument"),
        ("glimpse train surplus", "see `saccade glimpse train --help`"),
        ("glimpse trian", "did you mean 'train'?"),
        ("glance", "see `saccade --help`"),
        ("glimpse train --patch 29", "a patch no larger than the image"),
        ("glimpse train --batch-size 5000", "lower --batch-size"),
        ("glimpse train --validation 5000", "found 5000"),
        ("glimpse train --dataset minst", "found 'minst' for --dataset"),
        ("glimpse train --dataset folder:nowhere", "a folder at nowhere, found nothing"),
        ("glimpse train --dataset mnist --data-dir nowhere", "no such folder; name the folder that holds them"),
        ("glimpse train --config nowhere.toml", "no file nowhere.toml"),
        ("glimpse eval nowhere", "a run folder, found no folder nowhere"),
        ("glimpse eval .", "a run folder, found no run.json in ."),
        ("glimpse eval", "missing argument"),
        ("glimpse gif nowhere", "a run folder, found no folder nowhere"),
        ("glimpse read digit.png", "no such file"),
        ("glimpse read . --run nowhere", "a run folder, found no folder nowhere"),
        ("baseline train --kind transformer", "found 'transformer' for --kind"),
        ("baseline train --glimpses 3", "found --glimpses"),
    ],
)
def test_refused(refused: Callable[..., str], place: Path, words: str, says: str) -> None:
    assert says.lower() in refused(*words.split()).lower()
    assert contents(place) == {}
    assert list(place.iterdir()) == []


def test_no_network_and_no_mnist(refused: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unplugged(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unplugged)
    monkeypatch.setattr(socket, "getaddrinfo", unplugged)
    monkeypatch.delenv("SACCADE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
    said = refused("glimpse", "train", "--dataset", "mnist", "--out", "ram")
    assert "unreachable" in said
    assert "name a folder that holds MNIST with --data-dir or SACCADE_DATA" in said
    assert list(place.iterdir()) == []


def idx(kind: int, *shape: int) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, kind, *shape) + bytes(int(np.prod(shape)))


@pytest.mark.parametrize("damage", ["truncated", "other", "gzip"])
def test_a_damaged_idx_file(refused: Any, place: Path, tmp_path: Path, damage: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "t10k"):
        (data / f"{split}-images-idx3-ubyte").write_bytes(idx(3, 20, 28, 28))
        (data / f"{split}-labels-idx1-ubyte").write_bytes(idx(1, 20))
    broken = data / "train-images-idx3-ubyte"
    whole = broken.read_bytes()
    if damage == "truncated":
        broken.write_bytes(whole[:-100])
    elif damage == "other":
        broken.write_bytes(b"<html>no such page</html>")
    else:
        broken.unlink()
        broken = data / "train-images-idx3-ubyte.gz"
        broken.write_bytes(gzip.compress(whole)[:-9])
    said = refused("glimpse", "train", "--dataset", "mnist", "--data-dir", data, "--out", "ram")
    assert str(broken) in said
    assert list(place.iterdir()) == []


def one_class(folder: Path) -> None:
    shutil.rmtree(folder / "dogs")


def mixed_sizes(folder: Path) -> None:
    Image.new("L", (9, 8)).save(folder / "dogs" / "0.png")


def no_image(folder: Path) -> None:
    (folder / "dogs" / "0.png").write_text("a dog")


@pytest.mark.parametrize(("damage", "says"), [(one_class, "only cats"), (mixed_sizes, "9x8"), (no_image, "dogs/0.png")])
def test_a_folder_that_is_no_data_set(
    refused: Any, place: Path, tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    folder = tmp_path / "animals"
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for index in range(5):
            Image.new("L", (8, 8), index).save(folder / name / f"{index}.png")
    damage(folder)
    assert says in refused("glimpse", "train", "--dataset", f"folder:{folder}", "--patch", "4", "--out", "ram")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model]\nglimpses = 0", "found 0 for run.toml: [model] glimpses"),
        ("[model]\nglimses = 7", "found run.toml: [model] glimses; did you mean glimpses?"),
        ("[modle]\nglimpses = 7", "found run.toml: modle; did you mean model?"),
        ("[train]\nepochs = '7'", "a valid integer, found '7' for run.toml: [train] epochs"),
        ("[train", "TOML in run.toml"),
    ],
)
def test_a_toml_file_that_does_not_fit(refused: Any, place: Path, text: str, says: str) -> None:
    (place / "run.toml").write_text(text)
    assert says in refused("glimpse", "train", "--config", "run.toml")
    assert [path.name for path in place.iterdir()] == ["run.toml"]


def test_a_folder_that_holds_something_else(refused: Any, place: Path) -> None:
    (place / "thesis.txt").write_text("years of work")
    for words in (["--out", "."], ["--out", ".", "--fresh"]):
        assert "other files in ." in refused("glimpse", "train", *words)
    assert "a file at thesis.txt" in refused("glimpse", "train", "--out", "thesis.txt")
    assert contents(place) == {"thesis.txt": b"years of work"}


def test_a_run_of_another_system(refused: Any, run: Path) -> None:
    before = contents(run)
    assert "found one of glimpse in" in refused("baseline", "eval", run)
    assert contents(run) == before


def test_a_checkpoint_of_another_shape(refused: Any, run: Path) -> None:
    settings = json.loads((run / "run.json").read_text())
    settings["model"]["hidden"] += 1
    (run / "run.json").write_text(json.dumps(settings))
    before = contents(run)
    assert "torch" not in refused("glimpse", "eval", run)
    assert contents(run) == before


def test_images_of_another_shape(refused: Any, run: Path) -> None:
    settings = json.loads((run / "run.json").read_text())
    settings["facts"]["height"] = 60
    (run / "run.json").write_text(json.dumps(settings))
    assert "this run was trained on, found other data (height: 60, now 28)" in refused("glimpse", "eval", run)
    settings["facts"] |= {"height": 28, "classes": list("abcdefghij")}
    (run / "run.json").write_text(json.dumps(settings))
    assert "found other data (classes: ('a', 'b'," in refused("glimpse", "eval", run)


@pytest.mark.parametrize("verb", ["eval", "gif", "train"])
def test_a_damaged_checkpoint(refused: Any, small: list[str], run: Path, verb: str) -> None:
    (file,) = run.glob("checkpoint-*")
    file.write_bytes(file.read_bytes()[:-50])
    before = contents(run)
    words = ["train", *small, "--epochs", "4", "--validation", "100", "--out"] if verb == "train" else [verb]
    with_warning = refused_after_warnings(refused, "glimpse", *words, run)
    assert str(file) in with_warning
    assert contents(run) == before


def refused_after_warnings(refused: Any, *words: Any) -> str:
    """As `refused`, with the log's warnings kept off the stream."""
    import logging

    log = logging.getLogger("saccade")
    log.setLevel(logging.ERROR)
    try:
        return refused(*words)
    finally:
        log.setLevel(logging.NOTSET)


def test_a_run_without_a_checkpoint(refused: Any, run: Path) -> None:
    next(run.glob("checkpoint-*")).unlink()
    assert "a checkpoint in" in refused("glimpse", "eval", run)


def test_a_run_json_that_is_none(refused: Any, run: Path) -> None:
    (run / "run.json").write_text("{")
    before = contents(run)
    assert "run.json" in refused("glimpse", "eval", run)
    assert "run.json" in refused("glimpse", "train", "--out", run)
    assert contents(run) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--index", "400"], "examples 0 to 399 of the test split, found --index 400"),
        (["--index", "-1"], "found --index -1"),
        (["--index", "398", "--count", "3"], "found --index 398 --count 3"),
        (["--count", "0"], "invalid value for '--count'"),
        (["--count", "10000"], "invalid value for '--count'"),
        (["--condition", "blind"], "found 'blind'"),
        (["--out", "gaze.bmp"], "'gaze.bmp'"),
        (["--out", "nowhere/gaze.gif"], "none at nowhere"),
        (["--strip", "strip.gif"], "'strip.gif'"),
        (["--seconds", "0"], "0"),
        (["--split", "train"], "train"),
    ],
)
def test_a_gif_that_cannot_be(refused: Any, place: Path, run: Path, words: list[str], says: str) -> None:
    before = contents(run)
    assert says in refused("glimpse", "gif", run, *words)
    assert list(place.iterdir()) == []
    assert contents(run) == before


def test_an_image_file_that_is_no_image(refused: Any, place: Path, run: Path, digit: Path) -> None:
    (place / "fake.png").write_text("no image")
    words = ["glimpse", "read", digit, "fake.png", "--run", run, "--gif", "out.gif"]
    assert "a picture in fake.png" in refused(*words)
    Image.new("L", (40, 40), 200).save(place / "blank.png")
    assert "blank.png" in refused("glimpse", "read", "blank.png", "--run", run)
    assert "no such file" in refused("glimpse", "read", "nowhere.png", "--run", run)
    assert {path.name for path in place.iterdir()} == {"fake.png", "blank.png"}


def test_a_full_disk_is_one_line(saccade: Any, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "log.jsonl")

    monkeypatch.setattr(trained_networks, "write_json", full)
    answer = saccade("glimpse", "eval", run)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == ("saccade: No space left on device at log.jsonl; fix that, then run the same command again\n")


def test_a_fault_of_our_own_is_one_line_too(saccade: Any, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> Any:
        raise ZeroDivisionError("a fault\nof two lines")

    monkeypatch.setattr(evaluate, "evaluate", broken)
    with pytest.raises(ZeroDivisionError):
        saccade("glimpse", "eval", run)
    monkeypatch.delenv("SACCADE_DEBUG")
    answer = saccade("glimpse", "eval", run)
    assert answer.code == 1
    assert answer.err.startswith("saccade: ZeroDivisionError: a fault of two lines; this is a bug in Saccade")
    assert answer.err.count("\n") == 1


def test_control_c_anywhere_is_no_traceback(saccade: Any, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(terminal, "show_metrics", stopped)
    assert saccade("glimpse", "eval", run).code == 130


def test_without_words_the_help_is_shown(saccade: Any) -> None:
    for words in ([], ["glimpse"]):
        answer = saccade(*words)
        assert (answer.code, answer.err) == (0, "")
        assert "Usage" in answer.out
