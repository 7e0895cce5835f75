"""A paper's table beside ours: finished runs, collected and grouped by row, as Markdown and JSON.

The JSON keeps every run's settings, facts and metrics, so that a table can be made again, and grow, when the run
folders are gone. Runs that depart from their row's settings stand in lines of their own, the departures named.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from saccade.pipeline.checkpoint.atomic_files import unwritable, write_json, write_whole
from saccade.pipeline.checkpoint.run_log import command, headline
from saccade.tables.records import FORMAT, Record, curve_name, departures, earlier, gather, identity
from saccade.tables.rows import Row

COLUMNS = {
    "one rollout": ("error_percent", "one_rollout"),
    "average of 10": ("error_percent", "averaged"),
    "fixed scan": ("controls", "fixed_scan"),
    "random": ("controls", "random"),
    "centre": ("controls", "centre"),
    "another image's": ("controls", "another_image"),
    "importance-weighted": ("importance_weighted_nats", None),
    "KL": ("kl_nats", None),
}
"""Further numbers of metrics.json that the table shows where a run has them; of a group without a key, the last."""

NOTES = {
    "error_percent": "Test error in percent, one rollout with the policy's mean; beside it other ways to answer, and\n"
    "the same weights made to look elsewhere: by a fixed scan, at random, at the centre, where another image was seen.",
    "bound_nats": "The variational bound on the test images, nats an image, one sample each; beside it the\n"
    "importance-weighted estimate, and the part of the bound that is KL.",
}


class Line(NamedTuple):
    """A line of the table: runs of one row that differ only in their seed, and how they depart from the row."""

    row: Row
    departures: tuple[str, ...]
    records: list[Record]


def check(results: Path, file: Path, rows: Mapping[str, Row]) -> None:
    """That the tables in a folder can be added to: to be asked before hours of training.

    Raises:
        InputError: another version's JSON is there.
    """
    _lines(rows, _kept(results, file))


def write_tables(out: Path, results: Path, file: Path, rows: Mapping[str, Row]) -> tuple[list[str], list[str]]:
    """Collect the finished runs of `out` into NAME.md and NAME.json in `results`, and their curves in curves/NAME/.

    What the JSON held before, and is not among them, stays. The files written, and what could not be used, and why.

    Raises:
        InputError: another version's JSON is there; a folder that cannot be written to.
    """
    gathered, odd = gather(out, rows, file)
    new = [record | {"curve": f"curves/{file.stem}/{curve_name(record)}"} for record, _ in gathered]
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
    for record, (_, learned) in zip(new, gathered, strict=True):
        wrote.append(results / record["curve"])
        write_whole(wrote[-1], learned.encode())
    return [str(path) for path in wrote], odd


def _kept(results: Path, file: Path) -> list[Record]:
    path = results / f"{file.stem}.json"
    return earlier(path) if path.exists() else []


def _lines(rows: Mapping[str, Row], records: Iterable[Record]) -> list[Line]:
    """The lines of records that still have their row."""
    return group(rows, [r for r in records if r["row"] in rows and r["system"] == rows[r["row"]].run.system])


def group(rows: Mapping[str, Row], records: Iterable[Record]) -> list[Line]:
    """The lines of a table in its rows' order, the row's own settings first; a row without runs has a line too."""
    found: dict[tuple[str, tuple[str, ...]], list[Record]] = {(name, ()): [] for name in rows}
    for record in records:
        found.setdefault((record["row"], departures(record, rows[record["row"]])), []).append(record)
    order = list(rows)
    keys = sorted(found, key=lambda key: (order.index(key[0]), key[1] != ()))
    lines = [Line(rows[name], said, found[name, said]) for name, said in keys]
    return [line for line in lines if line.records or not line.departures]


def markdown(file: Path, rows: Mapping[str, Row], lines: Sequence[Line]) -> str:
    """The table as Markdown: the paper's number beside ours, mean (and range) over the seeds."""
    measure = _measure(rows)
    known = [name for name in COLUMNS if any(_values(line, name) for line in lines)]
    head = ["row", "paper", "measured", *known, "seeds", "epochs", "minutes", "parameters", "commit", "made by"]
    body = [_cells(line, measure, known, file) for line in lines]
    text = [f"# {file.stem}", "", NOTES.get(measure, measure), ""]
    text += ["Mean (and range) over the seeds. Minutes are wall time of training, whatever else the machine did.", ""]
    table = [head, ["---"] * len(head), *body]
    return "\n".join(text + ["| " + " | ".join(cells) + " |" for cells in table]) + "\n"


