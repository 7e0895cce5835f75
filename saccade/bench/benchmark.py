"""The benchmark: trains what is not trained yet, measures, and writes OUT/benchmark.json after every part.

A part that is in the file already is kept, so the same command goes on where it stopped; `fresh` measures anew and
keeps the trained networks.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from saccade.bench.cost import Answer, static, training_peak_bytes
from saccade.bench.growth import growth
from saccade.bench.machine import machine
from saccade.bench.paper import QUOTED
from saccade.bench.plan import Contestant, Plan
from saccade.bench.robustness import robustness
from saccade.bench.timing import interleaved, throughput, traced
from saccade.bench.training import Job, jobs_of, train_all
from saccade.errors import InputError
from saccade.images.config import ImageData
from saccade.images.source import ImageBatch, load_images
from saccade.pipeline.checkpoint.atomic_files import lock, read_json, unwritable, write_json
from saccade.pipeline.checkpoint.run_log import read_log, train_seconds
from saccade.pipeline.contract import load_system
from saccade.pipeline.provenance import provenance
from saccade.pipeline.trained import open_trained
from saccade.terminal import screen
from saccade.terminal.options import typed

FORMAT = 1
"""The layout of benchmark.json; raised when an older Saccade could not read it."""

FILE = "benchmark.json"
KEYS = ("format", "dataset", "full", "facts", "machine")
TRAINING_BATCH = 128
DIGITS = tuple("0123456789")


def run(plan: Plan, out: Path, processes: int, data_dir: str | None, *, fresh: bool = False) -> dict[str, Any]:
    """Carry a plan out in a folder; what benchmark.json holds at the end.

    Raises:
        InputError: the folder holds something else or another benchmark, or not one network could be trained.
    """
    torch.set_num_threads(1)
    found = _begin(plan, out, fresh)
    with lock(out):
        write_json(out / FILE, found)
        jobs = jobs_of(plan, out)
        faults, trained = _train(jobs, processes)
        if trained:  # what was measured before was measured without them
            found = {key: value for key, value in found.items() if key not in ("costs", "robustness")}
        found["failed"] = [{"run": folder.name, "fault": fault} for folder, fault in faults.items()]
        whole = [job for job in jobs if job.folder not in faults]
        if not whole:
            fault = next(iter(faults.values()))
            raise InputError("at least one network that could be trained", f"none: {fault}", "mend that first")
        found["rows"] = _rows(plan, whole)
        write_json(out / FILE, found)
        parts: dict[str, Callable[[], Any]] = {
            "costs": lambda: costs(plan, whole),
            "growth": lambda: growth(_digit(whole[0]), DIGITS, plan.sizes, plan.seconds),
            "robustness": lambda: _robustness(plan, whole, data_dir),
        }
        for name, measure in parts.items():
            if name not in found:
                screen.say(f"measuring: {name}")
                found[name] = measure()
                write_json(out / FILE, found)
    return found


def read(folder: Path) -> dict[str, Any]:
    """The benchmark.json of a folder.

    Raises:
        InputError: no benchmark, or one that another Saccade wrote.
    """
    found = read_json(folder / FILE, "the benchmark.json of a benchmark's folder")
    if found.get("format") != FORMAT:
        place = f"{found.get('format')!r:.40} in {folder / FILE}"
        raise InputError(f"format {FORMAT} of a benchmark", place, "use the Saccade that wrote it, or run it again")
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise InputError(f"the keys {', '.join(KEYS)} in {folder / FILE}", f"no {missing[0]}", "run it again")
    return found


def _begin(plan: Plan, out: Path, fresh: bool) -> dict[str, Any]:
    """What stands in the folder already, or the beginning of a new benchmark."""
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


def _train(jobs: list[Job], processes: int) -> tuple[dict[Path, str], int]:
    """Train all, with a line for each that ends; the faults of those that failed, by folder, and how many learned."""
    faults, trained = {}, 0
    for count, (job, outcome) in enumerate(train_all(jobs, processes), 1):
        name = f"{job.contestant.label}, seed {job.seed}"
        if outcome.status == "trained":
            trained += 1
            seconds = train_seconds(read_log(job.folder))
            screen.say(f"{count}/{len(jobs)} {name}: {_error(job)[1]:.2f}% in {seconds:.0f} s")
        elif outcome.status != "finished":
            faults[job.folder] = outcome.text
            screen.say(f"saccade: {name} failed: {outcome.text}")
    return faults, trained


def _rows(plan: Plan, whole: list[Job]) -> list[dict[str, Any]]:
    """A row for each contestant: test error over its seeds, training time, the commands; and the papers' rows."""
    by_name: dict[str, list[Job]] = defaultdict(list)
    for job in whole:
        by_name[job.contestant.name].append(job)
    rows = []
    for contestant in plan.contestants:
        if contestant.name in by_name:
            rows.append(_row(contestant, by_name[contestant.name]))
    quoted = [{"source": "paper", **quote._asdict()} for quote in QUOTED[plan.dataset]]
    return rows + quoted


