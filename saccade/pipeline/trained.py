"""A trained network in Python: open it, run it on a batch, evaluate it."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, cast

import torch

from saccade.errors import InputError
from saccade.json_types import Record, Values
from saccade.pipeline import systems
from saccade.pipeline.checkpoint import checkpoints
from saccade.pipeline.checkpoint.atomic_files import read_json, write_json, write_whole
from saccade.pipeline.checkpoint.locate import results_folder
from saccade.pipeline.checkpoint.run_folder import RunFolder, open_run
from saccade.pipeline.checkpoint.snapshot import Snapshot
from saccade.pipeline.config import AnyRun, override
from saccade.pipeline.contract import AnySource, AnySystem, Split, Trace, load_system
from saccade.pipeline.device import own_device
from saccade.pipeline.evaluate import evaluate as evaluation
from saccade.pipeline.progress import work
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import count, take

ConfigT = TypeVar("ConfigT")
BatchT = TypeVar("BatchT")
FactsT = TypeVar("FactsT", bound=systems.Facts)


class Trained(Generic[ConfigT, BatchT, FactsT]):
    """A trained network and the run folder that it comes from. A system's own class adds what its users want.

    Attributes:
        folder: where it comes from, with its settings and its provenance.
        core: the network, ready to be measured.
        step: the training step of its weights.
    """

    def __init__(self, folder: RunFolder, core: AnyCore, step: int) -> None:
        self.folder, self.core, self.step = folder, core, step

    @property
    def run(self) -> AnyRun:
        """Its settings."""
        return self.folder.run

    @property
    def config(self) -> ConfigT:
        """The settings of its model."""
        return cast(ConfigT, self.folder.run.model)

    @property
    def facts(self) -> FactsT:
        """Facts of its data."""
        return cast(FactsT, self.folder.facts)

    @property
    def system(self) -> AnySystem:
        """Its system."""
        return load_system(self.folder.run.system)

    def with_model(self, **values: Any) -> Self:
        """Return the same weights under other settings of the model, which the weights must not depend on.

        Raises:
            InputError: an unknown setting or a value out of range.
        """
        run = override(self.run, {"model": values}, lambda _, key: f"--{key.replace('_', '-')}")
        other = copy.copy(self)
        other.folder = self.folder._replace(run=run)
        return other

    def source(self, data_dir: str | None = None) -> AnySource:
        """Load the data that it was trained on; `data_dir` is where they lie now, if they were moved.

        Raises:
            InputError: missing or damaged data, or data of other facts than the network's.
        """
        run = self.run
        if data_dir:
            run = replace(run, data=replace(run.data, data_dir=data_dir))
        source = load_data(run)
        if source.facts != self.facts:
            found = f"other data ({'; '.join(self.facts.differences(source.facts)):.200})"
            raise InputError("the data that this run was trained on", found, "give those")
        return source

    def held_out(self, source: AnySource, split: Split, index: int, number: int) -> BatchT:
        """Return `number` examples of a split from `index` on.

        Raises:
            InputError: the split does not have them all.
        """
        whole = source.held_out(split)
        examples, last = count(whole), index + number - 1
        if index < 0 or number < 1 or last >= examples:
            found = f"--index {index}" + (f" --count {number}" if number != 1 else "")
            raise InputError(f"examples 0 to {examples - 1} of the {split} split", found, "choose others")
        return take(whole, slice(index, last + 1))

    def look(self, batch: BatchT, condition: str | None = None) -> Trace:
        """Run it on a batch, under one of its system's conditions (the main one by default)."""
        trace = evaluation.trace(self.run, self.core, cast(Any, batch), self.facts, condition=condition)
        return trace._replace(remark=self.remark(self.measured()))

    def measured(self) -> Values:
        """Return the evaluation of these weights on the test split, in the folder's metrics.json; empty if none is."""
        try:
            metrics = read_json(self.folder.path / "metrics.json", "the metrics.json of an evaluation")
        except InputError:
            return {}
        return metrics if metrics.get("step", self.step) == self.step else {}

    def remark(self, metrics: Values) -> str | None:
        """Return a sentence that says what metrics.json's content means, for `eval` and films; None by default."""
        return None

    def evaluate(
        self, split: Split = "test", source: AnySource | None = None, further: Values | None = None
    ) -> tuple[Record, list[str]]:
        """Measure it on a held-out split; return the metrics and the files that were written.

        Args:
            source: its data, if they are loaded already.
            further: what else was found, to be written with the metrics.
        """
        folder = results_folder(self.folder.path)
        metrics = evaluation.evaluate(self.run, self.core, source or self.source(), split)
        metrics |= {"step": self.step} | dict(further or {})
        suffix = "" if split == "test" else f"-{split}"
        wrote = [write_json(folder / f"metrics{suffix}.json", metrics)]
        for name, png in self.system.charts(metrics).items():
            wrote.append(folder / f"{name}{suffix}.png")
            write_whole(wrote[-1], png)
        return metrics, [str(file) for file in wrote]


AnyTrained = Trained[Any, Any, Any]


def open_trained(path: Path | str, system: str | None = None) -> AnyTrained:
    """Open the network of a run folder, or a shipped one by its name, with the weights of its newest checkpoint.

    The weights are the averaged ones, where an average was kept. The class is the system's own subclass of `Trained`.

    Args:
        system: the system that it must be of; None: any.

    Raises:
        InputError: no run folder, another system's, one without a whole checkpoint, or of another shape.
    """
    folder = open_run(path, system)
    found = folder.run.system
    with torch.device("meta"):  # a stranger's settings may claim any size: a network without memory tells it
        claimed = load_system(found).build(folder.run.model, folder.facts)
    snapshot = checkpoints.trained(folder.path, checkpoints.room_for(claimed))
    if snapshot is None:
        raise InputError(f"a checkpoint in {path}", "none", f"train first: saccade {found} train --out {path}")
    checkpoints.check_fits(claimed, snapshot.tensors)
    return from_snapshot(folder, snapshot, own_device())


def from_snapshot(folder: RunFolder, snapshot: Snapshot, device: torch.device) -> AnyTrained:
    """Return the network of a run as a snapshot has it, ready to be measured."""
    system = load_system(folder.run.system)
    core = system.build(folder.run.model, folder.facts)
    checkpoints.load_trained(core, snapshot.tensors)
    return system.trained()(folder, core.eval().to(device), snapshot.step)


def load_data(run: AnyRun) -> AnySource:
    """Load the data of a run on this process's device."""
    with work("loading the data", 1):
        return load_system(run.system).load(run, own_device())
