"""What a system's verbs do, for every system alike: open, measure, look, draw. Here the pipeline's stages meet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recurrent.config import Run, override
from recurrent.core import RecurrentCore
from recurrent.device import own_device
from recurrent.errors import InputError
from recurrent.files import write_whole
from recurrent.pipeline import animate, checkpoint, data, evaluate
from recurrent.pipeline.framing import read_image
from recurrent.shipped import place
from recurrent.system import EXAMPLES_AT_ONCE, Batch, Trace, load

GLIDE_FRAMES = 4
"""Frames that show the eye on its way from one glimpse to the next."""

STRIP_COLUMNS = 3
"""Large frames beside one another in a film strip."""


class Network(NamedTuple):
    """A trained network and the run folder it comes from."""

    folder: checkpoint.RunFolder
    core: RecurrentCore[Any, Any, Any, Any]
    step: int


def open_network(path: Path, system: str | None = None) -> Network:
    """The network of a run folder (or a shipped one, by its name) as its newest checkpoint has it.

    It must be of `system`, unless that is None. The weights are the averaged ones, where an average was kept.

    Raises:
        InputError: no run folder, another system's, one without a whole checkpoint, or of another shape.
    """
    folder = checkpoint.open_run(path)
    found = folder.run.system
    if system not in (None, found):
        raise InputError(f"a run of the system {system}", f"one of {found} in {path}", f"use `saccade {found}`")
    with torch.device("meta"):  # a stranger's settings may claim any size: a network without memory tells it
        claimed = load(found).build(folder.run.model, folder.shape)
    snapshot = checkpoint.trained(folder.path, checkpoint.room_for(claimed))
    if snapshot is None:
        raise InputError(f"a checkpoint in {path}", "none", f"train first: saccade {found} train --out {path}")
    checkpoint.check_fits(claimed, snapshot.tensors)
    return Network(folder, restored(folder, snapshot).to(own_device()), snapshot.step)


def open_images(path: Path, system: str, data_dir: str | None = None) -> tuple[Network, data.Source]:
    """The network of a run folder and the images it was trained on; `data_dir` where they lie elsewhere now.

    Raises:
        InputError: see `open_network`; images that are missing, damaged, or of another shape than the network's.
    """
    network = open_network(path, system)
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
    return data.load(load(run.system).data_for(run.model, run.data), run.train.seed, own_device())


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
    return Batch(images.to(own_device()), torch.full((len(files),), -1, device=own_device()))


def look(network: Network, batch: Batch, condition: str | None = None) -> Trace:
    """What the network does with a batch, under one of its system's conditions."""
    folder = network.folder
    return evaluate.trace(folder.run, network.core, batch, folder.classes, condition=condition)


def logits(network: Network, batch: Batch) -> Tensor:
    """A classifier's last logits [N, K] for any number of images, a few hundred at a time; on the CPU."""
    images, labels = (tensor.to(own_device()).split(EXAMPLES_AT_ONCE) for tensor in batch[:2])
    pairs = zip(images, labels, strict=True)
    return torch.cat([look(network, Batch(*pair)).outputs.logits[-1].float().cpu() for pair in pairs])


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
        shown = films(network, trace)
        steps = len(shown[0].frames)
        columns = min(steps, STRIP_COLUMNS) if len(shown) == 1 else steps
        wrote.append(str(animate.write_strip(strip, [frame for film in shown for frame in film.frames], columns)))
    if film:
        shown = films(network, trace, between=GLIDE_FRAMES)
        whole = shown[0] if len(shown) == 1 else animate.grid(shown)
        wrote.append(str(animate.write(film, whole, seconds_per_frame=seconds)))
    return wrote


def films(network: Network, trace: Trace, between: int = 0) -> list[animate.Film]:
    """A film of each example of a trace; small ones if they are several."""
    system, examples = load(network.folder.run.system), range(len(trace.targets))
    picture = system.picture if len(examples) == 1 else system.tile
    return [animate.frames(picture, trace, [example], between=between) for example in examples]


def restored(folder: checkpoint.RunFolder, snapshot: checkpoint.Snapshot) -> RecurrentCore[Any, Any, Any, Any]:
    """The network of a run as a snapshot has it, ready to be measured."""
    core = load(folder.run.system).build(folder.run.model, folder.shape)
    checkpoint.load_trained(core, snapshot.tensors)
    return core.eval()
