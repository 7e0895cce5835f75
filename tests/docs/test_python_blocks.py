"""The Python of the README and the manual runs, a page's blocks one after another."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.manual import IDS, PAGES, README, blocks


def run(page: Path, *, whole: bool) -> dict[str, Any]:
    """Run a page's blocks in the current folder; trainings of one epoch, unless `whole`. Return its names."""
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.kind == "python" and not block.title:  # a titled one is a file of the tutorial's package
            code = block.body if whole else re.sub(r"epochs=\d+", "epochs=1", block.body)
            exec(compile(code, str(page), "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SACCADE_DATA", raising=False)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_pages_python_runs(page: Path) -> None:
    run(page, whole=False)


@pytest.mark.slow
def test_the_readmes_python_reads_what_was_written() -> None:
    names = run(README, whole=True)
    assert "".join(answer.label for answer in names["answers"]) == "1984"
    assert Path("gaze.gif").exists()
    lines = next(block.body for block in blocks(README) if block.kind == "python").strip().splitlines()
    assert len(lines) <= 10
