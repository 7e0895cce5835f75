"""Run one training: create or resume the run folder, report progress, log, save, stop cleanly."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import torch
from accelerate import PartialState

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline import trained
from saccade.pipeline.animate import film, show
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.checkpoint import checkpoints, run_log
from saccade.pipeline.checkpoint.atomic_files import lock
from saccade.pipeline.checkpoint.run_folder import RunFolder, create, holds_weights
from saccade.pipeline.checkpoint.snapshot import Snapshot
from saccade.pipeline.checkpoint.snapshot import write as write_snapshot
from saccade.pipeline.config import AnyRun
from saccade.pipeline.contract import AnySource, load_system
from saccade.pipeline.device import processes
from saccade.pipeline.interrupts import Stop, Stopped
from saccade.pipeline.memory import check_room
from saccade.pipeline.train import loop
from saccade.pipeline.train.divergence import NotFinite
from saccade.pipeline.train.tensorboard import Board
from saccade.recurrent.tree import take


class Reporter(Protocol):
    """Shows a user how a training stands; `saccade.terminal.screen.Meter` is one."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def show(self, event: loop.Progress) -> None:
        """Show a report of the training loop."""
        ...

    def say(self, text: str) -> None:
        """Show a line of text."""
        ...


class Silent:
    """A reporter that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def show(self, event: loop.Progress) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


def train_run(
    run: AnyRun, out: Path, *, fresh: bool = False, tensorboard: bool = False, reporter: Reporter | None = None
) -> Record | None:
    """Train a run in its folder, from its beginning or from where it stopped.

    With several processes all learn, and one of them writes; the others get None.

    Returns:
        "run" (the folder), "step", "wrote" (files; empty if it was finished already), and the last report.

    Raises:
        InputError: data, model, folder and settings do not fit; nothing is written then.
    """
    state = processes()
    with _together(state, out):
        return _train(state, run, out, fresh, tensorboard, reporter or Silent())


@contextmanager
def _together(state: PartialState, out: Path) -> Iterator[None]:
    """Report in one line that one of several processes has ended, when the others, which wait for it, fail."""
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, torch.distributed.DistError) or "gloo" in str(error).lower()
        if state.num_processes == 1 or not lost:
            raise
        do = f"see what it said; then the same command goes on from the last checkpoint in {out}"
        raise InputError(f"all {state.num_processes} processes to train together", "that one has ended", do) from error


def _train(
    state: PartialState, run: AnyRun, out: Path, fresh: bool, tensorboard: bool, reporter: Reporter
) -> Record | None:
    folder = None
    with state.main_process_first():  # it downloads and creates; the others find it done
        source = trained.load_data(run)
        build = partial(load_system(run.system).build, run.model, source.facts)
        check_room(build, run.train, source.device)
        core = build()  # complains before anything is written,
        source.batch(0, run.train.batch_size)  # and so does this, and this
        if run.train.start_from is not None and (fresh or not holds_weights(out)):
            loop.starting_weights(core, Path(run.train.start_from))
        if state.is_main_process:
            folder = create(out, run, source.facts, fresh=fresh)
        resume = checkpoints.newest(out, checkpoints.room_for(core))
    if folder is None:
        with Stop() as stop:
            for _ in loop.train(run, source, resume=resume, stop=stop):
                pass
        return None
    if resume and not resume.finished:
        reporter.say(f"{out} has a checkpoint of step {resume.step}: going on from there")
    with lock(out):
        return follow(folder, source, resume, tensorboard, reporter)


def follow(
    folder: RunFolder, source: AnySource, resume: Snapshot | None, tensorboard: bool, reporter: Reporter
) -> Record:
    """Show, log and save what a training yields; return the last report, and what was written."""
    path, saved = folder.path, resume.step if resume else 0
    result: Record = {"run": str(path), "step": saved, "wrote": []}
    with ExitStack() as stack:
        board = stack.enter_context(closing(Board(path / "tensorboard", saved))) if tensorboard else None
        log = stack.enter_context(run_log.open_log(path, saved))
        stack.enter_context(reporter)
        stop = stack.enter_context(Stop())
        try:
            for event in loop.train(folder.run, source, resume=resume, stop=stop):
                if isinstance(event, loop.Progress):
                    reporter.show(event)
                    log.write(json.dumps(event._asdict()) + "\n")
                    result |= event._asdict()
                    if board:
                        board.scalars(event)
                else:
                    result["wrote"] = [str(checkpoints.save(path, event, keep=folder.run.train.keep))]
                    saved = event.step
                    if board:
                        board.picture("at work", _at_work(folder, event, source), event.step)
        except KeyboardInterrupt:  # a second Ctrl-C: at once
            following = f"the same command goes on from step {saved}" if saved else "nothing was saved yet"
            reporter.say(f"saccade: stopped; {following}")
            raise
        except NotFinite as error:
            file = write_snapshot(path / f"bad-batch-{error.evidence.step}.safetensors", error.evidence)
            kept = f"the last checkpoint is of step {saved}" if saved else "no checkpoint was written yet"
            found = f"{error.found} ({file} has the batch and the weights; {kept})"
            raise InputError(error.expected, found, error.do) from error
    if stop.number and saved < result.get("steps", saved):
        raise Stopped(stop.number, f"{path} is saved at step {saved}, and the same command goes on from there")
    if result["wrote"]:
        extra = [path / "tensorboard"] if tensorboard else []
        result["wrote"] += [str(file) for file in (path / "run.json", path / "log.jsonl", *extra)]
    return result


def _at_work(folder: RunFolder, snapshot: Snapshot, source: AnySource) -> Pixels:
    """Draw a film strip of the network on a training example."""
    network = trained.from_snapshot(folder, snapshot, source.device)
    batch = take(source.batch(0, folder.run.train.batch_size), slice(0, 1))
    return film.strip(*show.strip_frames(network.look(batch)))