def _cells(line: Line, measure: str, known: Sequence[str], file: Path) -> list[str]:
    row, records = line.row, line.records
    name = row.name + (f" ({'; '.join(line.departures)})" if line.departures else "")
    ours = [found[1] for record in records if (found := headline(record["metrics"], measure))]
    commits = sorted({_commit(record) for record in records})
    seeds = ", ".join(str(record["train"]["seed"]) for record in records)
    epochs = str(records[0]["train"]["epochs"] if records else row.run.train.epochs)
    minutes = [record["train_seconds"] / 60 for record in records]
    parameters = f"{records[0]['metrics']['parameters']:,}" if records else ""
    paper = f"{row.paper[measure]:.2f}" if measure in row.paper else ""
    others = [_range(_values(line, column)) + _samples(line, column) for column in known]
    made = f"`{_made_by(line, file)}`"
    tail = [seeds, epochs, _range(minutes, 1), parameters, ", ".join(commits), made]
    return [name, paper, _range(ours) or "not trained", *others, *tail]


def _summary(line: Line, file: Path) -> dict[str, Any]:
    """A line as JSON: the paper's number, and of each of ours the mean, deviation, range and every seed's."""
    numbers = {}
    for key in line.row.paper or ("error_percent", "bound_nats"):
        values = [found[1] for record in line.records if (found := headline(record["metrics"], key))]
        numbers |= {key: _spread(values)} if values else {}
    numbers |= {name: _spread(values) for name in COLUMNS if (values := _values(line, name))}
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
    """The command that makes a line: this one's, or where settings were overridden, the training's own."""
    if line.departures:
        return command(line.records[0]["facts"], without=("--seed",))
    seeds = sorted(record["train"]["seed"] for record in line.records) or [0, 1, 2]
    place = file if not file.is_absolute() else Path(*file.parts[-2:])
    return f"saccade reproduce {place} --rows {line.row.name} --seeds {','.join(map(str, seeds))}"


def _measure(rows: Mapping[str, Row]) -> str:
    """The metric that the paper's table is about."""
    return next((key for row in rows.values() for key in row.paper), "error_percent")


def _samples(line: Line, column: str) -> str:
    """The K of which a column of a group without a key tells: an estimate by more samples is another number."""
    name, key = COLUMNS[column]
    groups = [] if key else [record["metrics"].get(name) for record in line.records]
    counts = {next(reversed(group)) for group in groups if isinstance(group, Mapping) and group}
    return f", K = {' or '.join(sorted(counts, key=int))}" if counts else ""


def _values(line: Line, column: str) -> list[float]:
    name, key = COLUMNS[column]
    found = []
    for record in line.records:
        value = record["metrics"].get(name)
        if isinstance(value, Mapping):
            value = value.get(key) if key else next(reversed(list(value.values())), None)
        if isinstance(value, int | float):
            found.append(float(value))
    return found


def _range(values: Sequence[float], digits: int = 2) -> str:
    if not values:
        return ""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _spread(values: Sequence[float]) -> dict[str, Any]:
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.mean(values), "deviation": deviation, "lowest": min(values), "highest": max(values)} | {
        "each": list(values)
    }


def _commit(record: Record) -> str:
    commit = record["facts"].get("git_commit") or "unknown"
    return commit[:7] + ("+" if commit.endswith("+changes") else "")
