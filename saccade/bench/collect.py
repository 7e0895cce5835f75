"""What lies in run folders and benchmarks, read for the page. Nothing here renders, and nothing is computed anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from saccade.bench import benchmark
from saccade.errors import InputError
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import read_json
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.pipeline.checkpoint.run_log import learning, read_log
from saccade.pipeline.provenance import Provenance
from saccade.pipeline.provenance import Provenance
from saccade.terminal.options import typed

MOST_POINTS = 200

FAMILIES = ("cnn", "window", "ram", "scan", "fc", "conv")
"""Colours of the runs that no benchmark gave one, by their system."""


class Trained(NamedTuple):
    """A run folder as the page shows it."""

    name: str
    label: str
    family: str
    path: Path
    system: str
    dataset: str
    seed: int
    command: str  # that trains it again
    provenance: Provenance  # versions, git commit, the command that was given, when
    metrics: dict[str, Any]  # single numbers and short lists, by name
    headline: tuple[str, float] | None
    curve: tuple[list[float], list[float]]  # epochs, loss
    curve_of: str
    confusion: list[list[int]] | None
    classes: tuple[str, ...]
    trained: bool  # to its end


class Found(NamedTuple):
    """All that was found in the folders that a person named, and what could not be used, a line each."""

    benchmarks: list[tuple[Path, dict[str, Any]]]
    runs: list[Trained]
    faults: list[str]


def collect(folders: list[Path]) -> Found:
    """Read benchmarks (with the runs in them) and run folders; what cannot be read is said, and the others go on."""
    found = Found([], [], [])
    for folder in folders:
        try:
            if (folder / benchmark.FILE).exists():
                _benchmark(folder, found)
            else:
                found.runs.append(read_run(folder))
        except InputError as error:
            found.faults.append(str(error))
    return found


def _benchmark(folder: Path, found: Found) -> None:
    content = benchmark.read(folder)
    found.benchmarks.append((folder, content))
    for fault in content.get("failed", []):
        found.faults.append(f"{fault.get('run')} failed: {fault.get('fault')}")
    for row in content.get("rows", []):
        for run in row.get("runs", []):
            try:
                found.runs.append(read_run(folder / run, row["label"], row["family"]))
            except InputError as error:
                found.faults.append(str(error))


def read_run(folder: Path, label: str | None = None, family: str | None = None) -> Trained:
    """One run folder.

    Raises:
        InputError: it is none, was written by another version, or was neither logged nor measured.
    """
    opened = open_run(folder)
    run = opened.run
    metrics = _metrics(folder)
    spec = systems.spec(run.system)
    summary = spec.headline.value(metrics)
    curve, of, trained = _curve(folder, spec.learning_term)
    if not metrics and not curve[0]:
        raise InputError(f"a run that was trained in {folder}", "no metrics.json and no log", "train it first")
    return Trained(
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
        curve_of=of,
        confusion=metrics.get("confusion"),
        classes=getattr(opened.facts, "classes", ()),
        trained=trained,
    )


def flat(metrics: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The single numbers and words, and short lists of numbers, of nested metrics, named in words."""
    found: dict[str, Any] = {}
    for key, value in metrics.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}: ")
        elif not isinstance(value, list) or (len(value) <= 12 and all(isinstance(v, int | float) for v in value)):
            found[name] = value
    return found


def _metrics(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    return read_json(path, "the metrics.json of a run folder") if path.exists() else {}


def _curve(folder: Path, term: str) -> tuple[tuple[list[float], list[float]], str, bool]:
    """Epochs and loss out of the log, at most `MOST_POINTS` of them; what they are; whether it went to its end."""
    try:
        log = read_log(folder)
    except InputError:
        return ([], []), "loss", False
    name, points = learning(log, term)
    thin = points[:: -(-len(points) // MOST_POINTS)]
    if thin[-1] != points[-1]:
        thin.append(points[-1])
    epochs, values = zip(*thin, strict=True)
    of = "loss" if name == "loss" else "cross-entropy of the answer"
    return (list(epochs), list(values)), of, log[-1]["step"] >= log[-1]["steps"]
