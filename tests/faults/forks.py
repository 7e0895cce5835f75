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

import torch  # noqa: F401  (what takes long to import)
import torch._dynamo  # noqa: F401
from accelerate import Accelerator  # noqa: F401
from sklearn.datasets import load_digits  # noqa: F401

import cli
import draw.system  # noqa: F401
import glimpse.system  # noqa: F401
from recurrent import verbs  # noqa: F401

PATIENCE_SECONDS = 240.0


def start(words: list[str], log: Path, **environment: str) -> int:
    """Run the command in a new process, its output in `log`; the process."""
    process = os.fork()
    if process:
        return process
    os.environ.update(environment)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1), os.dup2(file, 2)
    code = 1
    try:
        cli.app(words, prog_name="saccade")
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

    A kill comes up to 0.3 s after a new checkpoint was seen, or, one time in four, up to 0.3 s after the start.
    """
    chance, done, lives, finished = random.Random(seed), 0, 0, 0
    while True:
        before, process, code = checkpoints(words), start(words, log), None
        lives += 1
        deadline = time.monotonic() + PATIENCE_SECONDS
        early = chance.random() < 0.25
        while done < kills and code is None and not early and checkpoints(words) == before:
            assert time.monotonic() < deadline, "no new checkpoint"
            code = ended(process, 0)
        if code is None:
            code = ended(process, deadline if done >= kills else time.monotonic() + chance.uniform(0, 0.3))
        if code is None:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            assert done < kills, "hangs"
            done += 1
            continue
        assert code == 0, f"exit code {code}, see {log}"
        finished += 1
        if done >= kills:
            return {"kills": done, "lives": lives, "finished": finished}


def together(processes: int, log: Path, words: list[str], *, kill: bool) -> dict[str, object]:
    """Run the command as several processes that share a batch, as torchrun would; with `kill`, end the last early."""
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
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
