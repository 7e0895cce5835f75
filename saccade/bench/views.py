"""Table rows, sentences and charts of the page, from the measurements."""

from pathlib import Path
from typing import NamedTuple, TypeGuard

from markupsafe import Markup

from saccade.bench.charts import Axis, Series, chart, in_bytes, short
from saccade.bench.collect import RunView
from saccade.bench.schema import (
    Benchmark,
    Cost,
    Failure,
    Growth,
    Machine,
    MeasuredRow,
    NetworkGrowth,
    ResultRow,
    Robustness,
)
from saccade.pipeline.provenance import Provenance

REFERENCE_SIZE = 400
"""Side of the canvas, in pixels, for the comparison of latencies in the findings."""

COLUMNS = (
    ("error", "Test error", "%"),
    ("parameters", "Parameters", ""),
    ("multiply_adds", "Multiply-adds", "an image"),
    ("pixels_read", "Pixels read", "an image"),
    ("latency_ms", "Latency", "ms, batch 1"),
    ("throughput", "Throughput", "images/s"),
    ("peak_memory", "Peak memory", "batch 1"),
    ("train_seconds", "Training", "s"),
)
"""Numeric columns of the table: key, heading, unit."""


class Cell(NamedTuple):
    """A number of the table: text, value for sorting, and note."""

    text: str
    value: float | None
    note: str = ""


class Row(NamedTuple):
    """A row of the table."""

    label: str
    family: str
    paper: str  # the paper that the number is from; empty for our own
    dataset: str
    command: str
    seeds: str
    cells: dict[str, Cell]


class View(NamedTuple):
    """A benchmark as the page shows it; a part that was not measured is None or empty."""

    title: str
    provenance: Provenance
    machine: Machine
    findings: list[tuple[str, str]]  # a number, and its description
    rows: list[Row]
    tradeoff: dict[str, Markup]
    growth: dict[str, Markup] | None
    growth_rows: list[NetworkGrowth]
    rounds: int
    robustness: dict[str, Markup] | None
    robustness_notes: list[str]
    examples: int
    failed: list[Failure]


def benchmark(path: Path, content: Benchmark) -> View:
    """Return the view of a benchmark.json."""
    growth, robustness = content.get("growth"), content.get("robustness")
    rows, costs = content.get("rows", []), content.get("costs", {})
    ranked = [row for row in rows if row["source"] == "paper" or row["ranked"]]
    return View(
        title=f"{content['dataset']}{', the full plan' if content['full'] else ''}",
        provenance=content["facts"],
        machine=content["machine"],
        findings=_findings(rows, costs, growth),
        rows=[_row(row, costs.get(row.get("name", ""))) for row in ranked],
        tradeoff=_tradeoff(rows, costs),
        growth=_growth(growth) if growth else None,
        growth_rows=list(growth["networks"].values()) if growth else [],
        rounds=growth["rounds"] if growth else 0,
        robustness=_robustness(robustness) if robustness else None,
        robustness_notes=_notes(robustness) if robustness else [],
        examples=robustness["examples"] if robustness else 0,
        failed=content.get("failed", []),
    )


def first_of_each_label(runs: list[RunView]) -> list[RunView]:
    """Return the first run of each label: the page shows its film and its confusion matrix."""
    first: dict[tuple[str, Path], RunView] = {}
    for run in runs:
        first.setdefault((run.label, run.path.parent), run)
    return list(first.values())


def curves(runs: list[RunView]) -> list[tuple[str, Markup]]:
    """Return a chart of the learning curves for each kind of loss, with a line for every run."""
    kinds: dict[str, list[Series]] = {}
    for run in runs:
        epochs, losses, label, _ = run.curve
        if epochs and "mixed sizes" not in run.label:
            kinds.setdefault(label, []).append(Series(run.label, run.family, epochs, losses))
    charts = []
    for kind, series in kinds.items():
        positive = all(value > 0 for s in series for value in s.y)
        axis = Axis(f"{kind}, nats", log=positive)
        charts.append((kind, chart(series, Axis("epoch"), axis, f"Training: {kind} by epoch")))
    return charts


def _row(row: ResultRow, cost: Cost | None) -> Row:
    if row["source"] == "paper":
        cells = {"error": Cell(f"{row['error_percent']:.2f}", row["error_percent"], row["dataset"])}
        return Row(row["label"], "paper", row["paper"], row["dataset"], "", "", cells)
    error, seconds = row["error_percent"], row["train_seconds"]
    several = len(error["values"]) > 1
    between = f"{error['min']:.2f} to {error['max']:.2f}" if several else "one seed"
    cells = {"error": Cell(f"{error['mean']:.2f}", error["mean"], between)}
    if cost:
        for key in ("parameters", "multiply_adds", "pixels_read"):
            cells[key] = Cell(short(cost[key]), cost[key])
        training = f"{in_bytes(cost['training_peak_bytes'])} in training"
        cells["peak_memory"] = Cell(in_bytes(cost["peak_memory_bytes"]), cost["peak_memory_bytes"], training)
    if cost and "latency_ms" in cost and "latency_eager_ms" in cost and "throughput" in cost:
        eager = f"{cost['latency_eager_ms']:.2f} in Python"
        cells["latency_ms"] = Cell(f"{cost['latency_ms']:.2f}", cost["latency_ms"], eager)
        best = cost["throughput"]
        cells["throughput"] = Cell(
            short(best["images_per_second"]), best["images_per_second"], f"batch {best['batch']}"
        )
    cells["train_seconds"] = Cell(short(seconds["mean"]), seconds["mean"])
    seeds = ", ".join(map(str, row["seeds"]))
    return Row(row["label"], row["family"], "", row["dataset"], row["command"], seeds, cells)