def _row(contestant: Contestant, jobs: list[Job]) -> dict[str, Any]:
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
        "error_percent": spread([error for _, error in errors]),
        "error_is_of": errors[0][0],
        "train_seconds": spread([train_seconds(read_log(job.folder)) for job in jobs]),
        "command": f"saccade {contestant.system} train {typed(run)} --out RUN --eval",
        "runs": [f"runs/{job.folder.name}" for job in jobs],
        "settings": asdict(run.model),
    }


def spread(values: list[float]) -> dict[str, Any]:
    """Mean, smallest, largest, standard deviation (of two or more), and the values themselves."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {
        "mean": statistics.mean(values), "min": min(values), "max": max(values), "std": deviation, "values": values
    }  # fmt: skip


def _error(job: Job) -> tuple[str, float]:
    """Under which condition, and the test error there."""
    errors = read_json(job.folder / "metrics.json", "the metrics.json of a run")["error_percent"]
    return next((name, value) for name, value in errors.items() if not math.isnan(value))


def costs(plan: Plan, whole: list[Job]) -> dict[str, dict[str, Any]]:
    """For each contestant: what an answer costs on the data's own images; times in turns, in one run."""
    first = {job.contestant.name: job for job in reversed(whole) if job.contestant.ranked}
    answers, found, replays, eager = {}, {}, {}, {}
    for name, job in sorted(first.items()):
        network = open_trained(job.folder, job.contestant.system)
        source, core, run = network.source(), network.core.requires_grad_(False), network.run
        package = load_system(run.system)
        images = source.held_out("test").images[:1]
        answer = Answer(core, package, run.model, images)
        counted = static(answer, images, network.facts.shape, run.model)._asdict()
        some = source.batch(0, min(TRAINING_BATCH, source.examples))
        peak = training_peak_bytes(core, package, run.model, ImageBatch(some.images, some.labels))
        found[name] = {**counted, "training_peak_bytes": peak, "training_batch": len(some.labels)}
        core.eval().requires_grad_(False)
        answers[name] = (core, package, run.model, some.images)
        recorded = traced(answer, images)
        replays[name] = lambda replay=recorded, i=images: replay(i)
        eager[name] = lambda a=answer, i=images: a(i)
    with torch.inference_mode():
        replayed, stepped = interleaved(replays, plan.seconds / 2), interleaved(eager, plan.seconds / 4)
        for name in found:
            found[name] |= {
                "latency_ms": replayed[name].cpu_ms,
                "latency_wall_ms": replayed[name].wall_ms,
                "latency_eager_ms": stepped[name].cpu_ms,
                "throughput": throughput(_batched(*answers[name]), plan.largest_batch, plan.seconds / 8),
            }
    return found


def _batched(core: Any, package: Any, config: Any, images: torch.Tensor) -> Callable[[int], Callable[[], Any]]:
    """From a batch size to one answer to so many images."""

    def answer_of(size: int) -> Callable[[], Any]:
        batch = images.repeat(math.ceil(size / len(images)), 1, 1, 1)[:size].contiguous()
        answer = Answer(core, package, config, batch)
        return lambda: answer(batch)

    return answer_of


def _digit(job: Job) -> torch.Tensor:
    """A digit of 28 pixels [1, 1, 28, 28], which canvases of any size can show."""
    config = job.contestant.run(job.seed).data
    embedded = "digits" in (config.dataset, config.pool)
    plain = ImageData(dataset="digits" if embedded else "mnist", data_dir=config.data_dir)
    return load_images(plain, seed=0).held_out("test").images[:1]


def _robustness(plan: Plan, whole: list[Job], data_dir: str | None) -> Mapping[str, Any]:
    """The first seed of the contestants that were also trained on mixed sizes, and of these."""
    names = {c.name.removesuffix("-mixed") for c in plan.contestants if c.name.endswith("-mixed")}
    names |= {f"{name}-mixed" for name in names}
    first = {job.contestant.name: job.folder for job in reversed(whole)}
    return robustness(plan, {name: folder for name, folder in first.items() if name in names}, data_dir)
