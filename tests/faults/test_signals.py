"""Ctrl-C and SIGTERM: the step is finished and saved, the way on is said, and the exit code tells which it was."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.interrupts import Stop
from saccade.pipeline.train import loop as train

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _control_c_is_heard() -> Iterator[None]:
    """Whatever started the tests may have had SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("system", "number", "code"), [("glimpse", signal.SIGINT, 130), ("draw", signal.SIGTERM, 143)])
def test_a_signal_ends_the_step_saves_and_says_how_to_go_on(
    system: str, number: int, code: int, words: Any, run: Any, last: Any, tmp_path: Path
) -> None:
    command = words(system, tmp_path / "stopped", "--epochs", "2000", "--save-every-seconds", "1000")
    with subprocess.Popen(
        [sys.executable, "cli.py", *command],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        log = tmp_path / "stopped" / "log.jsonl"
        while not (log.exists() and log.stat().st_size):
            assert child.poll() is None
            time.sleep(0.05)
        assert not list((tmp_path / "stopped").glob("checkpoint-*"))
        child.send_signal(number)
        out, err = child.communicate(timeout=300)
    assert (child.returncode, out) == (code, "")
    snapshot = checkpoint.newest(tmp_path / "stopped")
    assert snapshot is not None and snapshot.step > 0
    name = signal.Signals(number).name
    said = f"saccade: stopped by {name}; {tmp_path}/stopped is saved at step {snapshot.step}, and the same command"
    assert err.splitlines()[-1] == f"{said} goes on from there"


def test_a_stop_at_any_step_resumes_to_the_same_bits(words: Any, run: Any, last: Any, tmp_path: Path) -> None:
    settings = ["--epochs", "3", "--save-every-seconds", "1000"]
    assert run(*words("glimpse", tmp_path / "unbroken", *settings))[0] == 0
    command, advance = words("glimpse", tmp_path / "stopped", *settings), train.Learner.advance
    for step in (1, 7, 29):

        def stopped(learner: train.Learner, *arguments: Any, at: int = step) -> bool:
            if learner.step == at - 1:
                os.kill(os.getpid(), signal.SIGINT)
            return advance(learner, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train.Learner, "advance", stopped)
            code, said = run(*command)
        assert code == 130
        assert re.search(rf"is saved at step {step}, and the same command goes on from there\n$", said)
    assert run(*command)[0] == 0
    assert last(tmp_path / "stopped") == last(tmp_path / "unbroken")


def test_a_second_signal_is_not_waited_with() -> None:
    with Stop() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop() and stop.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Stop() as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop()
