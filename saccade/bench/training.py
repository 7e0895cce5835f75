"""The benchmark's networks, trained: each in its own run folder, several at a time, the finished ones passed over."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from saccade.bench.plan import Contestant, Plan
from saccade.tables.reproduce import Outcome, train_each
from saccade.tables.rows import Task


class Job(NamedTuple):
    """One run of a contestant."""

    contestant: Contestant
    seed: int
    folder: Path


def jobs_of(plan: Plan, out: Path) -> list[Job]:
    """Every run of a plan; the folder of each is OUT/runs/NAME-seedN."""
    runs = out / "runs"
    return [Job(c, seed, runs / f"{c.name}-seed{seed}") for c in plan.contestants for seed in c.seeds]


def train_all(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Outcome]]:
    """Train what is not finished yet, the longest first; yields as they end. A run that fails stops no other."""
    by_folder = {job.folder: job for job in sorted(jobs, key=_length, reverse=True)}
    tasks = [Task(job.contestant.name, job.contestant.run(job.seed), folder) for folder, job in by_folder.items()]
    for outcome in train_each(tasks, processes):
        yield by_folder[outcome.task.folder], outcome


def _length(job: Job) -> float:
    """Roughly how long a run takes, in no unit."""
    run = job.contestant.run(job.seed)
    per_image = {"modern": 40.0, "conv": 2.0, "fc": 1.0}
    steps = per_image[run.model.kind] if run.system == "baseline" else float(run.model.glimpses)
    return steps * run.train.epochs
