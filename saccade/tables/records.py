"""Finished runs as records for a paper's table: the row of each, and how its settings differ from the row's.

A record is the run's run.json with `row`, `metrics` and `train_seconds` added. It has all that a table needs when the
run folder has been deleted. The learning curve is returned with it as text.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict, cast

from saccade.errors import InputError
from saccade.json_types import Json
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import read_json
from saccade.pipeline.checkpoint.run_folder import read_record, upgrade
from saccade.pipeline.checkpoint.run_log import curve, read_log, train_seconds
from saccade.pipeline.config import CIRCUMSTANCES, TABLES, AnyRun, differences, from_dict
from saccade.pipeline.provenance import Provenance, command
from saccade.tables.rows import Row

FORMAT = 1
"""Format of a table's JSON; raised when an older Saccade could not read it."""

OWN = ("data.data_dir", "train.seed", "train.start_from")
"""Settings that may differ between the runs of one row."""


class TrainTable(TypedDict):
    """The training settings of a record; it has the other settings too."""

    seed: int
    epochs: int
    start_from: str | None


class Record(TypedDict):
    """A finished and measured run: the content of run.json, and what a table needs of the other files."""

    format: int
    system: str
    data: dict[str, Json]
    model: dict[str, Json]
    train: TrainTable
    facts: dict[str, Json]
    provenance: Provenance
    row: str
    metrics: dict[str, Json]
    train_seconds: float
    curve: NotRequired[str]


class Gathered(NamedTuple):
    """The runs of a folder that belong to a table."""

    records: list[tuple[Record, str]]
    """Each record with its learning curve."""
    left_out: list[str]
    """Why a run cannot be used, one line each."""


def gather(out: Path, rows: Mapping[str, Row], file: Path) -> Gathered:
    """Return the finished and measured runs directly below a folder that belong to a table."""
    gathered = Gathered([], [])
    for folder in sorted(path.parent for path in out.glob("*/metrics.json")):
        try:
            record, curve_lines = _record(folder)
            row = row_of(record, rows, file, folder.name)
        except InputError as error:
            gathered.left_out.append(str(error))
            continue
        if row is not None:
            gathered.records.append((cast(Record, {"row": row, **record}), curve_lines))
    return gathered


def curve_name(record: Record) -> str:
    """Return the file name of a record's curve, which has a hash of the settings in it."""
    excluded = {*OWN, *CIRCUMSTANCES}
    tables = {"data": record["data"], "model": record["model"], "train": record["train"]}
    flat = {f"{table}.{key}": value for table, values in tables.items() for key, value in values.items()}
    settings = json.dumps({key: value for key, value in flat.items() if key not in excluded}, sort_keys=True)
    mark = hashlib.sha256(settings.encode()).hexdigest()[:6]
    epochs, seed = record["train"]["epochs"], record["train"]["seed"]
    return f"{record['row']}-{epochs}-epochs-{mark}-seed-{seed}.jsonl"


def row_of(record: Mapping[str, object], rows: Mapping[str, Row], file: Path, name: str) -> str | None:
    """Return the row that a run belongs to, or None.

    A run belongs to the row whose settings it has; else to the row that its command or its folder names.
    """
    same_system = [row for row in rows.values() if row.run.system == record["system"]]
    for row in same_system:
        if not departures(record, row):
            return row.name
    words = [str(word) for word in cast(Provenance, record["provenance"]).get("command", [])]
    if "--config" in words and "--row" in words:
        config, named = (words[words.index(option) + 1 :][:1] for option in ("--config", "--row"))
        if config and named and Path(config[0]).name == file.name:
            return next((row.name for row in same_system if row.name == named[0]), None)
    if any(Path(word).name == file.name for word in words):
        return next((row.name for row in same_system if name.rpartition("-seed-")[0] == row.name), None)
    return None


def departures(record: Mapping[str, object], row: Row) -> tuple[str, ...]:
    """Return how a run's settings differ from its row's, seed and paths excluded: ("train.epochs 40, not 60",).

    Raises:
        InputError: the run of another version.
    """
    tables = {key: record.get(key) for key in ("system", *TABLES)}
    run: AnyRun = from_dict(tables, systems.spec(row.run.system), "the results")
    parts = [re.fullmatch("(.+?): (.*), now (.*)", difference) for difference in differences(row.run, run)]
    return tuple(f"{part[1]} {part[3]}, not {part[2]}" for part in parts if part and part[1] not in OWN)


def earlier(path: Path) -> list[Record]:
    """Return the records in the JSON of an earlier table.

    Raises:
        InputError: the file is no table, or another version's.
    """
    data = read_json(path, "the results of `saccade reproduce`")
    if data.get("format") != FORMAT or not isinstance(data.get("runs"), list):
        found = f"format {data.get('format')!r:.40} in {path}"
        do = "give another --results, or use the Saccade version that wrote them"
        raise InputError(f"results of format {FORMAT}", found, do)
    return [cast(Record, upgrade(record, str(path))) for record in data["runs"]]


def identity(record: Record, rows: Mapping[str, Row]) -> tuple[object, ...]:
    """Return a key that is equal for two records of the same run: row, seed, and departures from the row."""
    row = rows.get(record["row"])
    if row is None or row.run.system != record["system"]:  # the file no longer has this row
        return record["row"], json.dumps([record[table] for table in TABLES], sort_keys=True)
    return record["row"], record["train"]["seed"], departures(record, row)


def _record(folder: Path) -> tuple[Record, str]:
    """Return the record of a run folder, without the paths of the machine, and its learning curve."""
    run, metrics = read_record(folder), read_json(folder / "metrics.json", "the metrics.json of a run")
    log = read_log(folder)
    last, steps = log[-1]["step"], log[-1]["steps"]
    if last != steps or metrics.get("step", steps) != steps:
        found = f"step {last}, measured at {metrics.get('step', 'an unknown step')}"
        do = "repeat the command to train and measure it to the end"
        raise InputError(f"a finished run of {steps} steps in {folder}", found, do)
    start = run["train"].get("start_from")
    cleaned = {
        "data": run["data"] | ({"data_dir": None} if "data_dir" in run["data"] else {}),
        "train": run["train"] | {"start_from": start and Path(start).name},
        "provenance": run["provenance"] | {"command": shlex.split(command(run["provenance"]))},
    }
    record = run | cleaned | {"metrics": metrics, "train_seconds": train_seconds(log)}
    return cast(Record, record), curve(log)
