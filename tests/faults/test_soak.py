"""Training for a long time holds no more memory than training for a short one (`make soak`: an hour a system)."""

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MINUTES = float(os.environ.get("SACCADE_SOAK_MINUTES", "2"))
MOST_MB = 10.0


def resident_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory by Linux's /proc")
@pytest.mark.parametrize("system", ["glimpse", "draw"])
def test_memory_does_not_grow(system: str, words: Any, tmp_path: Path) -> None:
    command = words(system, tmp_path / "run", "--epochs", "1000000", "--save-every-seconds", "5")
    with (
        open(tmp_path / "log", "w") as log,
        subprocess.Popen([sys.executable, "cli.py", *command], cwd=ROOT, stderr=log, stdout=log) as child,
    ):
        while not list((tmp_path / "run").glob("checkpoint-*")):  # warm: everything that is allocated once is there
            assert child.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.5)
        samples, end = [], time.monotonic() + 60 * MINUTES
        while time.monotonic() < end:
            assert child.poll() is None, (tmp_path / "log").read_text()
            samples.append(resident_mb(child.pid))
            time.sleep(1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(300) == 143
    tenth = max(1, len(samples) // 10)
    first, last = statistics.median(samples[tenth : 2 * tenth]), statistics.median(samples[-tenth:])
    said = (tmp_path / "log").read_text().splitlines()[-1]
    print(f"\n{system}: {MINUTES:g} minutes, {first:.1f} MB in the second tenth, {last:.1f} MB in the last,")
    print(f"{min(samples):.1f} to {max(samples):.1f} MB in all; {said}")
    assert last - first < MOST_MB
