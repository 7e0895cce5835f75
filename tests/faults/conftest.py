"""Commands in processes of their own, to which real faults are done."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from saccade.cli import app

FORKS = Path(__file__).with_name("forks.py")

RAM = ["glimpse", "train", "--hidden", "64", "--features", "64", "--glimpses", "3", "--shift", "1"]
DRAW = ["draw", "train", "--hidden", "64", "--latent", "8", "--steps", "8", "--first-steps", "2", "--grow-until", "0.8"]
DRAW += ["--binarise", "dynamic"]
LEARNING = ["--batch-size", "128", "--threads", "1", "--ema", "0.9", "--clip", "5", "--optimizer", "muon"]


def words(system: str, out: Path, *more: str) -> list[str]:
    """A training with all that must be resumed: both optimizers, the average, the schedule, growing T, augmentation."""
    return [*(RAM if system == "glimpse" else DRAW), *LEARNING, *more, "--out", str(out)]


def forks(*arguments: str | Path, timeout: float = 900) -> dict[str, Any]:
    """What forks.py says became of its processes."""
    command = [sys.executable, str(FORKS), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run a command in this process: exit code and what it said on stderr."""
    result = CliRunner().invoke(app, [str(word) for word in arguments], prog_name="saccade", catch_exceptions=False)
    return result.exit_code, result.stderr


def last(folder: Path) -> bytes:
    """The bytes of the newest checkpoint."""
    newest = max(folder.glob("checkpoint-*.safetensors"), key=lambda path: int(path.stem.split("-")[1]))
    return newest.read_bytes()


@pytest.fixture(name="words")
def _words() -> Callable[..., list[str]]:
    return words


@pytest.fixture(name="forks")
def _forks() -> Callable[..., dict[str, Any]]:
    return forks


@pytest.fixture(name="run")
def _run() -> Callable[..., tuple[int, str]]:
    return run


@pytest.fixture(name="last")
def _last() -> Callable[[Path], bytes]:
    return last
