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

from cli import app

SMALL = ["--hidden", "32", "--features", "16", "--glimpses", "3", "--batch-size", "128", "--threads", "1"]
TINY = ["--hidden", "16", "--latent", "4", "--steps", "4", "--batch-size", "128", "--epochs", "1", "--threads", "1"]


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
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished glimpse run; tests must leave its files as they are, or copy it."""
    path = tmp_path_factory.mktemp("runs") / "ram"
    answer = saccade("glimpse", "train", *SMALL, "--epochs", "4", "--validation", "100", "--out", path)
    assert answer.code == 0, answer
    return path


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


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished DRAW without labels; tests write into it only what they are about."""
    path = tmp_path_factory.mktemp("runs") / "draw"
    answer = saccade("draw", "train", *TINY, "--validation", "20", "--out", path)
    assert answer.code == 0, answer
    return path


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished DRAW that knows its classes."""
    path = tmp_path_factory.mktemp("runs") / "labelled"
    answer = saccade("draw", "train", *TINY, "--labelled", "--out", path)
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
