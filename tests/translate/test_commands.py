"""The verbs of `saccade translate`: what they print and write, and bad input in one line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from saccade.cli import app
from tests.cli.conftest import Answer, refused, saccade
from tests.translate.conftest import SMALL

SENTENCE = "Dort singt der alte Bär."


def piped(data: bytes, *words: str | Path) -> Answer:
    """Run the command with bytes on stdin."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=data, catch_exceptions=False)
    return Answer(result.exit_code, result.stdout, result.stderr)


def test_a_line_in_is_a_line_out(run: Path) -> None:
    lines = f"{SENTENCE}\n\nIm Haus schläft der große Vogel.\r\nBär.".encode()
    answer = piped(lines, "translate", "write", "-", "--run", run)
    assert answer.code == 0
    written = answer.out.split("\n")
    assert len(written) == 5 and written[1] == "" and written[4] == ""
    alone = [saccade("translate", "write", text, "--run", run).out for text in (SENTENCE, "Bär.")]
    assert [f"{written[0]}\n", f"{written[3]}\n"] == alone


def test_the_best_as_text_and_as_json(run: Path) -> None:
    answer = saccade("translate", "write", SENTENCE, "Bär.", "--run", run, "--beam", "4", "--n-best", "2")
    rows = [line.split("\t") for line in answer.out.splitlines()]
    assert len(rows) == 4 and float(rows[0][0]) >= float(rows[1][0])
    found = saccade("translate", "write", SENTENCE, "--run", run, "--n-best", "2", "--json").json()["translations"]
    assert found[0]["source"] == SENTENCE
    assert found[0]["translation"] == found[0]["candidates"][0]["text"]
    assert len(found[0]["candidates"]) == 2


def test_samples_are_repeated_by_their_seed(run: Path) -> None:
    words = ["translate", "write", SENTENCE, "--run", run, "--sample", "--temperature", "2", "--seed"]
    assert saccade(*words, "5").out == saccade(*words, "5").out
    assert len({saccade(*words, str(seed)).out for seed in range(5)}) > 1
    assert "--sample, or --beam" in refused(*words, "5", "--beam", "3")
    assert "a temperature above 0" in refused(
        "translate", "write", "x Bär", "--run", run, "--sample", "--temperature", "0"
    )


def test_alignments_are_filmed(run: Path, tmp_path: Path) -> None:
    film, strip = tmp_path / "film.gif", tmp_path / "strip.png"
    answer = saccade("translate", "write", SENTENCE, "--run", run, "--gif", film, "--strip", strip)
    assert answer.code == 0 and answer.out.count("\n") == 1
    with Image.open(film) as opened:
        assert opened.size == (960, 720) and getattr(opened, "n_frames", 1) >= 4
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    answer = saccade("translate", "gif", copy, "--index", "2", "--strip", strip)
    assert answer.code == 0
    assert (copy / "alignment-2.gif").is_file()
    assert {"source", "translation", "reference"} <= {line.split(":")[0] for line in answer.out.splitlines()}


def test_evaluation_writes_metrics(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    answer = saccade("translate", "eval", copy, "--beam", "2", "--json")
    metrics = json.loads((copy / "metrics.json").read_text())
    assert answer.json() == metrics
    assert metrics["beams"] == 2 and metrics["examples"] == 18 and list(metrics["bleu"]) == ["test"]
    assert "case:lc" in metrics["signature_lowercased"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((" ",), "a sentence, found nothing in argument 1"),
        ((SENTENCE, ""), "a sentence, found nothing in argument 2"),
        (("Привет мир",), "a sentence in the script of de"),
        (("Bär " * 10_000,), "fewer than 100 subwords in a sentence"),
        (("Bär.\nBär.",), "a sentence without line breaks"),
        ((SENTENCE, "--gif", "x.txt"), "a file name that ends in"),
        ((SENTENCE, "--run", "nowhere"), "a run folder"),
    ],
)
def test_bad_sentences_are_refused(run: Path, words: tuple[str, ...], message: str) -> None:
    given = words if "--run" in words else (*words, "--run", str(run))
    assert message in refused("translate", "write", *given)


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "sentences on stdin"), (b" \n\n", "sentences on stdin"), (b"\xff\n", "text in UTF-8")]
)
def test_bad_stdin_is_refused(run: Path, data: bytes, message: str) -> None:
    answer = piped(data, "translate", "write", "-", "--run", run)
    assert answer.code == 2 and answer.out == "" and message in answer.err


def test_unknown_letters_are_warned_about(run: Path) -> None:
    answer = saccade("translate", "write", "Dort singt 漢字.", "--run", run)
    assert answer.code == 0
    assert "warning: sentence 1: 漢字." in answer.err


def test_other_data_than_the_networks_are_refused(run: Path, folder: Path) -> None:
    message = refused("translate", "eval", run, "--data-dir", folder)
    assert "the data that this run was trained on" in message and "other subwords" in message


def test_a_damaged_vocabulary_is_refused(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    record: dict[str, Any] = json.loads((copy / "run.json").read_text())
    for merges in (record["facts"]["merges"][:-1], [*record["facts"]["merges"], "x"], ["ü ü"]):
        (copy / "run.json").write_text(json.dumps(record | {"facts": record["facts"] | {"merges": merges}}))
        assert refused("translate", "write", SENTENCE, "--run", copy)


def test_bad_training_data_leave_no_run(folder: Path, tmp_path: Path) -> None:
    (folder / "train.en").write_text("one\n")
    words = ["translate", "train", "--out", tmp_path / "out", "--hidden", str(SMALL["hidden"])]
    assert "as many lines in both files" in refused(*words, "--dataset", f"lines:{folder}")
    assert "a folder of text files" in refused(*words, "--dataset", "lines:nowhere")
    assert "numbers or lines:FOLDER" in refused(*words, "--dataset", "numbres")
    assert "a language of num2words" in refused(*words, "--from", "xx")
    assert not (tmp_path / "out").exists()
