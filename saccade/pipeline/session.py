"""Training as a person meets it: a folder that it goes on in, a line that says how it stands, a log, a way to stop."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

from saccade.errors import InputError
from saccade.images import source as data
from saccade.pipeline import trained as verbs
from saccade.pipeline.animate import film as animate
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.config import Run
from saccade.pipeline.contract import Batch, load
from saccade.pipeline.interrupts import Stop, Stopped
from saccade.pipeline.train import loop as train
from saccade.pipeline.train.device import processes
from saccade.pipeline.train.divergence import NotFinite
from saccade.pipeline.train.tensorboard import Board
from saccade.terminal import screen as terminal


def learn(run: Run[Any], out: Path, *, fresh: bool = False, tensorboard: bool = False) -> dict[str, Any] | None:
    """Train a run in its folder, from its beginning or from where it stopped; what became of it.

    With several processes all learn, and one of them writes; the others get None.

    Raises:
        InputError: data, model, folder and settings do not fit; nothing is written then.
    """
    state = processes()
    with _together(state, out):
        return _learn(state, run, out, fresh, tensorboard)


@contextmanager
def _together(state: PartialState, out: Path) -> Iterator[None]:
    """Say it in a line when one of several processes ends and the others, which wait for it, fail."""
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, torch.distributed.DistError) or "gloo" in str(error).lower()
        if state.num_processes == 1 or not lost:
            raise
        do = f"see what it said; then the same command goes on from the last checkpoint in {out}"
        raise InputError(f"all {state.num_processes} processes to train together", "that one has ended", do) from error


def _learn(state: PartialState, run: Run[Any], out: Path, fresh: bool, tensorboard: bool) -> dict[str, Any] | None:
    folder = None
    with state.main_process_first():  # it downloads and creates; the others find it done
        source = verbs.load_images(run)
        core = load(run.system).build(run.model, source.shape)  # complains before anything is written,
        source.batch(0, run.train.batch_size)  # and so does this
        if state.is_main_process:
            folder = checkpoint.create(out, run, source.shape, source.classes, fresh=fresh)
        resume = checkpoint.newest(out, checkpoint.room_for(core))
    if folder is None:
        with Stop() as stop:
            for _ in train.train(run, source, resume=resume, stop=stop):
                pass
        return None
    if resume and not resume.finished:
        terminal.say(f"{out} has a checkpoint of step {resume.step}: going on from there")
    with checkpoint.lock(out):
        return follow(folder, source, resume, tensorboard)


def follow(
    folder: checkpoint.RunFolder, source: data.Source, resume: checkpoint.Snapshot | None, tensorboard: bool
) -> dict[str, Any]:
    """Show, log and save what a training yields; the last report, and what was written."""
    path, saved = folder.path, resume.step if resume else 0
    result: dict[str, Any] = {"run": str(path), "step": saved, "wrote": []}
    with ExitStack() as stack:
        board = stack.enter_context(closing(Board(path / "tensorboard", saved))) if tensorboard else None
        log = stack.enter_context(checkpoint.open_log(path, saved))
        meter = stack.enter_context(terminal.Meter())
        stop = stack.enter_context(Stop())
        try:
            for event in train.train(folder.run, source, resume=resume, stop=stop):
                if isinstance(event, train.Progress):
                    meter.show(event)
                    log.write(json.dumps(event._asdict()) + "\n")
                    result |= event._asdict()
                    if board:
                        board.scalars(event)
                else:
                    result["wrote"] = [str(checkpoint.save(path, event, keep=folder.run.train.keep))]
                    saved = event.step
                    if board:
                        board.picture("gaze", _at_work(folder, event, source), event.step)
        except KeyboardInterrupt:  # a second Ctrl-C: at once
            following = f"the same command goes on from step {saved}" if saved else "nothing was saved yet"
            terminal.say(f"saccade: stopped; {following}")
            raise
        except NotFinite as error:
            file = checkpoint.write(path / f"bad-batch-{error.evidence.step}.safetensors", error.evidence)
            kept = f"the last checkpoint is of step {saved}" if saved else "no checkpoint was written yet"
            found = f"{error.found} ({file} has the batch and the weights; {kept})"
            raise InputError(error.expected, found, error.do) from error
    if stop.number and saved < result.get("steps", saved):
        raise Stopped(stop.number, f"{path} is saved at step {saved}, and the same command goes on from there")
    if result["wrote"]:
        extra = [path / "tensorboard"] if tensorboard else []
        result["wrote"] += [str(file) for file in (path / "run.json", path / "log.jsonl", *extra)]
    return result


def _at_work(folder: checkpoint.RunFolder, snapshot: checkpoint.Snapshot, source: data.Source) -> Any:
    """A film strip of the network reading a training image."""
    network = verbs.Network(folder, verbs.restored(folder, snapshot).to(source.device), snapshot.step)
    batch = source.batch(0, folder.run.train.batch_size)
    trace = verbs.look(network, Batch(batch.images[:1], batch.labels[:1]))
    return animate.strip(verbs.films(network, trace)[0].frames, verbs.STRIP_COLUMNS)
