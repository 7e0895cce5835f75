"""`saccade caption` as a person uses it: a folder of photographs with captions, from training to a film."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.caption.photographs import averages, csv_folder, photograph
from tests.cli.conftest import Answer
from tests.cli.conftest import saccade as command

Command = Callable[..., Answer]
Refused = Callable[..., str]


@pytest.fixture(scope="module", autouse=True)
def _encoder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saccade.caption.encoder.load_encoder", lambda name, weights=None: averages())
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("caption")
    folder = csv_folder(root / "photos")
    words = [
        "caption",
        "train",
        "--dataset",
        f"folder:{folder}",
        "--features-dir",
        root / "store",
        "--out",
        root / "run",
    ]
    words += ["--least-count", "1", "--hidden", "16", "--embedding", "8", "--epochs", "30", "--batch-size", "8"]
    answer = command(*words, "--captions", "2", "--optimizer", "adam", "--learning-rate", "0.02", "--threads", "1")
    assert answer.code == 0, answer.err
    return root / "run"


def test_write_says_the_sentence_and_its_runners_up(saccade: Command, run: Path, tmp_path: Path) -> None:
    colour = photograph(tmp_path / "a.png", 51)
    answer = saccade("caption", "write", tmp_path / "a.png", "--run", run, "--beam", "3")
    assert answer.code == 0 and colour in answer.out.splitlines()[0]
    assert answer.out.splitlines()[1].startswith("    or: ")
    found = saccade("caption", "write", tmp_path / "a.png", "--run", run, "--json").json()["answers"]
    assert found[0]["picture"].endswith("a.png") and colour in found[0]["sentences"][0]["text"]


def test_write_and_gif_make_films_and_strips(saccade: Command, run: Path, tmp_path: Path) -> None:
    photograph(tmp_path / "a.png", 51)
    film, strip = tmp_path / "a.gif", tmp_path / "strip.png"
    assert saccade("caption", "write", tmp_path / "a.png", "--run", run, "--gif", film, "--strip", strip).code == 0
    assert film.stat().st_size > 1000 and strip.stat().st_size > 1000
    assert saccade("caption", "gif", run, "--index", "1", "--out", tmp_path / "b.gif").code == 0


def test_eval_compares_beams(saccade: Command, run: Path) -> None:
    metrics = saccade("caption", "eval", run, "--beam", "2", "--json").json()
    assert metrics["beams"] == 2 and metrics["bleu_4_by_beams"].keys() == {"1", "2", "3", "5"}
    assert "bleu 4 by beams" in saccade("caption", "eval", run).out


def test_bad_input_is_one_line(refused: Refused, run: Path, tmp_path: Path) -> None:
    photograph(tmp_path / "a.png", 51)
    (tmp_path / "text.png").write_text("text")
    assert "a picture" in refused("caption", "write", tmp_path / "text.png", "--run", run)
    assert "none.png" in refused("caption", "write", tmp_path / "none.png", "--run", run)
    assert "scenes, flickr8k" in refused("caption", "train", "--dataset", "coco", "--out", tmp_path / "x")
    assert "captions.csv" in refused("caption", "train", "--dataset", f"folder:{tmp_path}", "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_without_the_encoders_packages_the_line_says_how_to_install_them(
    refused: Refused, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(tmp_path / "a.png", 51)
    monkeypatch.undo()
    import saccade.caption.encoder as encoder

    monkeypatch.setattr(encoder, "load_encoder", ORIGINAL)
    monkeypatch.setitem(sys.modules, "timm", None)
    assert 'pip install "saccade[caption]"' in refused("caption", "write", tmp_path / "a.png", "--run", run)


def _original() -> object:
    import saccade.caption.encoder as encoder

    return encoder.load_encoder


ORIGINAL = _original()
