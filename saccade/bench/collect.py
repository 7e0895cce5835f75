"""Read run folders and benchmarks for the page, without rendering and without new measurements."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from saccade.bench import benchmark
from saccade.bench.schema import Benchmark
from saccade.errors import InputError
from saccade.json_types import Record, Values
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import read_json
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.pipeline.checkpoint.run_log import learning, read_log
from saccade.pipeline.provenance import Provenance
from saccade.terminal.options import typed

MOST_POINTS = 200

FAMILIES = ("cnn", "window", "ram", "scan", "fc", "conv")
"""Colours for runs outside a benchmark, chosen by their system."""


Shown: TypeAlias = str | int | float | bool | list[float] | None
"""A metric that the page shows: a single value, or a short list of numbers."""


class Curve(NamedTuple):
    """A learning curve."""

    epochs: list[float]
    values: list[float]
    label: str
    finished: bool
    """True if the training ran to its end."""


class RunView(NamedTuple):
    """A run folder as the page shows it."""

    name: str
    label: str
    family: str
    path: Path
    system: str
    dataset: str
    seed: int
    command: str  # trains it again
    provenance: Provenance  # versions, git commit, the command that was given, when
    metrics: dict[str, Shown]
    headline: tuple[str, float] | None  # unit, value
    curve: Curve
    confusion: list[list[int]] | None
    classes: tuple[str, ...]


class Collection(NamedTuple):
    """The benchmarks and runs in the user's folders, and a line for each folder that cannot be shown."""

    benchmarks: list[tuple[Path, Benchmark]]
    runs: list[RunView]
    faults: list[str]


def collect(folders: list[Path]) -> Collection:
    """Read benchmarks (with their runs) and run folders; a folder that cannot be read becomes a line of `faults`."""
    collection = Collection([], [], [])
    for folder in folders:
        try:
            if (folder / benchmark.FILE).exists():
                _benchmark(folder, collection)
            else:
                collection.runs.append(read_run(folder))
        except InputError as error:
            collection.faults.append(str(error))
    return collection


def _benchmark(folder: Path, collection: Collection) -> None:
    content = benchmark.read(folder)
    collection.benchmarks.append((folder, content))
    for failure in content.get("failed", []):
        collection.faults.append(f"{failure.get('run')} failed: {failure.get('fault')}")
    for row in content.get("rows", []):
        if row["source"] == "paper":
            continue
        for run in row.get("runs", []):
            try:
                collection.runs.append(read_run(folder / run, row["label"], row["family"]))
            except InputError as error:
                collection.faults.append(str(error))


def read_run(folder: Path, label: str | None = None, family: str | None = None) -> RunView:
    """Read one run folder.

    Raises:
        InputError: no run folder, one of another version, or one without a log and without metrics.
    """
    opened = open_run(folder)
    run = opened.run
    metrics = _metrics(folder)
    spec = systems.spec(run.system)
    summary = spec.headline.value(metrics)
    curve = _curve(folder, spec.learning_term)
    if not metrics and not curve.epochs:
        raise InputError(f"a trained run in {folder}", "no metrics.json and no log", "train it first")
    return RunView(
        name=folder.name,
        label=label or folder.name,
        family=family or FAMILIES[systems.names().index(run.system) % len(FAMILIES)],
        path=folder,
        system=run.system,
        dataset=getattr(run.data, "dataset", run.system),
        seed=run.train.seed,
        command=" ".join(f"saccade {run.system} train {typed(run)} --out {folder.name} --eval".split()),
        provenance=opened.provenance,
        metrics=flat(metrics),
        headline=None if summary is None else (spec.headline.unit, summary),
        curve=curve,
        confusion=metrics.get("confusion"),
        classes=getattr(opened.facts, "classes", ()),
    )


def flat(metrics: Values, before: str = "") -> dict[str, Shown]:
    """Return the single values and short lists of nested metrics, with names in words."""
    flattened: dict[str, Shown] = {}
    for key, value in metrics.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            flattened |= flat(value, f"{name}: ")
        elif not isinstance(value, list) or (len(value) <= 12 and all(isinstance(v, int | float) for v in value)):
            flattened[name] = value
    return flattened


def _metrics(folder: Path) -> Record:
    path = folder / "metrics.json"
    return read_json(path, "the metrics.json of a run folder") if path.exists() else {}


def _curve(folder: Path, term: str) -> Curve:
    """Return the learning curve in a run's log, of at most `MOST_POINTS` points."""
    try:
        log = read_log(folder)
    except InputError:
        return Curve([], [], "loss", False)
    name, points = learning(log, term)
    thin = points[:: -(-len(points) // MOST_POINTS)]
    if thin[-1] != points[-1]:
        thin.append(points[-1])
    epochs, values = zip(*thin, strict=True)
    label = "loss" if name == "loss" else "cross-entropy of the answer"
    return Curve(list(epochs), list(values), label, log[-1]["step"] >= log[-1]["steps"])
