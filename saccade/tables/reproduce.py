"""Train and measure what is missing of a paper's table, several runs at once, on one machine or on many.

A run is one task; joblib's processes take them one by one. Machines that share the folder of the runs share the work
too: a run folder is locked while it is trained, and whoever finds it locked takes another.
"""

import contextlib
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from saccade.errors import InputError
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import Busy, read_json
from saccade.pipeline.checkpoint.checkpoints import newest
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.pipeline.config import differences
from saccade.pipeline.session import train_run
from saccade.pipeline.trained import open_trained
from saccade.tables.rows import Row, Task, folder_of, waves
from saccade.terminal import screen

Status = Literal["trained", "finished", "elsewhere", "failed"]


class Outcome(NamedTuple):
    """What became of a task: trained now, finished before, in work elsewhere, or failed for the reason in `text`."""

    task: Task
    status: Status
    text: str


def reproduce(
    rows: Mapping[str, Row],
    names: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    *,
    jobs: int = 1,
    threads: int = 0,
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    """Train and measure rows with seeds in folders of `out`, `jobs` at once; `tell` hears of each as it ends.

    What is finished is passed over, what was interrupted goes on; a failure stops nothing but the rows after it. A run
    that another process is at work on is passed over, and tried again when all others are done.
    """
    outcomes: list[Outcome] = []
    for wave in waves(rows, names, seeds, out):
        ready = []
        for task in wave:
            if (missing := _missing(rows[task.row].after, task, out, outcomes)) is None:
                ready.append(task)
            else:
                outcomes.append(missing)
                tell(missing)
        if threads:
            ready = [t._replace(run=replace(t.run, train=replace(t.run.train, threads=threads))) for t in ready]
        done = _all(ready, jobs, tell)
        again = [outcome.task for outcome in done if outcome.status == "elsewhere"]
        outcomes += [outcome for outcome in done if outcome.status != "elsewhere"]
        outcomes += _all(again, jobs, tell)
    return outcomes


def work(task: Task, quiet: bool = False) -> Outcome:
    """Train and measure one task, as far as that is not done; never raises but for the person's own interruption."""
    if (known := _settled(task)) is not None:
        return known
    try:
        with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
            if quiet:  # several trainings would write into one another's lines; log.jsonl has it all
                stack.enter_context(contextlib.redirect_stderr(nowhere))
            reporter = None if quiet else screen.Meter(systems.spec(task.run.system))
            train_run(task.run, task.folder, reporter=reporter)
            open_trained(task.folder, task.run.system).evaluate()
    except Exception as error:
        return _stopped(task, error)
    return Outcome(task, "trained", "")


def train_each(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    """`work` on every task, `jobs` at once: the outcomes as they come, those that need no training first.

    One is worked on here; several are joblib's processes. One that is killed fails the tasks that are left.
    """
    left = {}
    for task in tasks:
        if (known := _settled(task)) is not None:
            yield known
        else:
            left[task.folder] = task
    if jobs == 1 or len(left) < 2:
        yield from map(work, left.values())
        return
    try:
        parallel = joblib.Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered")
        for outcome in parallel(joblib.delayed(work)(task, quiet=True) for task in list(left.values())):
            assert isinstance(outcome, Outcome)
            del left[outcome.task.folder]
            yield outcome
    except TerminatedWorkerError:
        for task in left.values():
            yield Outcome(task, "failed", "expected a process to live, found it killed; the same command goes on")


def is_finished(task: Task) -> bool:
    """Whether a task's run folder holds the last step of this very run, and its metrics.

    Raises:
        InputError: another run's folder, or another version's.
    """
    if not (task.folder / "run.json").exists():
        return False
    folder = open_run(task.folder)
    if changed := differences(folder.run, task.run):
        do = "give another --out, or remove that folder"
        raise InputError(f"the run of the row in {task.folder}", "; ".join(changed), do)
    snapshot, metrics = newest(task.folder), task.folder / "metrics.json"
    if snapshot is None or not snapshot.finished or not metrics.exists():
        return False
    return read_json(metrics, "the metrics.json of an evaluation").get("step", snapshot.step) == snapshot.step


def _settled(task: Task) -> Outcome | None:
    """What becomes of a task that needs no training: it is finished, or its folder is another's; else None."""
    try:
        return Outcome(task, "finished", "") if is_finished(task) else None
    except Exception as error:
        return _stopped(task, error)


def _stopped(task: Task, error: Exception) -> Outcome:
    """What becomes of a task that an exception ended."""
    if isinstance(error, Busy):
        return Outcome(task, "elsewhere", error.found)
    if isinstance(error, InputError):
        return Outcome(task, "failed", str(error))
    if os.environ.get("SACCADE_DEBUG"):
        traceback.print_exception(error)
    return Outcome(task, "failed", f"{type(error).__name__}: {error}; SACCADE_DEBUG=1 shows where it is")


def _missing(before: str | None, task: Task, out: Path, outcomes: Sequence[Outcome]) -> Outcome | None:
    """What becomes of a task whose row before it is not there; None where nothing is missing."""
    if before is None:
        return None
    folder = folder_of(out, before, task.run.train.seed)
    status: Status = next(outcome.status for outcome in outcomes if outcome.task.folder == folder)
    if status in ("trained", "finished"):
        return None
    return Outcome(task, status, f"it begins with the weights of {before}, which are not there yet")


def _all(tasks: Sequence[Task], jobs: int, tell: Callable[[Outcome], None]) -> list[Outcome]:
    found = []
    for outcome in train_each(tasks, jobs):
        found.append(outcome)
        tell(outcome)
    return found
