"""The command line as a test sees it: typer's runner, and networks that were trained by it in a second."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from saccade.cli import app

SMALL = ["--hidden", "32", "--features", "16", "--glimpses", "3", "--batch-size", "128", "--threads", "1"]
TINY = ["--hidden", "16", "--latent", "4", "--steps", "4", "--batch-size", "128", "--epochs", "1", "--warmup", "0.03"]
TINY += ["--threads", "1"]


class Answer(NamedTuple):
    """What a command left: exit code, and the two streams."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        return json.loads(self.out)


def saccade(*words: str | Path) -> Answer:
    """Run the command; an internal error fails the test."""
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="saccade", catch_exceptions=False)
    return Answer(result.exit_code, result.stdout, result.stderr)


def refused(*words: str | Path) -> str:
    """Run a command that must end in one line for the person; that line, without its beginning."""
    answer = saccade(*words)
    assert (answer.code, answer.out) == (2, ""), answer
    lines = answer.err.splitlines()
    assert len(lines) == 1, answer.err
    assert lines[0].startswith("saccade: expected "), lines
    assert ", found " in lines[0]
    assert "; " in lines[0]
    return lines[0].removeprefix("saccade: ")


@pytest.fixture(name="saccade")
def _saccade() -> Callable[..., Answer]:
    return saccade


@pytest.fixture(name="refused")
def _refused() -> Callable[..., str]:
    return refused


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Options of a network that trains in a second."""
    return SMALL


@pytest.fixture(scope="session")
def measured(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished glimpse run, with its metrics; tests that change it copy it."""
    path = Path(shutil.copytree(trained, tmp_path_factory.mktemp("measured") / "ram"))
    assert saccade("glimpse", "eval", path).code == 0
    return path


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Options of a DRAW that trains in a second."""
    return TINY


def finished(factory: pytest.TempPathFactory, *words: str) -> Path:
    """The folder of a run that `saccade WORDS` trained; tests that change what others read take a copy."""
    path = factory.mktemp("runs") / words[0]
    answer = saccade(*words, "--out", path)
    assert answer.code == 0, answer
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A glimpse run."""
    return finished(tmp_path_factory, "glimpse", "train", *SMALL, "--epochs", "4", "--validation", "100")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DRAW without labels."""
    return finished(tmp_path_factory, "draw", "train", *TINY, "--validation", "20")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DRAW that knows its classes."""
    return finished(tmp_path_factory, "draw", "train", *TINY, "--labelled")


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline that reads the embedded digits."""
    path = tmp_path_factory.mktemp("runs") / "classifier"
    words = ["--kind", "fc", "--epochs", "8", "--batch-size", "128", "--threads", "1"]
    answer = saccade("baseline", "train", *words, "--out", path)
    assert answer.code == 0, answer
    return path


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """A picture of a one: a dark stroke on light paper."""
    pixels = np.full((60, 50), 240, np.uint8)
    pixels[10:50, 22:28] = 20
    path = tmp_path / "one.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in; what a command leaves there is seen."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
