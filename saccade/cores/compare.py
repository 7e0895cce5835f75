"""Which core to take: vanilla RNN, LSTM and GRU in RAM and in DRAW, trained alike on the embedded digits.

Trainings are ordinary run folders below one folder, so they resume, and `saccade glimpse eval`, `saccade draw gif` and
the other verbs know them. Quality is measured once, on the test images, after the last epoch; nothing is chosen by it.
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
"""Settings of the data that differ from the defaults."""

COLLAPSED_NATS = 1.0
"""A DRAW whose KL over all steps is below this draws one mean image: its latents say nothing."""

ROUNDS, STEPS_A_ROUND = 7, 3
"""Times are medians of so many rounds, in each of which every core takes so many steps in turn."""


def planned(system: str, core: str, *, epochs: int | None = None, seed: int = 0) -> AnyRun:
    """The training of one core in one system: the system's default settings otherwise, one thread."""
    run = default_run(system, systems.spec(system))
    train = replace(run.train, epochs=epochs or EPOCHS[system], batch_size=128, seed=seed, threads=1)
    return replace(run, data=replace(run.data, **DATA[system]), model=replace(run.model, core=core), train=train)


def folder(runs: Path, system: str, core: str, seed: int = 0) -> Path:
    """Where that training lives: `runs/glimpse-lstm-s0`."""
    return runs / f"{system}-{core}-s{seed}"


def finished(path: Path) -> bool:
    """Whether a training went to its end there."""
    snapshot = newest(path) if path.is_dir() else None
    return snapshot is not None and snapshot.finished


def measure(
    runs: Path, say: Callable[[str], None], *, epochs: int | None = None, seeds: int = 1
) -> list[dict[str, Any]]:
    """Train what is missing, and measure every core in every system: a row for each.

    A row: system, core, epochs; the test images' `error_percent` with the policy's mean or `bound_nats`, the mean of
    by_seed; standard_error of the first seed's over the images; collapsed, whether a DRAW's latents say nothing;
    step_cpu_ms; parameters; curve, (epoch, training loss in nats) of the first seed; runs, the folders.

    Raises:
        InputError: a folder below `runs` holds a training with other settings, or one diverged.
    """
    rows = []
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
            found = [quality(system, path) for path in paths[core]]
            facts = {"system": system, "core": core, "epochs": planned(system, core, epochs=epochs).train.epochs}
            measured = _summary(system, found) | {"step_cpu_ms": step_ms, "parameters": found[0]["parameters"]}
            _, curve = learning(read_log(paths[core][0]), systems.spec(system).learning_term)
            rows.append(facts | measured | {"curve": curve, "runs": [str(p) for p in paths[core]]})
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows as a person reads them, 80 characters wide."""
    return [
        {
            "": f"{row['system']}, {row['core']}",
            "held-out images": _said(row) + (", collapsed" if row["collapsed"] else ""),
            "CPU ms": f"{row['step_cpu_ms']:.1f}",
            "parameters": f"{row['parameters']:,}",
            "epochs": str(row["epochs"]),
        }
        for row in rows
    ]


def quality(system: str, path: Path) -> dict[str, Any]:
    """The test metrics of a finished training, measured unless they were before."""
    if (path / "metrics.json").exists():
        return read_json(path / "metrics.json", "the metrics of a run")
    return open_trained(path, system).evaluate()[0]


def step_times(runs: Sequence[AnyRun]) -> list[float]:
    """CPU milliseconds of one training step of each run, measured in turn so that all meet the same machine."""
    learners = [Learner(run, load_data(run)) for run in runs]
    for learner in learners:
        learner.advance()  # the first step allocates
    rounds = [[_cpu_ms(learner) for learner in learners] for _ in range(ROUNDS)]
    return [round(statistics.median(column), 2) for column in zip(*rounds, strict=True)]


def _said(row: Mapping[str, Any]) -> str:
    if "error_percent" in row:
        return f"error {row['error_percent']:.2f} ± {row['standard_error']:.2f} %"
    return f"{row['bound_nats']:.1f} ± {row['standard_error']:.1f} nats"


def _summary(system: str, metrics: Sequence[dict[str, Any]]) -> dict[str, Any]:
    examples, collapsed = metrics[0]["examples"], False
    if system == "glimpse":
        values = [found["error_percent"]["mean_policy"] for found in metrics]
        error = 100 * math.sqrt(values[0] / 100 * (1 - values[0] / 100) / examples)
        name = "error_percent"
    else:
        values = [found["bound_nats"] for found in metrics]
        collapsed = max(found["kl_nats"] for found in metrics) < COLLAPSED_NATS
        name, error = "bound_nats", metrics[0]["bound_standard_error_nats"]
    found = {name: statistics.fmean(values), "by_seed": values, "standard_error": error, "examples": examples}
    return found | {"collapsed": collapsed}


def _cpu_ms(learner: Learner) -> float:
    began = time.process_time()
    for _ in range(STEPS_A_ROUND):
        learner.advance()
    return 1000 * (time.process_time() - began) / STEPS_A_ROUND
