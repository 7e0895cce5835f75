"""Training of the benchmark's networks: a run folder for each, several at a time; finished runs are skipped."""

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
    """Return every run of a plan; its folder is OUT/runs/NAME-seedN."""
    runs = out / "runs"
    return [Job(c, seed, runs / f"{c.name}-seed{seed}") for c in plan.contestants for seed in c.seeds]


def train_all(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Outcome]]:
    """Train the unfinished runs, the longest first; yield each when it ends. A failed run does not stop the others."""
    by_folder = {job.folder: job for job in sorted(jobs, key=_length, reverse=True)}
    tasks = [Task(job.contestant.name, job.contestant.run(job.seed), folder) for folder, job in by_folder.items()]
    for outcome in train_each(tasks, processes):
        yield by_folder[outcome.task.folder], outcome


def _length(job: Job) -> float:
    """Return a rough estimate of a run's duration, in arbitrary units."""
    run = job.contestant.run(job.seed)
    per_image = {"modern": 40.0, "conv": 2.0, "fc": 1.0}
    steps = per_image[run.model.kind] if run.system == "baseline" else float(run.model.glimpses)
    return steps * run.train.epochs
