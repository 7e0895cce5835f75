"""A paper's table with our results: finished runs, grouped by row, as Markdown and JSON.

The JSON keeps the settings, provenance and metrics of every run, so that the table can be written again, and extended,
after the run folders are deleted. Runs whose settings differ from their row's have lines of their own, which name the
differences (departures).
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

from saccade.errors import InputError
from saccade.pipeline import outputs, systems
from saccade.pipeline.checkpoint.atomic_files import unwritable, write_json, write_whole
from saccade.pipeline.provenance import command
from saccade.pipeline.systems import Metric
from saccade.tables.records import FORMAT, Record, curve_name, departures, earlier, gather, identity
from saccade.tables.rows import Row


class Line(NamedTuple):
    """A line of the table: runs of one row that differ only in their seed, and their departures from the row."""

    row: Row
    departures: tuple[str, ...]
    records: list[Record]


class Spread(TypedDict):
    """A metric over the seeds; the deviation is None for a single seed."""

    mean: float
    deviation: float | None
    lowest: float
    highest: float
    each: list[float]


class LineSummary(TypedDict):
    """A line of the table as JSON."""

    row: str
    departures: list[str]
    paper: dict[str, float]
    measured: dict[str, Spread]
    seeds: list[int]
    train_minutes: list[float]
    commits: list[str]
    made_by: str


def check(results: Path, file: Path, rows: Mapping[str, Row]) -> None:
    """Check that the tables in a folder can be extended; call it before the training.

    Raises:
        InputError: the folder has a JSON of another version, or a file that would be lost.
    """
    if results.exists() and not results.is_dir():
        raise InputError("a folder for the tables", f"a file at {results}", "give another --results")
    made = [results / f"{file.stem}{ending}" for ending in (".json", ".md")]
    for path in made:
        if outputs.same(path, file):
            raise InputError("another file than the input for the tables", str(path), "give another --results")
    if not made[0].exists() and made[1].exists():
        found = f"{made[1]}, a file that Saccade did not write"
        raise InputError("a new file for the table", found, "move it, or give another --results")
    _lines(rows, _kept(results, file))


def write_tables(out: Path, results: Path, file: Path, rows: Mapping[str, Row]) -> tuple[list[str], list[str]]:
    """Write the finished runs of `out` into NAME.md and NAME.json in `results`, and their curves into curves/NAME/.

    Earlier runs in the JSON that are not among them are kept.

    Returns:
        The written files, and a line for each run that could not be used.

    Raises:
        InputError: the folder has a JSON of another version, or cannot be written to.
    """
    gathered, left_out = gather(out, rows, file)
    new = [record for record, _ in gathered]
    for record in new:
        record["curve"] = f"curves/{file.stem}/{curve_name(record)}"
    merged = {identity(record, rows): record for record in [*_kept(results, file), *new]}
    records = sorted(merged.values(), key=lambda record: (record["row"], record["train"]["seed"]))
    lines, name = _lines(rows, records), file.stem
    curves = results / "curves" / name
    try:
        (curves if gathered else results).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(results, error) from error
    summary = [_summary(line, file) for line in lines]
    tables = {"format": FORMAT, "experiment": name, "lines": summary, "runs": records}
    wrote = [write_json(results / f"{name}.json", tables), results / f"{name}.md"]
    write_whole(wrote[1], markdown(file, rows, lines).encode())
    for record, curve in gathered:
        wrote.append(results / record.get("curve", ""))
        write_whole(wrote[-1], curve.encode())
    return [str(path) for path in wrote], left_out


def _kept(results: Path, file: Path) -> list[Record]:
    path = results / f"{file.stem}.json"
    return earlier(path) if path.exists() else []


def _lines(rows: Mapping[str, Row], records: Iterable[Record]) -> list[Line]:
    """Return the lines of the records whose row is still in the file."""
    return group(rows, [r for r in records if r["row"] in rows and r["system"] == rows[r["row"]].run.system])


def group(rows: Mapping[str, Row], records: Iterable[Record]) -> list[Line]:
    """Return the lines of a table in the order of its rows, those without departures first.

    A row without runs has a line too.
    """
    grouped: dict[tuple[str, tuple[str, ...]], list[Record]] = {(name, ()): [] for name in rows}
    for record in records:
        grouped.setdefault((record["row"], departures(record, rows[record["row"]])), []).append(record)
    order = list(rows)
    keys = sorted(grouped, key=lambda key: (order.index(key[0]), key[1] != ()))
    lines = [Line(rows[name], differing, grouped[name, differing]) for name, differing in keys]
    return [line for line in lines if line.records or not line.departures]


def markdown(file: Path, rows: Mapping[str, Row], lines: Sequence[Line]) -> str:
    """Return the table as Markdown: the paper's number next to ours, mean (and range) over the seeds."""
    measure = _measure(rows)
    known = [metric for metric in _columns(rows) if any(_values(line, metric) for line in lines)]
    names = [metric.heading for metric in known]
    head = ["row", "paper", "measured", *names, "seeds", "epochs", "minutes", "parameters", "commit", "made by"]
    body = [_cells(line, known, file) for line in lines]
    text = [f"# {file.stem}", "", measure.note or measure.key, ""]
    text += ["Mean (and range) over the seeds. Minutes are wall time of training, whatever else the machine did.", ""]
    table = [head, ["---"] * len(head), *body]
    return "\n".join(text + ["| " + " | ".join(cells) + " |" for cells in table]) + "\n"


