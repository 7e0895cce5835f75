"""Comparison of cores: vanilla RNN, LSTM and GRU in RAM and in DRAW, trained alike on the embedded digits.

Trainings are ordinary run folders below one folder: they can be resumed, and opened by `saccade glimpse eval`,
`saccade draw gif` and the other verbs. Quality is measured once, on the test split, after the last epoch; it is not
used to choose anything.
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from saccade.json_types import Record, Values
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import read_json
from saccade.pipeline.checkpoint.checkpoints import newest
from saccade.pipeline.checkpoint.run_log import learning, read_log
from saccade.pipeline.config import AnyRun, default_run
from saccade.pipeline.session import train_run
from saccade.pipeline.train.loop import Learner
from saccade.pipeline.trained import load_data, open_trained
from saccade.terminal import screen

SYSTEMS = ("glimpse", "draw")
CORES = ("rnn", "lstm", "gru")

EPOCHS = {"glimpse": 100, "draw": 40}
"""Passes over the training images, the same for every core of a system."""

DATA = {"glimpse": {"shift": 1}, "draw": {}}
"""Settings of the dataset that differ from the defaults."""

COLLAPSED_NATS = 1.0
"""A DRAW whose KL over all steps is below this has collapsed: it draws one mean image and ignores its latents."""

ROUNDS, STEPS_A_ROUND = 7, 3
"""Times are medians over `ROUNDS`; in a round every core in turn takes `STEPS_A_ROUND` training steps."""


class CoreResult(TypedDict):
    """The result of one core in one system."""

    system: str
    core: str
    epochs: int
    error_percent: NotRequired[float]
    """Mean over the seeds of the test error with the policy's mean (RAM)."""
    bound_nats: NotRequired[float]
    """Mean over the seeds of the bound on the test images (DRAW)."""
    by_seed: list[float]
    """The values of that mean."""
    standard_error: float
    """Standard error over the images, of the first seed."""
    examples: int
    collapsed: bool
    """True if the latents of a DRAW carry no information."""
    step_cpu_ms: float
    parameters: int
    curve: list[tuple[float, float]]
    """(epoch, training loss in nats) of the first seed."""
    runs: list[str]
    """The run folders."""


def planned(system: str, core: str, *, epochs: int | None = None, seed: int = 0) -> AnyRun:
    """Return the training of one core in one system, with one thread and otherwise the system's default settings."""
    run = default_run(system, systems.spec(system))
    train = replace(run.train, epochs=epochs or EPOCHS[system], batch_size=128, seed=seed, threads=1)
    return replace(run, data=replace(run.data, **DATA[system]), model=replace(run.model, core=core), train=train)


def folder(runs: Path, system: str, core: str, seed: int = 0) -> Path:
    """Return the run folder of a training: `runs/glimpse-lstm-s0`."""
    return runs / f"{system}-{core}-s{seed}"


def finished(path: Path) -> bool:
    """Return True if the folder holds a finished training."""
    snapshot = newest(path) if path.is_dir() else None
    return snapshot is not None and snapshot.finished


def measure(runs: Path, say: Callable[[str], None], *, epochs: int | None = None, seeds: int = 1) -> list[CoreResult]:
    """Train what is missing, and measure every core in every system.

    Args:
        runs: folder of the run folders.
        say: called with a line about the progress.

    Raises:
        InputError: a folder below `runs` holds a training with other settings, or a training diverged.
    """
    results = []
    for system in SYSTEMS:
        paths = {core: [folder(runs, system, core, seed) for seed in range(seeds)] for core in CORES}
        for core, seed in itertools.product(CORES, range(seeds)):
            if not finished(paths[core][seed]):
                say(f"{system} with {core}, seed {seed}: training in {paths[core][seed]}")
            run = planned(system, core, epochs=epochs, seed=seed)
            train_run(run, paths[core][seed], reporter=screen.Meter(systems.spec(system)))
        say(f"{system}: CPU time of a training step with each core, in turn")
        times = step_times([planned(system, core) for core in CORES])
        for core, step_ms in zip(CORES, times, strict=True):
            metrics = [quality(system, path) for path in paths[core]]
            _, curve = learning(read_log(paths[core][0]), systems.spec(system).learning_term)
            result = {
                "system": system,
                "core": core,
                "epochs": planned(system, core, epochs=epochs).train.epochs,
                **_summary(system, metrics),
                "step_cpu_ms": step_ms,
                "parameters": metrics[0]["parameters"],
                "curve": curve,
                "runs": [str(path) for path in paths[core]],
            }
            results.append(cast(CoreResult, result))
    return results


def table(rows: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
    """Return the results as table cells, 80 characters wide."""
    return [
        {
            "": f"{row['system']}, {row['core']}",
            "held-out images": _quality_text(row) + (", collapsed" if row["collapsed"] else ""),
            "CPU ms": f"{row['step_cpu_ms']:.1f}",
            "parameters": f"{row['parameters']:,}",
            "epochs": str(row["epochs"]),
        }
        for row in rows
    ]


def quality(system: str, path: Path) -> Record:
    """Return the test metrics of a finished training; measure them if there is no metrics.json yet."""
    if (path / "metrics.json").exists():
        return read_json(path / "metrics.json", "the metrics of a run")
    return open_trained(path, system).evaluate()[0]


def step_times(runs: Sequence[AnyRun]) -> list[float]:
    """Return the CPU milliseconds per training step of each run, measured in turn so that machine load affects all."""
    learners = [Learner(run, load_data(run)) for run in runs]
    for learner in learners:
        learner.advance()  # the first step allocates
    rounds = [[_cpu_ms(learner) for learner in learners] for _ in range(ROUNDS)]
    return [round(statistics.median(column), 2) for column in zip(*rounds, strict=True)]


def _quality_text(row: Mapping[str, object]) -> str:
    if "error_percent" in row:
        return f"error {row['error_percent']:.2f} ± {row['standard_error']:.2f} %"
    return f"{row['bound_nats']:.1f} ± {row['standard_error']:.1f} nats"


def _summary(system: str, metrics: Sequence[Values]) -> Record:
    """Return the quality of one core from the metrics of its seeds."""
    examples, collapsed = metrics[0]["examples"], False
    if system == "glimpse":
        values = [by_seed["error_percent"]["mean_policy"] for by_seed in metrics]
        error = 100 * math.sqrt(values[0] / 100 * (1 - values[0] / 100) / examples)
        name = "error_percent"
    else:
        values = [by_seed["bound_nats"] for by_seed in metrics]
        collapsed = max(by_seed["kl_nats"] for by_seed in metrics) < COLLAPSED_NATS
        name, error = "bound_nats", metrics[0]["bound_standard_error_nats"]
    mean = {name: statistics.fmean(values), "by_seed": values, "standard_error": error}
    return mean | {"examples": examples, "collapsed": collapsed}


def _cpu_ms(learner: Learner) -> float:
    began = time.process_time()
    for _ in range(STEPS_A_ROUND):
        learner.advance()
    return 1000 * (time.process_time() - began) / STEPS_A_ROUND
