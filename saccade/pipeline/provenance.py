"""What made a result: the versions of what ran, the commit of its source, the command, the time."""

import contextlib
import datetime
import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def facts() -> dict[str, Any]:
    """What made a result, in terms that JSON holds."""
    import torch  # so that `saccade --version` does not wait for it

    return {
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "saccade": version()},
        "git_commit": _git_commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "begun": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def version() -> str | None:
    """Saccade's version; None where it is not installed, as when `cli.py` runs from its source."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("saccade")
    return None


def _git_commit() -> str | None:
    """The commit of the source that runs, with "+changes" where files differ from it; None for an installed wheel."""
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
