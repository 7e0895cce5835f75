"""Two processes that share every batch learn as one does; when one of them dies all end, and the run resumes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.train import loop as train


def curve(folder: Path) -> dict[int, float]:
    return {entry["step"]: entry["loss"] for entry in map(json.loads, (folder / "log.jsonl").read_text().splitlines())}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    snapshot = checkpoint.newest(folder)
    assert snapshot is not None
    return {name: tensor for name, tensor in snapshot.tensors.items() if name.startswith("model/")}


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("system", ["glimpse", "draw"])
def test_two_processes_learn_as_one(
    system: str, words: Any, forks: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "LOG_EVERY_SECONDS", 0.0)  # a line for every step
    settings = ["--epochs", "1", "--precision", "fp32", "--seed", "3"]
    assert run(*words(system, tmp_path / "one", *settings))[0] == 0
    result = forks("together", "2", tmp_path / "log", "--", *words(system, tmp_path / "two", *settings))
    assert result["codes"] == [0, 0], (tmp_path / "log").read_text()
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert list(one) == list(two) == list(range(1, 11))
    assert two == pytest.approx(one, rel=1e-4)
    expected = weights(tmp_path / "one")
    for name, tensor in weights(tmp_path / "two").items():
        assert (tensor - expected[name]).norm() <= 0.02 * expected[name].norm() + 1e-4, name  # Muon magnifies rounding


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("system", ["glimpse", "draw"])
def test_one_process_killed_ends_all_and_the_run_resumes(
    system: str, words: Any, forks: Any, run: Any, tmp_path: Path
) -> None:
    command = words(system, tmp_path / "run", "--epochs", "4", "--save-every-seconds", "0.001")
    result = forks("together", "2", tmp_path / "log", "--", *command, "--kill")
    said = (tmp_path / "log").read_text()
    assert result["codes"] == [2, -9], said
    assert "expected all 2 processes to train together, found that one has ended; see what it said" in said
    snapshot = checkpoint.newest(tmp_path / "run")
    assert snapshot is not None and 0 < snapshot.step < 40
    result = forks("together", "2", tmp_path / "log", "--", *command)
    assert result["codes"] == [0, 0], (tmp_path / "log").read_text()
    assert max(curve(tmp_path / "run")) == 40
