"""Sample pictures that make the manual's commands work as typed; shell completion; the licence."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from saccade.pipeline.checkpoint import locate

ROOT = locate.NETWORKS.parents[2]


def test_samples_are_written_and_read_right(saccade: Any, place: Path) -> None:
    for _ in range(2):
        assert saccade("samples").code == 0
    names = {path.name for path in place.iterdir()}
    assert {"digit.png", "half.png", "mask.png"} <= names
    assert all(path.stat().st_size < 5000 for path in place.iterdir())
    answers = saccade("glimpse", "read", "digit.png", "two.png", "three.png", "--json").json()["answers"]
    assert [answer["label"] for answer in answers] == ["7", "2", "3"]


def test_samples_replace_no_picture_of_the_users(refused: Any, place: Path) -> None:
    (place / "digit.png").write_bytes(b"years of work")
    assert "a file that Saccade did not write" in refused("samples")
    assert [path.name for path in place.iterdir()] == ["digit.png"]


def test_shell_completion_can_be_installed(saccade: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "--install-completion" in saccade("--help").out


def test_the_licence_is_named_and_there() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "CITATION.cff").exists() and (ROOT / "CONTRIBUTING.md").exists()
