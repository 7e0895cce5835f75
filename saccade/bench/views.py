"""From what was measured to what a reader sees: table rows, sentences, charts."""

from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from saccade.bench.charts import Axis, Series, chart, in_bytes, short
from saccade.bench.collect import Trained

REFERENCE_SIZE = 400
"""The canvas at which latencies are compared in words, pixels a side."""

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
"""The table's numbers: key, head, unit."""


class Cell(NamedTuple):
    """A number of the table: as shown, as sorted, and what is to be said beside it."""

    text: str
    value: float | None
    note: str = ""


class Row(NamedTuple):
    """A network of the table."""

    label: str
    family: str
    paper: str  # whose number it is, where it is a paper's
    dataset: str
    command: str
    seeds: str
    cells: dict[str, Cell]


class View(NamedTuple):
    """A benchmark as the page shows it; a part that was not measured is None."""

    title: str
    facts: dict[str, Any]
    machine: dict[str, Any]
    findings: list[tuple[str, str]]  # a number, and what it is
    rows: list[Row]
    tradeoff: dict[str, Markup]
    growth: dict[str, Markup] | None
    growth_rows: list[dict[str, Any]]
    rounds: int
    robustness: dict[str, Markup] | None
    robustness_notes: list[str]
    examples: int
    failed: list[dict[str, str]]


def benchmark(path: Path, content: dict[str, Any]) -> View:
    """The view of a benchmark.json."""
    growth, robustness = content.get("growth"), content.get("robustness")
    rows, costs = content.get("rows", []), content.get("costs", {})
    ranked = [row for row in rows if row["source"] == "paper" or row["ranked"]]
    return View(
        title=f"{content['dataset']}{', the full plan' if content['full'] else ''}",
        facts=content["facts"],
        machine=content["machine"],
        findings=_findings(rows, costs, growth),
        rows=[_row(row, costs.get(row.get("name"), {})) for row in ranked],
        tradeoff=_tradeoff(rows, costs),
        growth=_growth(growth) if growth else None,
        growth_rows=list(growth["networks"].values()) if growth else [],
        rounds=growth["rounds"] if growth else 0,
        robustness=_robustness(robustness) if robustness else None,
        robustness_notes=_notes(robustness) if robustness else [],
        examples=robustness["examples"] if robustness else 0,
        failed=content.get("failed", []),
    )


def shown(runs: list[Trained]) -> list[Trained]:
    """The first run of each label: what has a film and a confusion matrix."""
    first: dict[tuple[str, Path], Trained] = {}
    for run in runs:
        first.setdefault((run.label, run.path.parent), run)
    return list(first.values())


def curves(runs: list[Trained]) -> list[tuple[str, Markup]]:
    """Learning curves, a chart for each kind of loss; every seed a line, unnamed but for its network."""
    kinds: dict[str, list[Series]] = {}
    for run in runs:
        epochs, losses = run.curve
        if epochs and "mixed sizes" not in run.label:
            kinds.setdefault(run.curve_of, []).append(Series(run.label, run.family, epochs, losses))
    found = []
    for kind, series in kinds.items():
        positive = all(value > 0 for s in series for value in s.y)
        axis = Axis(f"{kind}, nats", log=positive)
        found.append((kind, chart(series, Axis("epoch"), axis, f"Training: {kind} by epoch")))
    return found


def _row(row: dict[str, Any], cost: dict[str, Any]) -> Row:
    if row["source"] == "paper":
        cells = {"error": Cell(f"{row['error_percent']:.2f}", row["error_percent"], row["dataset"])}
        return Row(row["label"], "paper", row["paper"], row["dataset"], "", "", cells)
    error, seconds = row["error_percent"], row["train_seconds"]
    several = len(error["values"]) > 1
    between = f"{error['min']:.2f} to {error['max']:.2f}" if several else "one seed"
    cells = {"error": Cell(f"{error['mean']:.2f}", error["mean"], between)}
    for key in ("parameters", "multiply_adds", "pixels_read"):
        if key in cost:
            cells[key] = Cell(short(cost[key]), cost[key])
    if "latency_ms" in cost:
        eager = f"{cost['latency_eager_ms']:.2f} in Python"
        cells["latency_ms"] = Cell(f"{cost['latency_ms']:.2f}", cost["latency_ms"], eager)
        best = cost["throughput"]
        rate = best["images_per_second"]
        cells["throughput"] = Cell(short(rate), rate, f"batch {best['batch']}")
        training = f"{in_bytes(cost['training_peak_bytes'])} in training"
        cells["peak_memory"] = Cell(in_bytes(cost["peak_memory_bytes"]), cost["peak_memory_bytes"], training)
    cells["train_seconds"] = Cell(short(seconds["mean"]), seconds["mean"])
    seeds = ", ".join(map(str, row["seeds"]))
    return Row(row["label"], row["family"], "", row["dataset"], row["command"], seeds, cells)