def _measured(row: ResultRow) -> TypeGuard[MeasuredRow]:
    return row["source"] == "measured"


def _findings(rows: list[ResultRow], costs: dict[str, Cost], growth: Growth | None) -> list[tuple[str, str]]:
    """Return the main results as numbers with their descriptions; only those that were measured."""
    findings = []
    ranked = [row for row in rows if _measured(row) and row["ranked"]]
    rams = [row for row in ranked if row["family"] == "ram"]
    best = min(rams, key=lambda row: row["error_percent"]["mean"], default=None)
    cnn = next((row for row in ranked if row["family"] == "cnn"), None)
    if best and cnn:
        error, other = best["error_percent"]["mean"], cnn["error_percent"]["mean"]
        findings.append((f"{error:.2f}%", f"test error of {best['label']}; the residual CNN has {other:.2f}%"))
        if best["name"] in costs and cnn["name"] in costs:
            own, its = costs[best["name"]]["multiply_adds"], costs[cnn["name"]]["multiply_adds"]
            words = f"as many multiply-adds in the residual CNN: {short(its)}, {short(own)}"
            findings.append((f"{its / own:.1f} ×", words))
    if growth:
        ram, its = growth["networks"]["ram"], growth["networks"]["cnn"]
        times = 10 ** ram["exponent"]["latency_ms"]
        words = "as long does RAM take for an image of ten times the side"
        findings.append((f"{times:.2f} ×", words))
        if REFERENCE_SIZE in growth["sizes"]:
            at = growth["sizes"].index(REFERENCE_SIZE)
            one, other = ram["latency_ms"][at], its["latency_ms"][at]
            words = f"the time of RAM ({one:.2f} ms) for the residual CNN ({other:.2f} ms) at {REFERENCE_SIZE} pixels"
            findings.append((f"{other / one:.1f} ×", words))
    return findings


def _tradeoff(rows: list[ResultRow], costs: dict[str, Cost]) -> dict[str, Markup]:
    """Return charts of the error by multiply-adds, by latency and by pixels read."""
    measured = [row for row in rows if _measured(row) and row["name"] in costs]
    charts = {}
    for key, words in (
        ("multiply_adds", "multiply-adds an image"),
        ("latency_ms", "latency at batch 1, ms"),
        ("pixels_read", "pixels read an image"),
    ):
        series = []
        for label, family, rows_of in _grouped(measured):
            errors = [row["error_percent"] for row in rows_of]
            ends = [(error["min"], error["max"]) for error in errors]
            across = [costs[row["name"]].get(key, 0) for row in rows_of]
            series.append(Series(label, family, across, [error["mean"] for error in errors], spread=ends))
        charts[words] = chart(series, Axis(words, log=True), Axis("test error, %"), f"Error by {words}")
    return charts


def _grouped(rows: list[MeasuredRow]) -> list[tuple[str, str, list[MeasuredRow]]]:
    """Group all RAMs into one series, and every other row into its own: label, family, rows."""
    rams = [row for row in rows if row["family"] == "ram" and row["ranked"]]
    counts = ", ".join(str(row["settings"]["glimpses"]) for row in rams)
    first = [(f"RAM, {counts} glimpses", "ram", rams)] if rams else []
    return first + [(row["label"], row["family"], [row]) for row in rows if row not in rams]


def _growth(growth: Growth) -> dict[str, Markup]:
    charts = {}
    for key, words in (
        ("latency_ms", "latency at batch 1, ms"),
        ("multiply_adds", "multiply-adds an image"),
        ("peak_memory_bytes", "peak memory, bytes"),
    ):
        series = [Series(n["label"], n["family"], growth["sizes"], n[key]) for n in growth["networks"].values()]
        name = f"{words} by size of the image"
        charts[words] = chart(series, Axis("side of the image, pixels", log=True), Axis(words, log=True), name)
    return charts


def _robustness(results: Robustness) -> dict[str, Markup]:
    charts = {}
    for key, words in (("pieces", "pieces of clutter"), ("side", "side of the digit, pixels")):
        series = []
        for name, errors in results[key]["error_percent"].items():
            mixed = name.endswith("-mixed")
            family = "cnn" if name.startswith("cnn") else "ram"
            series.append(Series(results["labels"][name], family, results[key]["x"], errors, dashed=mixed))
        charts[words] = chart(series, Axis(words), Axis("test error, %"), f"Error by {words}")
    return charts


def _notes(results: Robustness) -> list[str]:
    """Return a sentence for each network about the effect of training on mixed sizes."""
    sizes, errors = results["side"]["x"], results["side"]["error_percent"]
    usual, notes = sizes.index(results["side"]["trained_with"]), []
    for name in errors:
        mixed = f"{name}-mixed"
        if mixed in errors:
            notes.append(
                f"{results['labels'][name].split(',')[0]}, on digits of {sizes[0]} pixels instead of {sizes[usual]}: "
                f"{errors[name][0]:.1f}% error; trained on mixed sizes {errors[mixed][0]:.1f}%, "
                f"and {errors[mixed][usual]:.1f}% instead of {errors[name][usual]:.1f}% at the usual size."
            )
    return notes
