"""The benchmark: train the missing networks, measure, and write OUT/benchmark.json after every part.

Parts that are in the file already are kept, so that a repeated command resumes. `fresh` measures everything again and
keeps the trained networks.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, cast

import torch

from saccade.bench.answer_costs import costs
from saccade.bench.growth import growth
from saccade.bench.machine import machine
from saccade.bench.paper import QUOTED
from saccade.bench.plan import Contestant, Plan
from saccade.bench.robustness import robustness
from saccade.bench.schema import Benchmark, MeasuredRow, PaperRow, ResultRow, Robustness, Spread
from saccade.bench.training import Job, jobs_of, train_all
from saccade.errors import InputError
from saccade.images.config import ImageData
from saccade.images.source import load_images
from saccade.json_types import Record
from saccade.pipeline.checkpoint.atomic_files import lock, read_json, unwritable, write_json
from saccade.pipeline.checkpoint.run_log import read_log, train_seconds
from saccade.pipeline.progress import work
from saccade.pipeline.provenance import provenance
from saccade.terminal import screen
from saccade.terminal.options import typed

FORMAT = 1
"""Format of benchmark.json; raised when an older Saccade could not read it."""

FILE = "benchmark.json"
KEYS = ("format", "dataset", "full", "facts", "machine")
DIGITS = tuple("0123456789")


class Trainings(NamedTuple):
    """The result of training all networks."""

    faults: dict[Path, str]
    """The reason of each failure, by run folder."""
    trained: int
    """Number of runs that were trained now."""


class HeldOutError(NamedTuple):
    """The test error of a run, and the condition of the evaluation that it is of."""

    condition: str
    percent: float


def run(plan: Plan, out: Path, processes: int, data_dir: str | None, *, fresh: bool = False) -> Benchmark:
    """Carry out a plan in a folder and return the content of benchmark.json.

    Raises:
        InputError: the folder holds something else or another benchmark, or every training failed.
    """
    torch.set_num_threads(1)
    content: Record = {**_begin(plan, out, fresh)}
    with lock(out):
        write_json(out / FILE, content)
        jobs = jobs_of(plan, out)
        faults, trained = _train(jobs, processes)
        if trained:  # the measurements in the file do not have the new networks
            content = {key: value for key, value in content.items() if key not in ("costs", "robustness")}
        content["failed"] = [{"run": folder.name, "fault": fault} for folder, fault in faults.items()]
        finished = [job for job in jobs if job.folder not in faults]
        if not finished:
            fault = next(iter(faults.values()))
            raise InputError("at least one network that could be trained", f"none: {fault}", "fix that first")
        content["rows"] = _rows(plan, finished)
        write_json(out / FILE, content)
        parts: dict[str, Callable[[], object]] = {
            "costs": lambda: costs(plan, finished),
            "growth": lambda: growth(_digit(finished[0]), DIGITS, plan.sizes, plan.seconds),
            "robustness": lambda: _robustness(plan, finished, data_dir),
        }
        for name, measure in parts.items():
            if name not in content:
                with work(f"measuring: {name}", 1):
                    content[name] = measure()
                write_json(out / FILE, content)
    return cast(Benchmark, content)


def read(folder: Path) -> Benchmark:
    """Return the benchmark.json of a folder.

    Raises:
        InputError: no benchmark, or one in another format.
    """
    content = read_json(folder / FILE, "the benchmark.json of a benchmark's folder")
    if content.get("format") != FORMAT:
        found = f"{content.get('format')!r:.40} in {folder / FILE}"
        do = "use the Saccade version that wrote it, or run it again"
        raise InputError(f"format {FORMAT} of a benchmark", found, do)
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise InputError(f"the keys {', '.join(KEYS)} in {folder / FILE}", f"no {missing[0]}", "run it again")
    return cast(Benchmark, content)


def _begin(plan: Plan, out: Path, fresh: bool) -> Mapping[str, object]:
    """Return the content of the folder's benchmark.json, or of a new one."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        empty = not any(item for item in out.iterdir() if not item.name.startswith("."))
    except OSError as error:
        raise unwritable(out, error) from error
    head = {"dataset": plan.dataset, "full": plan.full}
    new = {"format": FORMAT, **head, "facts": provenance(), "machine": machine(), "failed": []}
    if empty:
        return new
    if not (out / FILE).exists():
        raise InputError("a new or empty folder, or a benchmark's", f"other files in {out}", "give another --out")
    old = read(out)
    if {key: old[key] for key in head} != head:
        begun = f"one of {old['dataset']}{', full' if old['full'] else ''}"
        raise InputError(f"the benchmark begun in {out}", begun, "give the same options, or another --out")
    return new if fresh else old


