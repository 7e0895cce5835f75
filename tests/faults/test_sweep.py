"""A sweep of bad input over every verb: one line, the right exit code, no traceback, no long wait, no lost file.

The quick part takes a sample of the words; the marker slow runs all.
"""

import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from saccade.cli import app

MOST_SECONDS = 10.0

FILES = (
    "",
    ".",
    "/",
    "..",
    "none.png",
    "x" * 300 + ".png",
    "text.png",
    "empty.png",
    "nan.tiff",
    "a\nb",
    "é.png",
    "-",
    "~",
)
RUNS = ("none", "", ".", "/", "text.png", "x" * 300, "ram-mnits", "../" * 50, "run", "a b", "é", "-", "https://x/y")
OUTPUTS = (
    "mine.png",
    "mine.gif",
    "link.png",
    "none/a.gif",
    "a.bmp",
    "a",
    "",
    ".",
    "/",
    "x" * 300 + ".gif",
    "folder.gif",
)
NUMBERS = ("-1", "nan", "inf", "-inf", "1e400", "x", "", "9" * 400, "0x10", "1.5.2", "--", "١x")
NAMES = ("", "x" * 300, "a\nb", "../x", "é", "folder:", "folder:none", "mnits")

READS = [["glimpse", "read", file] for file in FILES]
READS += [["draw", "complete", "draw-mnist", file] for file in FILES]
READS += [["draw", "complete", "draw-mnist", "mine.png", "--mask", file] for file in FILES if file]
RUNNING = [
    [*verb, run]
    for verb in itertools.product(("glimpse", "draw", "baseline", "adding"), ("eval", "gif"))
    for run in RUNS
]
RUNNING += [["draw", "generate", run] for run in RUNS if run] + [["report", run] for run in RUNS]
RUNNING += [["models", "add", run, "name", "--about", "x", "--into", "into"] for run in RUNS]
WRITING = [
    [*words, option, out]
    for words, option in (
        (["glimpse", "read", "mine.png"], "--gif"),
        (["glimpse", "read", "mine.png"], "--strip"),
        (["glimpse", "gif", "ram-mnist"], "--out"),
        (["draw", "generate"], "--out"),
        (["draw", "generate"], "--neighbours"),
        (["draw", "gif", "draw-mnist"], "--out"),
        (["draw", "complete", "draw-mnist", "mine.png"], "--out"),
        (["gradients"], "--out"),
        (["cores"], "--out"),
        (["report", "ram-mnist"], "--out"),
    )
    for out in OUTPUTS
]
SETTINGS = [
    [system, "train", option, value]
    for system, option in (
        ("glimpse", "--glimpses"),
        ("glimpse", "--hidden"),
        ("glimpse", "--learning-rate"),
        ("draw", "--steps"),
        ("draw", "--latent"),
        ("baseline", "--epochs"),
        ("adding", "--batch-size"),
        ("adding", "--seed"),
    )
    for value in NUMBERS
]
SETTINGS += [
    ["glimpse", "gif", "ram-mnist", option, n] for option in ("--count", "--index", "--seconds") for n in NUMBERS
]
SETTINGS += [["draw", "generate", option, n] for option in ("--count", "--seed", "--seconds") for n in NUMBERS]
SETTINGS += [["reproduce", "table.toml", option, n] for option in ("--seeds", "--jobs") for n in NUMBERS]
SETTINGS += [["gradients", option, n] for option in ("--steps", "--updates") for n in NUMBERS]
SETTINGS += [["glimpse", "train", option, name] for option in ("--dataset", "--core", "--start-from") for name in NAMES]
SETTINGS += [["reproduce", "table.toml", "--rows", name] for name in NAMES]
SETTINGS += [["benchmark", "--dataset", name] for name in NAMES]
SETTINGS += [["glimpse", "train", "--config", name] for name in (*NAMES, "text.png", ".")]
SETTINGS += [["reproduce", name] for name in (*NAMES, "text.png", ".")]

ALL = READS + RUNNING + WRITING + SETTINGS
QUICK = [words for words in ALL[::6] if words[:2] != ["draw", "complete"]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: pictures, a link, a text called a picture, an empty file, a folder named as a film."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SACCADE_DEBUG", raising=False)
    monkeypatch.delenv("SACCADE_DATA", raising=False)
    pixels = np.full((56, 56), 255, np.uint8)
    pixels[8:48, 24:30] = 0
    Image.fromarray(pixels).save("mine.png")
    shutil.copy("mine.png", "mine.gif")
    Path("link.png").symlink_to("mine.png")
    Path("text.png").write_text("no picture")
    Path("empty.png").touch()
    Path("table.toml").write_text('[rows.one]\nsystem = "adding"\n')
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save("nan.tiff")
    Path("folder.gif").mkdir()
    return tmp_path


def faults(commands: list[list[str]], place: Path) -> Iterator[str]:
    """Run each command; yield what is wrong with its end."""
    before = {path: path.read_bytes() for path in place.iterdir() if path.is_file()}
    for words in commands:
        began = time.monotonic()
        result = CliRunner().invoke(app, words, prog_name="saccade")
        seconds, lines = time.monotonic() - began, result.stderr.splitlines()
        said = [line for line in lines if line.startswith("saccade: expected ")]
        if result.exit_code != 2 or len(said) != 1 or "Traceback" in result.stderr or "bug in Saccade" in result.stderr:
            yield f"{[word[:40] for word in words]}: {result.exit_code} {lines[-2:]} {result.exception!r:.200}"
        if seconds > MOST_SECONDS:
            yield f"{words}: {seconds:.0f} s"
        for path, content in before.items():
            if not path.exists() or path.read_bytes() != content:
                yield f"{words}: {path.name} is lost"


def test_a_sample_of_bad_input(place: Path) -> None:
    assert list(faults(QUICK, place)) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_bad_input(place: Path) -> None:
    assert len(ALL) >= 500
    assert list(faults(ALL, place)) == []
