"""Train and measure the missing runs of a paper's table, several at once, on one machine or on many.

A run is one task; joblib's worker processes take the tasks one by one. Machines that share the folder of the runs also
share the work: a run folder is locked during its training, and a worker skips a locked folder.
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
from saccade.pipeline.progress import track
from saccade.pipeline.session import train_run
from saccade.pipeline.trained import open_trained
from saccade.tables.rows import Row, Task, folder_of, waves
from saccade.terminal import screen

Status = Literal["trained", "finished", "elsewhere", "failed"]


class Outcome(NamedTuple):
    """The result of a task: trained now, finished before, locked by another process, or failed (reason in `text`)."""

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
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    """Train and measure rows with seeds in folders of `out`, `jobs` at once.

    Finished runs are skipped and interrupted runs resumed. A failure stops only the rows that begin with its
    weights. A run that another process is training is skipped, and tried again after all others.

    Args:
        report: called with the outcome of each run when it ends.
    """
    outcomes: list[Outcome] = []
    for wave in waves(rows, names, seeds, out):
        ready = []
        for task in wave:
            if (missing := _missing(rows[task.row].after, task, out, outcomes)) is None:
                ready.append(task)
            else:
                outcomes.append(missing)
                report(missing)
        if threads:
            ready = [t._replace(run=replace(t.run, train=replace(t.run.train, threads=threads))) for t in ready]
        done = _all(ready, jobs, report)
        again = [outcome.task for outcome in done if outcome.status == "elsewhere"]
        outcomes += [outcome for outcome in done if outcome.status != "elsewhere"]
        outcomes += _all(again, jobs, report)
    return outcomes


def work(task: Task, quiet: bool = False) -> Outcome:
    """Train and measure one task unless it is finished; raises nothing except KeyboardInterrupt and Stopped."""
    if (settled := _settled(task)) is not None:
        return settled
    try:
        with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
            if quiet:  # lines of parallel trainings would mix; log.jsonl has the same content
                stack.enter_context(contextlib.redirect_stderr(nowhere))
            reporter = None if quiet else screen.Meter(systems.spec(task.run.system))
            train_run(task.run, task.folder, reporter=reporter)
            open_trained(task.folder, task.run.system).evaluate()
    except Exception as error:
        return _stopped(task, error)
    return Outcome(task, "trained", "")


def train_each(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    """Run `work` on every task, `jobs` at once; yield the outcomes as they come, finished tasks first.

    A single task runs in this process, several in joblib's worker processes. If a worker is killed, the remaining tasks
    fail.
    """
    left = {}
    for task in tasks:
        if (settled := _settled(task)) is not None:
            yield settled
        else:
            left[task.folder] = task
    if jobs == 1 or len(left) < 2:
        yield from map(work, left.values())
        return
    try:
        parallel = joblib.Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered")
        calls = (joblib.delayed(work)(task, quiet=True) for task in list(left.values()))
        for outcome in track(parallel(calls), f"training, {jobs} at a time", len(left)):
            assert isinstance(outcome, Outcome)
            del left[outcome.task.folder]
            yield outcome
    except TerminatedWorkerError:
        for task in left.values():
            text = "expected the worker process to finish, found it killed; repeat the command to resume"
            yield Outcome(task, "failed", text)


def is_finished(task: Task) -> bool:
    """Return True if a task's run folder has the last checkpoint of the same run, and its metrics.

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
    """Return the outcome of a task that is finished or whose folder holds another run; None if it must be trained."""
    try:
        return Outcome(task, "finished", "") if is_finished(task) else None
    except Exception as error:
        return _stopped(task, error)


def _stopped(task: Task, error: Exception) -> Outcome:
    """Return the outcome of a task that ended with an exception."""
    if isinstance(error, Busy):
        return Outcome(task, "elsewhere", error.found)
    if isinstance(error, InputError):
        return Outcome(task, "failed", str(error))
    if os.environ.get("SACCADE_DEBUG"):
        traceback.print_exception(error)
    return Outcome(task, "failed", f"{type(error).__name__}: {error}; set SACCADE_DEBUG=1 for the traceback")


def _missing(before: str | None, task: Task, out: Path, outcomes: Sequence[Outcome]) -> Outcome | None:
    """Return the outcome of a task whose starting weights are missing; None if they exist or it needs none."""
    if before is None:
        return None
    folder = folder_of(out, before, task.run.train.seed)
    status: Status = next(outcome.status for outcome in outcomes if outcome.task.folder == folder)
    if status in ("trained", "finished"):
        return None
    return Outcome(task, status, f"it begins with the weights of {before}, which are not there yet")


def _all(tasks: Sequence[Task], jobs: int, report: Callable[[Outcome], None]) -> list[Outcome]:
    outcomes = []
    for outcome in train_each(tasks, jobs):
        outcomes.append(outcome)
        report(outcome)
    return outcomes
