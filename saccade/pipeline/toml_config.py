"""Run configs in TOML: one file for a run, or one file for a paper's table, with a row each.

A file has the tables [data], [model] and [train], whose keys are the fields of the run's dataclasses; what is left out
keeps its default. A row, [rows.NAME], begins with the file's own tables and overrides them in [rows.NAME.model] and so
on; keys that begin with paper_ hold the paper's numbers, which are kept as facts. `system = "baseline"`, in the file or
in a row, names the system; a row of another system than the file's does not inherit [model]. `after = "OTHER"` in a row
begins its training with the weights of the file's row OTHER.
"""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from saccade.errors import InputError, closest, shown
from saccade.json_types import Record
from saccade.pipeline.checkpoint.atomic_files import nested_at_most
from saccade.pipeline.config import TABLES, AnyRun, DataT, ModelT, Run, default_run, override, to_dict
from saccade.pipeline.systems import Spec

MAX_BYTES, MAX_LINE, MAX_DEPTH = 1 << 16, 1000, 8
"""Of a TOML file; Saccade's own are a fortieth as large. The parser's time grows with the square of a line."""

ROW_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")


def read_run(
    path: Path | str, system: str, spec: Spec[DataT, ModelT, Any], row: str | None = None
) -> Run[DataT, ModelT]:
    """Read the run that a TOML file describes; `row` names one of its rows, where it has rows.

    Raises:
        InputError: no readable TOML file; a row that is missing, unknown or another system's; an unknown table or
            key, a wrong type or a value out of range. One line that names the file and the key.
    """
    text, rows = _read(Path(path))
    if rows and row is None:
        raise InputError(f"one of the rows of {path}", "none named", f"add --row with one of {', '.join(rows)}")
    own = _tables(text, f"{path}:")
    chosen = {} if row is None else _tables(_row(path, rows, row), f"{path}: [rows.{row}]")
    if "system" in chosen and chosen["system"] != own.get("system"):
        own.pop("model", None)
    after = chosen.pop("after", None)
    if after is not None and _row(path, rows, after) is not None:
        chosen["train"] = {"start_from": str(row_folder(path, after))} | chosen.get("train", {})
    declared = chosen.pop("system", own.get("system", system))
    own.pop("system", None)
    if declared != system:
        place = f"row {row} of {path}" if row else str(path)
        known = shown(declared).strip("'")
        raise InputError(f"a run of the system {system}", f"{shown(declared)} in {place}", f"use `saccade {known}`")
    run = override(default_run(system, spec), own, lambda table, key: f"{path}: [{table}] {key}".rstrip())
    return override(run, chosen, lambda table, key: f"{path}: [rows.{row}.{table}] {key}".rstrip())


def read_facts(path: Path | str) -> dict[str, Record]:
    """Read for every row of a TOML file what is no setting: its `system`, `after`, and the paper's numbers."""
    text, rows = _read(Path(path))
    inherited = {"system": text["system"]} if "system" in text else {}
    return {name: inherited | {k: v for k, v in row.items() if k not in TABLES} for name, row in rows.items()}


def row_folder(path: Path | str, row: str) -> Path:
    """Return the default run folder of a row: runs/FILE/ROW."""
    return Path("runs", Path(path).stem, row)


def write_run(run: AnyRun) -> str:
    """Return a run as TOML text that `read_run` reads; None, TOML's nothing, is left out."""
    tables = to_dict(run)
    for table in TABLES:
        defaults = {field.name: field.default for field in dataclasses.fields(getattr(run, table))}
        kept = {key: value for key, value in tables[table].items() if value is not None}
        assert all(defaults[key] is None for key in tables[table] if key not in kept), "None must be the default"
        tables[table] = kept
    return tomli_w.dumps(tables)


def _read(path: Path) -> tuple[Record, dict[str, Record]]:
    """Read a file's content outside its rows, and its rows."""
    text = _parsed(path)
    rows = text.pop("rows", {})
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise InputError(f"a table [rows.NAME] for every row of {path}", f"rows = {shown(rows)}", "write it so")
    for name in rows:
        if not ROW_NAME.fullmatch(name):  # a row's name becomes a folder's
            do = "name it by letters, digits, '-', '_', '+' and '.'"
            raise InputError(f"a plain name for every row of {path}", shown(name), do)
    return text, rows


def _parsed(path: Path) -> Record:
    """Parse a TOML file of a size, width and depth for which the parser takes little time and memory."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")  # editors may put a byte-order mark first
        if len(data) > MAX_BYTES or max(map(len, text.split("\n"))) > MAX_LINE:
            raise InputError(f"at most {MAX_BYTES:,} bytes and {MAX_LINE} a line in {path}", "more", "shorten it")
        parsed = tomllib.loads(text)
    except FileNotFoundError:
        raise InputError("a TOML file", f"no file {path}", "check the path") from None
    except IsADirectoryError:
        raise InputError("a TOML file", f"the folder {path}", "name a file in it") from None
    except OSError as error:
        raise InputError("a TOML file", f"{error.strerror or error} at {path}", "make it readable") from None
    except UnicodeDecodeError:
        raise InputError(f"TOML text in {path}", "bytes that are no UTF-8", "save it as UTF-8 text") from None
    except ValueError as error:  # TOMLDecodeError, and what int() says to thousands of digits
        raise InputError(f"TOML in {path}", f"{error!s:.200}", "mend that line") from None
    except RecursionError:
        parsed = None
    if parsed is None or not nested_at_most(MAX_DEPTH, parsed):
        raise InputError(f"tables and lists in {path} nested at most {MAX_DEPTH} deep", "more", "flatten it")
    return parsed


def _tables(text: Record, place: str) -> Record:
    """Return the settings in a file or row: its tables, `system` and `after`, without the paper's numbers."""
    words = ("system", "after") if "[rows." in place else ("system",)
    for key, value in text.items():
        if key == "after" and not isinstance(value, str):
            raise InputError("a name in quotes", f"{place} {key} = {shown(value)}", f'write {key} = "..."')
        if key in TABLES and not isinstance(value, dict):
            raise InputError("a table", f"{place} {key} = {shown(value)}", f"write [{key}] and its keys under it")
        if key not in (*TABLES, *words) and not key.startswith("paper_"):
            known = (*TABLES, *words, "rows")
            near = closest(key, known)
            do = f"did you mean {near}?" if near else "remove it, or begin the name of a paper's number with paper_"
            raise InputError(f"one of {', '.join(known)} or paper_...", f"{place} {key}", do)
    return {key: value for key, value in text.items() if not key.startswith("paper_")}


def _row(path: Path | str, rows: dict[str, Record], name: str) -> Record:
    if name in rows:
        return rows[name]
    near = closest(name, rows)
    do = f"did you mean {near}?" if near else (f"name one of {', '.join(rows)}" if rows else "leave --row out")
    raise InputError(f"a row of {path}", f"{name!r}", do)
