"""What a system's verbs do, for every system alike: learn, measure, look, draw. Here the pipeline's stages meet."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState

from recurrent import terminal
from recurrent.config import Run, override
from recurrent.core import RecurrentCore
from recurrent.errors import InputError
from recurrent.files import write_whole
from recurrent.pipeline import animate, checkpoint, data, evaluate, train
from recurrent.pipeline.board import Board
from recurrent.pipeline.finite import NotFinite
from recurrent.pipeline.framing import read_image
from recurrent.shipped import place
from recurrent.signals import Stop, Stopped
from recurrent.system import Batch, Trace, load

GLIDE_FRAMES = 4
"""Frames that show the eye on its way from one glimpse to the next."""

STRIP_COLUMNS = 3
"""Large frames beside one another in a film strip."""


class Network(NamedTuple):
    """A trained network and the run folder it comes from."""

    folder: checkpoint.RunFolder
    core: RecurrentCore[Any, Any, Any, Any]
    step: int


def learn(run: Run[Any], out: Path, *, fresh: bool = False, tensorboard: bool = False) -> dict[str, Any] | None:
    """Train a run in its folder, from its beginning or from where it stopped; what became of it.

    With several processes all learn, and one of them writes; the others get None.

    Raises:
        InputError: data, model, folder and settings do not fit; nothing is written then.
    """
    state = _processes()
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
        source = load_images(run)
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


def open_network(system: str, path: Path) -> Network:
    """The network of a run folder (or a shipped one, by its name) as its newest checkpoint has it.

    The weights are the averaged ones, where an average was kept.

    Raises:
        InputError: no run folder, another system's, one without a whole checkpoint, or of another shape.
    """
    folder = checkpoint.open_run(path)
    if folder.run.system != system:
        do = f"use `saccade {folder.run.system}`"
        raise InputError(f"a run of the system {system}", f"one of {folder.run.system} in {path}", do)
    with torch.device("meta"):  # a stranger's settings may claim any size: a network without memory tells it
        claimed = load(system).build(folder.run.model, folder.shape)
    snapshot = checkpoint.trained(folder.path, checkpoint.room_for(claimed))
    if snapshot is None:
        raise InputError(f"a checkpoint in {path}", "none", f"train first: saccade {system} train --out {path}")
    checkpoint.check_fits(claimed, snapshot.tensors)
    return Network(folder, _restored(folder, snapshot).to(_device()), snapshot.step)


def open_images(system: str, path: Path, data_dir: str | None = None) -> tuple[Network, data.Source]:
    """The network of a run folder and the images it was trained on; `data_dir` where they lie elsewhere now.

    Raises:
        InputError: see `open_network`; images that are missing, damaged, or of another shape than the network's.
    """
    network = open_network(system, path)
    folder = network.folder
    config = replace(folder.run.data, data_dir=data_dir) if data_dir else folder.run.data
    source = load_images(replace(folder.run, data=config))
    if (source.shape, source.classes) != (folder.shape, folder.classes):
        found = f"{tuple(source.shape)} with the classes {', '.join(source.classes):.80} in {config.dataset}"
        do = "give the data that this run was trained on"
        raise InputError(f"images of the network's shape {tuple(folder.shape)}", found, do)
    return network, source


def load_images(run: Run[Any]) -> data.Source:
    """The images of a run, as its model wants them."""
    return data.load(load(run.system).data_for(run.model, run.data), run.train.seed, _device())


def with_model(network: Network, **values: Any) -> Network:
    """The same weights under other settings of the model, which must be such as the weights do not depend on."""
    folder = network.folder
    run = override(folder.run, {"model": values}, lambda _, key: f"--{key.replace('_', '-')}")
    return network._replace(folder=folder._replace(run=run))


def measure(
    network: Network, source: data.Source, split: Any, further: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The metrics on a held-out split with what else was found, and the files that tell them, see `place`."""
    run, path = network.folder.run, place(network.folder.path)
    metrics = evaluate.evaluate(run, network.core, source, split) | {"step": network.step} | dict(further or {})
    suffix = "" if split == "test" else f"-{split}"
    wrote = [checkpoint.write_json(path / f"metrics{suffix}.json", metrics)]
    for name, png in load(run.system).charts(metrics).items():
        wrote.append(path / f"{name}{suffix}.png")
        write_whole(wrote[-1], png)
    return metrics, [str(file) for file in wrote]


