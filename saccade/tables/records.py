"""Finished runs as records, for a paper's table: which row each belongs to, and how it departs from it.

A record is a run folder's run.json with `row`, `metrics` and `train_seconds`, all that a table needs when the folder
is gone; its learning curve comes with it as text.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import read_json
from saccade.pipeline.checkpoint.run_folder import read_record, upgrade
from saccade.pipeline.checkpoint.run_log import curve, read_log, train_seconds
from saccade.pipeline.config import CIRCUMSTANCES, TABLES, AnyRun, differences, from_dict
from saccade.pipeline.provenance import command
from saccade.tables.rows import Row

FORMAT = 1
"""The layout of a table's JSON; raised when an older Saccade could not read it."""

OWN = ("data.data_dir", "train.seed", "train.start_from")
"""Settings that differ among the runs of one row."""

Record = dict[str, Any]


def gather(out: Path, rows: Mapping[str, Row], file: Path) -> tuple[list[tuple[Record, str]], list[str]]:
    """The records, and their curves, of the finished and measured runs right below a folder that belong to a table; and
    what was odd."""
    found, odd = [], []
    for folder in sorted(path.parent for path in out.glob("*/metrics.json")):
        try:
            record, learned = _record(folder)
            row = row_of(record, rows, file, folder.name)
        except InputError as error:
            odd.append(str(error))
            continue
        if row is not None:
            found.append(({"row": row} | record, learned))
    return found, odd


def curve_name(record: Record) -> str:
    """The file of a record's curve: another one for other settings, whatever the row's are by then."""
    own = {*OWN, *CIRCUMSTANCES}
    told = {f"{table}.{key}": value for table in TABLES for key, value in record[table].items()}
    settings = json.dumps({key: value for key, value in told.items() if key not in own}, sort_keys=True)
    mark = hashlib.sha256(settings.encode()).hexdigest()[:6]
    return f"{record['row']}-{record['train']['epochs']}-epochs-{mark}-seed-{record['train']['seed']}.jsonl"


def row_of(record: Mapping[str, Any], rows: Mapping[str, Row], file: Path, name: str) -> str | None:
    """The row that a run belongs to: by its settings, else by its folder's or its command's word; None for none."""
    same_system = [row for row in rows.values() if row.run.system == record["system"]]
    for row in same_system:
        if not departures(record, row):
            return row.name
    words = [str(word) for word in record["provenance"].get("command", [])]
    if "--config" in words and "--row" in words:
        config, said = (words[words.index(option) + 1 :][:1] for option in ("--config", "--row"))
        if config and said and Path(config[0]).name == file.name:
            return next((row.name for row in same_system if row.name == said[0]), None)
    if any(Path(word).name == file.name for word in words):
        return next((row.name for row in same_system if name.rpartition("-seed-")[0] == row.name), None)
    return None


def departures(record: Mapping[str, Any], row: Row) -> tuple[str, ...]:
    """How a run's settings depart from its row's, seed and places aside: ("train.epochs 40, not 60",).

    Raises:
        InputError: another version's run.
    """
    tables = {key: record.get(key) for key in ("system", *TABLES)}
    run: AnyRun = from_dict(tables, systems.spec(row.run.system), "the results")
    parts = [re.fullmatch("(.+?): (.*), now (.*)", said) for said in differences(row.run, run)]
    return tuple(f"{part[1]} {part[3]}, not {part[2]}" for part in parts if part and part[1] not in OWN)


def earlier(path: Path) -> list[Record]:
    """The records that an earlier table holds.

    Raises:
        InputError: another version's table, or none.
    """
    data = read_json(path, "the results of `saccade reproduce`")
    if data.get("format") != FORMAT or not isinstance(data.get("runs"), list):
        found = f"format {data.get('format')!r:.40} in {path}"
        raise InputError(
            f"results of format {FORMAT}", found, "give another --results, or use the Saccade that wrote them"
        )
    return [upgrade(record, str(path)) for record in data["runs"]]


def identity(record: Record, rows: Mapping[str, Row]) -> tuple[Any, ...]:
    """What makes two records the same run: row, seed, and how it departs from the row."""
    row = rows.get(record["row"])
    if row is None or row.run.system != record["system"]:  # a row that the file no longer has
        return record["row"], json.dumps([record[table] for table in TABLES], sort_keys=True)
    return record["row"], record["train"]["seed"], departures(record, row)


def _record(folder: Path) -> tuple[Record, str]:
    run, metrics = read_record(folder), read_json(folder / "metrics.json", "the metrics.json of a run")
    log = read_log(folder)
    last, steps = log[-1]["step"], log[-1]["steps"]
    if last != steps or metrics.get("step", steps) != steps:
        found = f"step {last}, measured at {metrics.get('step', 'an unknown one')}"
        do = "train and measure it to the end: the same command goes on"
        raise InputError(f"a finished run of {steps} steps in {folder}", found, do)
    start = run["train"].get("start_from")
    cleaned = {
        "data": run["data"] | ({"data_dir": None} if "data_dir" in run["data"] else {}),
        "train": run["train"] | {"start_from": start and Path(start).name},
        "provenance": run["provenance"] | {"command": shlex.split(command(run["provenance"]))},
    }
    return run | cleaned | {"metrics": metrics, "train_seconds": train_seconds(log)}, curve(log)