def _cells(line: Line, known: Sequence[Metric], file: Path) -> list[str]:
    row, records = line.row, line.records
    measure = systems.spec(row.run.system).headline  # rows of several systems may stand in one table
    name = row.name + (f" ({'; '.join(line.departures)})" if line.departures else "")
    commits = sorted({_commit(record) for record in records})
    seeds = ", ".join(str(record["train"]["seed"]) for record in records)
    epochs = str(records[0]["train"]["epochs"] if records else row.run.train.epochs)
    minutes = [record["train_seconds"] / 60 for record in records]
    parameters = f"{records[0]['metrics']['parameters']:,}" if records else ""
    paper = f"{row.paper[measure.name]:.2f}" if measure.name in row.paper else ""
    others = [_range(_values(line, metric)) + _samples(line, metric) for metric in known]
    made = f"`{_made_by(line, file)}`"
    tail = [seeds, epochs, _range(minutes, 1), parameters, ", ".join(commits), made]
    return [name, paper, _range(_values(line, measure)) or "not trained", *others, *tail]


def _summary(line: Line, file: Path) -> LineSummary:
    """Return a line as JSON."""
    headline, *others = systems.spec(line.row.run.system).metrics
    numbers = {headline.name: _spread(values)} if (values := _values(line, headline)) else {}
    numbers |= {metric.heading: _spread(values) for metric in others if (values := _values(line, metric))}
    return {
        "row": line.row.name,
        "departures": list(line.departures),
        "paper": line.row.paper,
        "measured": numbers,
        "seeds": [record["train"]["seed"] for record in line.records],
        "train_minutes": [round(record["train_seconds"] / 60, 2) for record in line.records],
        "commits": sorted({_commit(record) for record in line.records}),
        "made_by": _made_by(line, file),
    }


def _made_by(line: Line, file: Path) -> str:
    """Return the command that reproduces a line: `saccade reproduce`, or the training command if it has departures."""
    if line.departures:
        return command(line.records[0]["provenance"], without=("--seed",))
    seeds = sorted(record["train"]["seed"] for record in line.records) or [0, 1, 2]
    place = file if not file.is_absolute() else Path(*file.parts[-2:])
    return f"saccade reproduce {place} --rows {line.row.name} --seeds {','.join(map(str, seeds))}"


def _measure(rows: Mapping[str, Row]) -> Metric:
    """Return the metric that the table is about: the headline of its first row's system."""
    return systems.spec(next(iter(rows.values())).run.system).headline


def _columns(rows: Mapping[str, Row]) -> list[Metric]:
    """Return the further metrics of all systems in the table, each once."""
    columns: dict[str, Metric] = {}
    for name in dict.fromkeys(row.run.system for row in rows.values()):
        for metric in systems.spec(name).metrics[1:]:
            columns.setdefault(metric.key, metric)
    return list(columns.values())


def _samples(line: Line, metric: Metric) -> str:
    """Return the sample count K to show in this column; estimates with different K are not comparable."""
    groups = [record["metrics"].get(metric.name) for record in line.records] if metric.sample_label else []
    counts = {next(reversed(group)) for group in groups if isinstance(group, Mapping) and group}
    return f", {metric.sample_label} = {' or '.join(sorted(counts, key=int))}" if counts else ""


def _values(line: Line, metric: Metric) -> list[float]:
    values = (metric.value(record["metrics"]) for record in line.records)
    return [value for value in values if value is not None]


def _range(values: Sequence[float], digits: int = 2) -> str:
    if not values:
        return ""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _spread(values: Sequence[float]) -> Spread:
    return {
        "mean": statistics.mean(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
        "lowest": min(values),
        "highest": max(values),
        "each": list(values),
    }


def _commit(record: Record) -> str:
    commit = record["provenance"].get("git_commit") or "unknown"
    return commit[:7] + ("+" if commit.endswith("+changes") else "")
