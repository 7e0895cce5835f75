"""The plan of a benchmark: networks, datasets, length of training, and measurements. Torch-free.

A contestant is a network with its training; its runs differ only in the seed. The quick plan takes five minutes on two
cores for the embedded digits. The full plan has the rows of the papers' tables, with the settings of experiments/.
"""

from typing import NamedTuple, TypeAlias

from saccade.errors import InputError
from saccade.json_types import Record, Values
from saccade.pipeline import systems
from saccade.pipeline.config import AnyRun, default_run, override

DATASETS = ("digits", "mnist", "translated", "cluttered")
SEEDS = (0, 1, 2)
SIZES = (28, 60, 100, 200, 400, 800)
"""Sides of the canvases, in pixels, for which the cost is measured."""

Settings: TypeAlias = dict[str, Record]
"""Settings of a run: table -> field -> value."""


class Contestant(NamedTuple):
    """A network with its training and its seeds."""

    name: str  # its run folders are NAME-seedN
    label: str
    system: str
    settings: Settings
    seeds: tuple[int, ...] = SEEDS
    family: str = "ram"  # ram, window, scan, fc, conv or cnn: the colour on the page
    ranked: bool = True  # False: it has no row in the table, and serves one measurement only

    def run(self, seed: int) -> AnyRun:
        """Return the run of one seed."""
        tables = {**self.settings, "train": {**self.settings.get("train", {}), "seed": seed, "threads": 1}}
        return override(
            default_run(self.system, systems.spec(self.system)),
            tables,
            lambda table, key: f"{self.name}: [{table}] {key}",
        )


class Plan(NamedTuple):
    """The contestants and measurements of a benchmark."""

    dataset: str
    full: bool
    contestants: tuple[Contestant, ...]
    sizes: tuple[int, ...] = SIZES
    seconds: float = 12.0  # duration of each comparison of times
    largest_batch: int = 512
    examples: int = 2000  # images for each point of the robustness curves


class Epochs(NamedTuple):
    """Epochs of training of each kind of network."""

    ram: int
    fc: int
    cnn: int


EPOCHS = {
    ("digits", False): Epochs(ram=80, fc=60, cnn=30),
    ("digits", True): Epochs(ram=300, fc=150, cnn=60),
    ("mnist", False): Epochs(ram=12, fc=12, cnn=4),
    ("mnist", True): Epochs(ram=60, fc=60, cnn=20),
    ("translated", False): Epochs(ram=15, fc=12, cnn=4),
    ("translated", True): Epochs(ram=150, fc=60, cnn=30),
    ("cluttered", False): Epochs(ram=20, fc=12, cnn=4),
    ("cluttered", True): Epochs(ram=250, fc=60, cnn=30),
}


def plan(dataset: str, *, full: bool = False, data_dir: str | None = None) -> Plan:
    """Return the plan for a dataset.

    Raises:
        InputError: the benchmark has no plan for the dataset.
    """
    if dataset not in DATASETS:
        raise InputError(f"a dataset among {', '.join(DATASETS)}", repr(dataset), "name one of them with --dataset")
    small = dataset in ("digits", "mnist")
    data: Record = {"dataset": dataset, "shift": 1 if small else 0, "data_dir": data_dir}
    epochs = EPOCHS[dataset, full]
    counts = {True: (2, 3, 4, 5, 6, 7), False: (2, 4, 6)} if small else {True: (4, 6, 8), False: (6,)}
    main = 6
    contestants = [_ram(data, count, epochs.ram, small) for count in counts[full]]
    contestants += [_ram(data, main, epochs.ram, small, scan=True), _window(data, main, epochs.ram, small)]
    contestants += [_static(data, kind, epochs) for kind in ("fc", "conv", "modern")]
    mixed = _mixed(data, small)
    contestants += [_variant(c, mixed) for c in contestants if c.name in (f"ram-{main}", "cnn")]
    return Plan(dataset, full, tuple(contestants))


def _glimpses(data: Values, count: int, epochs: int, small: bool) -> Settings:
    model: Record = {"glimpses": count}
    if not small:
        model |= {"patch": 12, "scales": 3, "std": 0.08}
    train: Record = {"epochs": epochs, "optimizer": "muon"}
    train |= {"batch_size": 128} if data["dataset"] == "digits" else {"batch_size": 256, "learning_rate": 2e-3}
    return {"data": dict(data), "model": model, "train": train}


def _looks(count: int, small: bool) -> str:
    return f"{count} glimpses of 8 × 8" if small else f"{count} glimpses of 12 × 12, 3 scales"


def _ram(data: Values, count: int, epochs: int, small: bool, scan: bool = False) -> Contestant:
    settings = _glimpses(data, count, epochs, small)
    if not scan:
        return Contestant(f"ram-{count}", f"RAM, {_looks(count, small)}", "glimpse", settings)
    settings["model"]["policy"] = "fixed-scan"
    return Contestant(f"scan-{count}", f"Fixed scan, {_looks(count, small)}", "glimpse", settings, family="scan")


def _window(data: Values, count: int, epochs: int, small: bool) -> Contestant:
    settings = _glimpses(data, count, epochs, small)
    settings["model"] |= {"attention": "gaussian", "policy_gain": 1.0}
    label = f"RAM, Gaussian window, {_looks(count, small)}"
    return Contestant(f"window-{count}", label, "glimpse", settings, family="window")


def _static(data: Values, kind: str, epochs: Epochs) -> Contestant:
    label = {"fc": "FC, 2 layers of 256", "conv": "Convolution, 2 layers", "modern": "Residual CNN"}[kind]
    train = {"epochs": epochs.cnn if kind == "modern" else epochs.fc, "batch_size": 128}
    train |= {"learning_rate": 2e-3} if kind == "modern" else {}
    settings = {"data": dict(data), "model": {"kind": kind}, "train": train}
    name, family = ("cnn", "cnn") if kind == "modern" else (kind, "fc" if kind == "fc" else "conv")
    return Contestant(name, label, "baseline", settings, family=family)


def _mixed(data: Values, small: bool) -> Record:
    """Return the settings of the same dataset with digits of several sizes."""
    if not small:
        return {**data, "smallest": 14, "largest": 44}
    layout = {"dataset": "translated", "pool": data["dataset"], "canvas": 28}
    return {**data, **layout, "smallest": 14, "largest": 28}


def _variant(contestant: Contestant, data: Record) -> Contestant:
    label = f"{contestant.label.split(',')[0]}, trained on mixed sizes"
    settings = {**contestant.settings, "data": data}
    changed = {"name": f"{contestant.name}-mixed", "label": label, "settings": settings}
    return contestant._replace(**changed, seeds=SEEDS[:1], ranked=False)
