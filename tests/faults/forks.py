"""A fresh interpreter that imports Saccade once, then forks a process for every command: real ones, soon started.

It never computes itself. `python forks.py killed 50 0 LOG -- glimpse train ...` kills a training so many times with
SIGKILL and starts it again; `python forks.py together 2 LOG -- ...` runs a command as so many processes that share a
batch, `... --kill` ends one of them on the way. What happened is printed as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
import torch._dynamo  # noqa: F401
from accelerate import Accelerator  # noqa: F401
from sklearn.datasets import load_digits  # noqa: F401

import saccade.draw.system
import saccade.glimpse.system  # noqa: F401
from saccade.cli import app
from saccade.pipeline import session  # noqa: F401
from saccade.pipeline.train import loop as train

PATIENCE_SECONDS = 240.0


def start(words: list[str], log: Path, **environment: str) -> int:
    """Run the command in a new process, its output in `log`; the process."""
    process = os.fork()
    if process:
        return process
    os.environ.update(environment)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    code = 1
    try:
        app(words, prog_name="saccade")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(code)


def checkpoints(words: list[str]) -> list[str]:
    """The names of the checkpoints in the command's run folder."""
    return sorted(path.name for path in Path(words[words.index("--out") + 1]).glob("checkpoint-*"))


def ended(process: int, until: float) -> int | None:
    """The exit code of a process (minus the signal that killed it), or None if it runs on at the time `until`."""
    while True:
        known, status = os.waitpid(process, os.WNOHANG)
        if known:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(0.002)


def killed(kills: int, seed: int, log: Path, words: list[str]) -> dict[str, object]:
    """Start the command again and again, killing it at random moments; at last let it come to its end.

    One kill in five comes before there is a new checkpoint; the others up to 30 ms after one to four new ones.
    """
    chance = random.Random(seed)
    for _ in range(kills):
        process, deadline = start(words, log), time.monotonic() + PATIENCE_SECONDS
        seen, new, code = checkpoints(words), 0, None
        wanted = chance.choice(range(5))
        while new < wanted and code is None:
            assert time.monotonic() < deadline, "no new checkpoint"
            code = ended(process, 0)
            new, seen = new + (checkpoints(words) != seen), checkpoints(words)
            time.sleep(0.0005)
        code = code if code is not None else ended(process, time.monotonic() + chance.uniform(0, 0.03 if wanted else 1))
        assert code is None, f"exit code {code} before all kills were done; see {log}"
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    code = ended(start(words, log), time.monotonic() + 4 * PATIENCE_SECONDS)
    assert code == 0, f"exit code {code}; see {log}"
    return {"kills": kills}


def together(processes: int, log: Path, words: list[str], *, kill: bool) -> dict[str, object]:
    """Run the command as several processes that share a batch, as torchrun would; with `kill`, end the last early."""
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    train.LOG_EVERY_SECONDS = 0.0  # a line for every step
    shared = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "WORLD_SIZE": str(processes)}
    ranks = [start(words, log, RANK=str(i), LOCAL_RANK=str(i), **shared) for i in range(processes)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    if kill:
        while not checkpoints(words):
            assert time.monotonic() < deadline, "no checkpoint"
            time.sleep(0.005)
        os.kill(ranks[-1], signal.SIGKILL)
    codes = [ended(process, deadline) for process in ranks]
    for process, code in zip(ranks, codes, strict=True):
        if code is None:
            os.kill(process, signal.SIGKILL)
    return {"codes": codes}


def main() -> None:
    """Do what the first word says."""
    split = sys.argv.index("--")
    (what, count, *own), words = sys.argv[1:split], sys.argv[split + 1 :]
    if what == "killed":
        result = killed(int(count), int(own[0]), Path(own[1]), words)
    else:
        kill = words[-1] == "--kill"
        result = together(int(count), Path(own[0]), words[: -1 if kill else None], kill=kill)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
