"""Provenance of a result: versions, the commit of the source, the command, the time."""

import contextlib
import datetime
import importlib.metadata
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from saccade.pipeline.config import CIRCUMSTANCES

PLACES = ("--out", *("--" + key.split(".")[1].replace("_", "-") for key in CIRCUMSTANCES))
"""Options of a training, with a value, that say where and how, not what."""

MANNERS = ("--eval", "--no-eval", "--fresh", "--resume", "--tensorboard", "--json")
"""Such options without a value."""


class Provenance(TypedDict):
    """Provenance of a result, as run.json holds it; a shipped network's has the last five keys too."""

    versions: dict[str, str | None]
    """Of python, torch and saccade."""
    git_commit: str | None
    """Commit of the source, with "+changes" if files differed from it; None for an installed wheel."""
    command: list[str]
    """The command line."""
    begun: str
    """Date and time (UTC, ISO 8601)."""
    about: NotRequired[str]
    """A line that says what the network is."""
    ancestors: NotRequired[list[str]]
    """Commands of the runs whose weights it began with, the last one first."""
    warned: NotRequired[list[str]]
    """Warnings of its training."""
    train_seconds: NotRequired[int]
    """Wall time of its training."""
    steps: NotRequired[int]
    """Steps of its training."""


def provenance() -> Provenance:
    """Return what made a result, in terms that JSON holds."""
    import torch  # so that `saccade --version` does not wait for it

    return {
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "saccade": version()},
        "git_commit": _git_commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "begun": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def version() -> str | None:
    """Return Saccade's version; None where it is not installed, as when `cli.py` runs from its source."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("saccade")
    return None


def command(made: Provenance, *, without: Sequence[str] = ()) -> str:
    """Return the command that made a run, without places and circumstances: what to type to make it again.

    Args:
        made: the run's provenance.
        without: further options to leave out, e.g. --seed. Absolute paths keep their last two parts.
    """
    words, kept, skip = [str(word) for word in made.get("command", [])][1:], ["saccade"], False
    for word in words:
        option = word.split("=", 1)[0]
        if skip:
            skip = False
        elif option in (*PLACES, *without):
            skip = "=" not in word
        elif word not in MANNERS:
            kept.append(str(Path(*Path(word).parts[-2:])) if word.startswith("/") else word)
    return shlex.join(kept)


def _git_commit() -> str | None:
    """Return the commit of the source that runs, "+changes" if files differ from it; None for an installed wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    answers = list(_git(root, ("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no")))
    return answers[0] + ("+changes" if answers[1] else "") if len(answers) == 2 else None


def _git(root: Path, *commands: tuple[str, ...]) -> Iterator[str]:
    for command in commands:
        try:
            done = subprocess.run(["git", "-C", str(root), *command], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return
        if done.returncode != 0:
            return
        yield done.stdout.strip()
