"""The benchmark's networks, trained: each in its own run folder, several at a time, the finished ones passed over."""

import contextlib
import io
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from bench.plan import Contestant, Plan
from recurrent.config import differences
from recurrent.errors import InputError


class Job(NamedTuple):
    """One run of a contestant."""

    contestant: Contestant
    seed: int
    folder: Path


class Done(NamedTuple):
    """What became of a job: `fault` is None where its folder holds a finished and measured network."""

    job: Job
    fault: str | None
    fresh: bool


def jobs_of(plan: Plan, out: Path) -> list[Job]:
    """Every run of a plan; the folder of each is OUT/runs/NAME-seedN."""
    runs = out / "runs"
    return [Job(c, seed, runs / f"{c.name}-seed{seed}") for c in plan.contestants for seed in c.seeds]


def train_all(jobs: list[Job], processes: int) -> Iterator[Done]:
    """Train what is not finished yet, the longest first; yields as they end. A run that fails stops no other."""
    waiting = [job for job in jobs if not finished(job)]
    for job in jobs:
        if job not in waiting:
            yield Done(job, None, False)
    if not waiting:
        return
    waiting.sort(key=lambda job: -_length(job))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(waiting)), context) as pool:
        futures = {pool.submit(_train, job): job for job in waiting}
        try:
            for future in as_completed(futures):
                error = future.exception()  # a process that was killed takes its pool with it
                fault = f"{type(error).__name__}: {error}" if error else future.result()
                yield Done(futures[future], fault, True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def finished(job: Job) -> bool:
    """Whether the folder holds this very run, trained to the end and measured."""
    from recurrent.run_folder import open_run

    if not (job.folder / "metrics.json").exists():
        return False
    try:
        return not differences(open_run(job.folder).run, job.contestant.run(job.seed))
    except InputError:
        return False


def train_seconds(folder: Path) -> float:
    """Wall time of a run's training from its log; of an interrupted one, the sum of its sessions."""
    total = last = 0.0
    with open(folder / "log.jsonl", encoding="utf-8") as log:
        for line in log:
            now = json.loads(line)["seconds"]
            if now < last:
                total += last
            last = now
    return total + last


def _length(job: Job) -> float:
    """Roughly how long a run takes, in no unit."""
    run = job.contestant.run(job.seed)
    per_image = {"modern": 40.0, "conv": 2.0, "fc": 1.0}
    steps = per_image[run.model.kind] if run.system == "baseline" else float(run.model.glimpses)
    return steps * run.train.epochs


def _train(job: Job) -> str | None:
    """Train and measure one run in a process of its own; what went wrong, in one line.

    Exceptions are said here, for they may not survive the way to another process.
    """
    from recurrent import verbs

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            verbs.learn(job.contestant.run(job.seed), job.folder)
            network, source = verbs.open_images(job.contestant.system, job.folder)
            verbs.measure(network, source, "test")
    except InputError as error:
        return str(error)
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None
