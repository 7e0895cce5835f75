"""A training that is killed at random moments, again and again, ends with the bits of one that never was."""

import json
from pathlib import Path
from typing import Any

import pytest

CASES = [("glimpse", "fp32"), ("glimpse", "bf16"), ("draw", "fp32"), ("draw", "bf16")]


def same_bits(system: str, precision: str, kills: int, epochs: int, words: Any, forks: Any, last: Any, at: Path) -> Any:
    unbroken = words(system, at / "unbroken", "--precision", precision, "--epochs", str(epochs))
    forks("killed", "0", "0", at / "log", "--", *unbroken, timeout=2000)
    settings = ["--precision", precision, "--epochs", str(epochs), "--save-every-seconds", "0.0001"]
    killed = words(system, at / "killed", *settings)
    result = forks("killed", str(kills), "1", at / "log", "--", *killed, timeout=3000)
    assert result["kills"] == kills
    assert last(at / "killed") == last(at / "unbroken")
    steps = [json.loads(line)["step"] for line in (at / "killed" / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    return result


@pytest.mark.timeout(1000)
@pytest.mark.parametrize(("system", "precision"), CASES)
def test_killed_and_resumed(system: str, precision: str, words: Any, forks: Any, last: Any, tmp_path: Path) -> None:
    same_bits(system, precision, 3, 5, words, forks, last, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(4000)
@pytest.mark.parametrize(("system", "precision"), CASES)
def test_killed_and_resumed_fifty_times(
    system: str, precision: str, words: Any, forks: Any, last: Any, tmp_path: Path
) -> None:
    result = same_bits(system, precision, 50, 40, words, forks, last, tmp_path)
    print(f"\n{system} {precision}: {result}, 0 differing bits")