def _findings(
    rows: list[dict[str, Any]], costs: dict[str, Any], growth: dict[str, Any] | None
) -> list[tuple[str, str]]:
    """The result in a few numbers; only what was measured."""
    found = []
    ours = [row for row in rows if row["source"] == "measured" and row["ranked"]]
    rams = [row for row in ours if row["family"] == "ram"]
    best = min(rams, key=lambda row: row["error_percent"]["mean"], default=None)
    cnn = next((row for row in ours if row["family"] == "cnn"), None)
    if best and cnn:
        error, other = best["error_percent"]["mean"], cnn["error_percent"]["mean"]
        found.append((f"{error:.2f}%", f"test error of {best['label']}; the residual CNN has {other:.2f}%"))
        if best["name"] in costs and cnn["name"] in costs:
            own, its = costs[best["name"]]["multiply_adds"], costs[cnn["name"]]["multiply_adds"]
            found.append(
                (f"{its / own:.1f} ×", f"as many multiply-adds in the residual CNN: {short(its)}, {short(own)}")
            )
    if growth:
        ram, its = growth["networks"]["ram"], growth["networks"]["cnn"]
        found.append(
            (f"{ram['exponent']['latency_ms']:+.2f}", "exponent with which RAM's latency grows with the image")
        )
        if REFERENCE_SIZE in growth["sizes"]:
            at = growth["sizes"].index(REFERENCE_SIZE)
            one, other = ram["latency_ms"][at], its["latency_ms"][at]
            words = f"the time of RAM ({one:.2f} ms) for the residual CNN ({other:.2f} ms) at {REFERENCE_SIZE} pixels"
            found.append((f"{other / one:.1f} ×", words))
    return found


def _tradeoff(rows: list[dict[str, Any]], costs: dict[str, Any]) -> dict[str, Markup]:
    """Error against multiply-adds, against latency and against pixels read."""
    measured = [row for row in rows if row["source"] == "measured" and row.get("name") in costs]
    found = {}
    for key, words in (
        ("multiply_adds", "multiply-adds an image"),
        ("latency_ms", "latency at batch 1, ms"),
        ("pixels_read", "pixels read an image"),
    ):
        series = []
        for label, family, rows_of in _grouped(measured):
            errors = [row["error_percent"] for row in rows_of]
            ends = [(error["min"], error["max"]) for error in errors]
            across = [costs[row["name"]][key] for row in rows_of]
            series.append(Series(label, family, across, [error["mean"] for error in errors], spread=ends))
        found[words] = chart(series, Axis(words, log=True), Axis("test error, %"), f"Error by {words}")
    return found


def _grouped(rows: list[dict[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """RAM's rows as one line by the number of its glimpses, every other row by itself: label, family, rows."""
    rams = [row for row in rows if row["family"] == "ram" and row["ranked"]]
    counts = ", ".join(str(row["settings"]["glimpses"]) for row in rams)
    first = [(f"RAM, {counts} glimpses", "ram", rams)] if rams else []
    return first + [(row["label"], row["family"], [row]) for row in rows if row not in rams]


def _growth(growth: dict[str, Any]) -> dict[str, Markup]:
    found = {}
    for key, words in (
        ("latency_ms", "latency at batch 1, ms"),
        ("multiply_adds", "multiply-adds an image"),
        ("peak_memory_bytes", "peak memory, bytes"),
    ):
        series = [Series(n["label"], n["family"], growth["sizes"], n[key]) for n in growth["networks"].values()]
        name = f"{words} by size of the image"
        found[words] = chart(series, Axis("side of the image, pixels", log=True), Axis(words, log=True), name)
    return found


def _robustness(found: dict[str, Any]) -> dict[str, Markup]:
    charts = {}
    for key, words in (("pieces", "pieces of clutter"), ("side", "side of the digit, pixels")):
        series = []
        for name, errors in found[key]["error_percent"].items():
            mixed = name.endswith("-mixed")
            family = "cnn" if name.startswith("cnn") else "ram"
            series.append(Series(found["labels"][name], family, found[key]["x"], errors, dashed=mixed))
        charts[words] = chart(series, Axis(words), Axis("test error, %"), f"Error by {words}")
    return charts


def _notes(found: dict[str, Any]) -> list[str]:
    """What training on mixed sizes gives, in a sentence for each network."""
    sizes, errors = found["side"]["x"], found["side"]["error_percent"]
    usual, notes = sizes.index(found["side"]["trained_with"]), []
    for name in errors:
        mixed = f"{name}-mixed"
        if mixed in errors:
            notes.append(
                f"{found['labels'][name].split(',')[0]}, on digits of {sizes[0]} pixels instead of {sizes[usual]}: "
                f"{errors[name][0]:.1f}% error; trained on mixed sizes {errors[mixed][0]:.1f}%, "
                f"and {errors[mixed][usual]:.1f}% instead of {errors[name][usual]:.1f}% at the usual size."
            )
    return notes