def _train(jobs: list[Job], processes: int) -> Trainings:
    """Train all networks, and print a line when a training ends."""
    faults: dict[Path, str] = {}
    trained = 0
    for count, (job, outcome) in enumerate(train_all(jobs, processes), 1):
        name = f"{job.contestant.label}, seed {job.seed}"
        if outcome.status == "trained":
            trained += 1
            seconds = train_seconds(read_log(job.folder))
            screen.say(f"{count}/{len(jobs)} {name}: {_error(job).percent:.2f}% in {seconds:.0f} s")
        elif outcome.status != "finished":
            faults[job.folder] = outcome.text
            screen.say(f"saccade: {name} failed: {outcome.text}")
    return Trainings(faults, trained)


def _rows(plan: Plan, finished: list[Job]) -> list[ResultRow]:
    """Return a row for each contestant, and the papers' rows."""
    by_name: dict[str, list[Job]] = defaultdict(list)
    for job in finished:
        by_name[job.contestant.name].append(job)
    rows: list[ResultRow] = []
    for contestant in plan.contestants:
        if contestant.name in by_name:
            rows.append(_row(contestant, by_name[contestant.name]))
    for label, percent, paper, dataset in QUOTED[plan.dataset]:
        row: PaperRow = {
            "source": "paper",
            "label": label,
            "error_percent": percent,
            "paper": paper,
            "dataset": dataset,
        }
        rows.append(row)
    return rows


def _row(contestant: Contestant, jobs: list[Job]) -> MeasuredRow:
    run = contestant.run(jobs[0].seed)
    errors = [_error(job) for job in jobs]
    return {
        "source": "measured",
        "name": contestant.name,
        "label": contestant.label,
        "family": contestant.family,
        "ranked": contestant.ranked,
        "dataset": run.data.dataset,
        "seeds": [job.seed for job in jobs],
        "error_percent": spread([error.percent for error in errors]),
        "error_is_of": errors[0].condition,
        "train_seconds": spread([train_seconds(read_log(job.folder)) for job in jobs]),
        "command": f"saccade {contestant.system} train {typed(run)} --out RUN --eval",
        "runs": [f"runs/{job.folder.name}" for job in jobs],
        "settings": asdict(run.model),
    }


def spread(values: list[float]) -> Spread:
    """Return the mean, minimum, maximum and standard deviation of some values, and the values."""
    return {
        "mean": statistics.mean(values),
        "min": min(values),
        "max": max(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "values": values,
    }


def _error(job: Job) -> HeldOutError:
    """Return the test error of a run under the first condition that was measured."""
    errors = read_json(job.folder / "metrics.json", "the metrics.json of a run")["error_percent"]
    return next(HeldOutError(name, value) for name, value in errors.items() if not math.isnan(value))


def _digit(job: Job) -> torch.Tensor:
    """Return a digit [1, 1, 28, 28], which fits on canvases of every size."""
    config = job.contestant.run(job.seed).data
    embedded = "digits" in (config.dataset, config.pool)
    plain = ImageData(dataset="digits" if embedded else "mnist", data_dir=config.data_dir)
    return load_images(plain, seed=0).held_out("test").images[:1]


def _robustness(plan: Plan, finished: list[Job], data_dir: str | None) -> Robustness:
    """Measure the first seed of the contestants that were also trained on mixed sizes, and of those variants."""
    names = {c.name.removesuffix("-mixed") for c in plan.contestants if c.name.endswith("-mixed")}
    names |= {f"{name}-mixed" for name in names}
    first = {job.contestant.name: job.folder for job in reversed(finished)}
    return robustness(plan, {name: folder for name, folder in first.items() if name in names}, data_dir)