def held_out(source: data.Source, split: Any, index: int, count: int) -> Batch:
    """`count` images of a split from `index` on."""
    batch = source.held_out(split)
    examples, last = len(batch.labels), index + count - 1
    if index < 0 or count < 1 or last >= examples:
        found = f"--index {index}" + (f" --count {count}" if count != 1 else "")
        raise InputError(f"images 0 to {examples - 1} of the {split} split", found, "choose others")
    return Batch(batch.images[index : last + 1], batch.labels[index : last + 1])


def read_files(network: Network, files: Sequence[Path]) -> Batch:
    """A person's own images, framed as the network's training images were; nobody knows their labels (-1)."""
    folder = network.folder
    digits = not folder.run.data.dataset.startswith("folder:")
    images = torch.stack([read_image(file, folder.shape, digits=digits) for file in files])
    return Batch(images.to(_device()), torch.full((len(files),), -1, device=_device()))


def look(network: Network, batch: Batch, condition: str | None = None) -> Trace:
    """What the network does with a batch, under one of its system's conditions."""
    folder = network.folder
    return evaluate.trace(folder.run, network.core, batch, folder.classes, condition=condition)


def answers(trace: Trace, names: Iterable[Any]) -> list[dict[str, Any]]:
    """Per image: its name, the answer, the truth where it is known, the probabilities and where the gaze went."""
    probabilities = trace.outputs.logits[-1].float().softmax(dim=1).tolist()
    found = []
    for example, name in enumerate(names):
        truth = int(trace.targets[example])
        by_class = dict(zip(trace.classes, probabilities[example], strict=True))
        gaze = trace.outputs.location[:, example].tolist()
        label, known = max(by_class, key=by_class.__getitem__), truth >= 0
        found.append(
            {"image": name, "label": label, "truth": trace.classes[truth] if known else None}
            | {"probabilities": by_class, "gaze": gaze}
        )
    return found


def draw(network: Network, trace: Trace, film: Path | None, strip: Path | None, seconds: float) -> list[str]:
    """Draw a trace as a film, as a strip, or both: one image at large, several as a wall of tiles; the files written.

    Raises:
        InputError: an ending that is no picture format's, or a folder that is not there; nothing is written then.
    """
    wrote = []
    if film:
        animate.check(film)
    if strip:
        films = _films(network, trace)
        steps = len(films[0].frames)
        columns = min(steps, STRIP_COLUMNS) if len(films) == 1 else steps
        wrote.append(str(animate.write_strip(strip, [frame for film in films for frame in film.frames], columns)))
    if film:
        films = _films(network, trace, between=GLIDE_FRAMES)
        shown = films[0] if len(films) == 1 else animate.grid(films)
        wrote.append(str(animate.write(film, shown, seconds_per_frame=seconds)))
    return wrote


def _films(network: Network, trace: Trace, between: int = 0) -> list[animate.Film]:
    """A film of each example of a trace; small ones if they are several."""
    system, examples = load(network.folder.run.system), range(len(trace.targets))
    picture = system.picture if len(examples) == 1 else system.tile
    return [animate.frames(picture, trace, [example], between=between) for example in examples]


def _at_work(folder: checkpoint.RunFolder, snapshot: checkpoint.Snapshot, source: data.Source) -> Any:
    """A film strip of the network reading a training image."""
    network = Network(folder, _restored(folder, snapshot).to(source.device), snapshot.step)
    batch = source.batch(0, folder.run.train.batch_size)
    trace = look(network, Batch(batch.images[:1], batch.labels[:1]))
    return animate.strip(_films(network, trace)[0].frames, STRIP_COLUMNS)


def _restored(folder: checkpoint.RunFolder, snapshot: checkpoint.Snapshot) -> RecurrentCore[Any, Any, Any, Any]:
    core = load(folder.run.system).build(folder.run.model, folder.shape)
    checkpoint.load_trained(core, snapshot.tensors)
    return core.eval()


def _processes() -> PartialState:
    """Which process this is, of how many, and on what device: as `accelerate launch` or `torchrun` say."""
    return PartialState(cpu=not torch.accelerator.is_available())


def _device() -> torch.device:
    device = _processes().device
    assert device is not None
    return device
