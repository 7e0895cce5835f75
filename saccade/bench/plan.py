"""Which networks are compared on which data, how long each learns, and what is measured. Torch-free.

A contestant is a network with its training; its runs differ in the seed alone. The quick plan fits five minutes on two
cores for the embedded digits; the full one has the papers' tables, with the recipes of experiments/.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from saccade.errors import InputError
from saccade.pipeline import systems
from saccade.pipeline.config import AnyRun, default_run, override

DATASETS = ("digits", "mnist", "translated", "cluttered")
SEEDS = (0, 1, 2)
SIZES = (28, 60, 100, 200, 400, 800)
"""Canvases, pixels a side, over which the cost is measured."""

Tables = Mapping[str, Mapping[str, Any]]


class Contestant(NamedTuple):
    """A network, how it learns, and how often."""

    name: str  # of its run folders, before -seed
    label: str
    system: str
    settings: dict[str, dict[str, Any]]  # table -> field -> value
    seeds: tuple[int, ...] = SEEDS
    family: str = "ram"  # ram, window, scan, fc or cnn: its colour on the page
    ranked: bool = True  # has a row in the table; others are there for one question alone

    def run(self, seed: int) -> AnyRun:
        """The run of one seed."""
        tables = {**self.settings, "train": {**self.settings.get("train", {}), "seed": seed, "threads": 1}}
        return override(
            default_run(self.system, systems.spec(self.system)),
            tables,
            lambda table, key: f"{self.name}: [{table}] {key}",
        )


class Plan(NamedTuple):
    """What a benchmark does."""

    dataset: str
    full: bool
    contestants: tuple[Contestant, ...]
    sizes: tuple[int, ...] = SIZES
    seconds: float = 12.0  # of measuring for each comparison of times
    largest_batch: int = 512
    examples: int = 2000  # images for each point of the robustness curves


class Quick(NamedTuple):
    """Epochs of the quick and the full plan."""

    ram: int
    fc: int
    cnn: int


EPOCHS = {
    ("digits", False): Quick(ram=80, fc=60, cnn=30),
    ("digits", True): Quick(ram=300, fc=150, cnn=60),
    ("mnist", False): Quick(ram=12, fc=12, cnn=4),
    ("mnist", True): Quick(ram=60, fc=60, cnn=20),
    ("translated", False): Quick(ram=15, fc=12, cnn=4),
    ("translated", True): Quick(ram=150, fc=60, cnn=30),
    ("cluttered", False): Quick(ram=20, fc=12, cnn=4),
    ("cluttered", True): Quick(ram=250, fc=60, cnn=30),
}


def plan(dataset: str, *, full: bool = False, data_dir: str | None = None) -> Plan:
    """The plan for a dataset.

    Raises:
        InputError: a dataset that the benchmark has no plan for.
    """
    if dataset not in DATASETS:
        raise InputError(f"a dataset among {', '.join(DATASETS)}", repr(dataset), "name one of them with --dataset")
    small = dataset in ("digits", "mnist")
    data: dict[str, Any] = {"dataset": dataset, "shift": 1 if small else 0, "data_dir": data_dir}
    epochs = EPOCHS[dataset, full]
    counts = {True: (2, 3, 4, 5, 6, 7), False: (2, 4, 6)} if small else {True: (4, 6, 8), False: (6,)}
    main = 6
    found = [_ram(data, count, epochs.ram, small) for count in counts[full]]
    found += [_ram(data, main, epochs.ram, small, scan=True), _window(data, main, epochs.ram, small)]
    found += [_static(data, kind, epochs) for kind in ("fc", "conv", "modern")]
    mixed = _mixed(data, small)
    found += [_variant(c, mixed) for c in found if c.name in (f"ram-{main}", "cnn")]
    return Plan(dataset, full, tuple(found))


def _glimpses(data: Mapping[str, Any], count: int, epochs: int, small: bool) -> dict[str, dict[str, Any]]:
    model: dict[str, Any] = {"glimpses": count}
    if not small:
        model |= {"patch": 12, "scales": 3, "std": 0.08}
    train: dict[str, Any] = {"epochs": epochs, "optimizer": "muon"}
    train |= {"batch_size": 128} if data["dataset"] == "digits" else {"batch_size": 256, "learning_rate": 2e-3}
    return {"data": dict(data), "model": model, "train": train}


def _looks(count: int, small: bool) -> str:
    return f"{count} glimpses of 8 × 8" if small else f"{count} glimpses of 12 × 12, 3 scales"


def _ram(data: Mapping[str, Any], count: int, epochs: int, small: bool, scan: bool = False) -> Contestant:
    settings = _glimpses(data, count, epochs, small)
    if not scan:
        return Contestant(f"ram-{count}", f"RAM, {_looks(count, small)}", "glimpse", settings)
    settings["model"]["policy"] = "fixed-scan"
    return Contestant(f"scan-{count}", f"Fixed scan, {_looks(count, small)}", "glimpse", settings, family="scan")


def _window(data: Mapping[str, Any], count: int, epochs: int, small: bool) -> Contestant:
    settings = _glimpses(data, count, epochs, small)
    settings["model"] |= {"attention": "gaussian", "policy_gain": 1.0}
    label = f"RAM, Gaussian window, {_looks(count, small)}"
    return Contestant(f"window-{count}", label, "glimpse", settings, family="window")


def _static(data: Mapping[str, Any], kind: str, epochs: Quick) -> Contestant:
    label = {"fc": "FC, 2 layers of 256", "conv": "Convolution, 2 layers", "modern": "Residual CNN"}[kind]
    train = {"epochs": epochs.cnn if kind == "modern" else epochs.fc, "batch_size": 128}
    train |= {"learning_rate": 2e-3} if kind == "modern" else {}
    settings = {"data": dict(data), "model": {"kind": kind}, "train": train}
    name, family = ("cnn", "cnn") if kind == "modern" else (kind, "fc" if kind == "fc" else "conv")
    return Contestant(name, label, "baseline", settings, family=family)


def _mixed(data: Mapping[str, Any], small: bool) -> dict[str, Any]:
    """The same data with digits of many sizes."""
    if not small:
        return {**data, "smallest": 14, "largest": 44}
    layout = {"dataset": "translated", "pool": data["dataset"], "canvas": 28}
    return {**data, **layout, "smallest": 14, "largest": 28}


def _variant(contestant: Contestant, data: dict[str, Any]) -> Contestant:
    label = f"{contestant.label.split(',')[0]}, trained on mixed sizes"
    settings = {**contestant.settings, "data": data}
    changed = {"name": f"{contestant.name}-mixed", "label": label, "settings": settings}
    return contestant._replace(**changed, seeds=SEEDS[:1], ranked=False)
