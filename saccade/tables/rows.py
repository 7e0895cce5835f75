"""A paper's table as a TOML file: rows, each a run with the paper's numbers, and the order of their training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from saccade.errors import InputError, closest
from saccade.pipeline import systems
from saccade.pipeline.config import AnyRun
from saccade.pipeline.toml_config import read_facts, read_run

MOST_SEED = 10**12
"""Largest seed of a training."""


class Row(NamedTuple):
    """A row: its run (seed 0 unless set), the paper's numbers by metric, and the row whose weights it begins with."""

    name: str
    run: AnyRun
    paper: dict[str, float]
    after: str | None


class Task(NamedTuple):
    """A row with one seed, and its run folder."""

    row: str
    run: AnyRun
    folder: Path


def read_rows(path: Path | str) -> dict[str, Row]:
    """Read all rows of a TOML file.

    Raises:
        InputError: an unreadable file, no rows, or a row with an unknown system or invalid settings.
    """
    entries = read_facts(path)
    if not entries:
        do = "name an experiments/*.toml"
        raise InputError("a TOML file with at least one row, [rows.NAME]", f"none in {path}", do)
    rows = {}
    for name, entry in entries.items():
        system = entry.get("system")
        if not isinstance(system, str) or system not in systems.names():
            found = f"{system!r:.40} for row {name} of {path}"
            raise InputError(
                f"a system: {', '.join(systems.names())}", found, 'write system = "..." at the top, or in the row'
            )
        paper = {key.removeprefix("paper_"): value for key, value in entry.items() if key.startswith("paper_")}
        rows[name] = Row(name, read_run(path, system, systems.spec(system), name), paper, entry.get("after"))
    return rows


def choose(rows: Mapping[str, Row], names: Sequence[str] | None, path: Path | str) -> list[str]:
    """Return the named rows (all by default) and those whose weights they begin with, in the file's order.

    Raises:
        InputError: an unknown row, or rows that wait for each other.
    """
    for name in names or ():
        if name not in rows:
            near = closest(name, rows)
            do = f"did you mean {near}?" if near else f"name some of {', '.join(rows)}"
            raise InputError(f"rows of {path}", repr(name), do)
    wanted = set(names or rows)
    for name in [name for name in rows if name in wanted]:
        before, seen = rows[name].after, {name}
        while before is not None:
            if before in seen:
                raise InputError(f"rows of {path} in some order", f"{name}, which waits for itself", "change `after`")
            seen.add(before)
            before = rows[before].after
        wanted |= seen
    return [name for name in rows if name in wanted]


def read_seeds(text: str) -> list[int]:
    """Return the seeds in a text such as "0,1,2".

    Raises:
        InputError: a word that is no whole number, a negative number, or a repeated one.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and len(word) < 100 for word in words) or len(set(map(int, words))) < len(words):
        found = f"{text!r} for --seeds"
        raise InputError("different whole numbers separated by commas, as in 0,1,2", found, "change them")
    largest = max(map(int, words))
    if largest > MOST_SEED:
        raise InputError(f"seeds of at most {MOST_SEED}", f"{largest} for --seeds", "change it")
    return [int(word) for word in words]


def waves(rows: Mapping[str, Row], names: Iterable[str], seeds: Sequence[int], out: Path) -> list[list[Task]]:
    """Return the tasks in groups that can be trained in parallel; a group depends only on earlier groups."""
    by_depth: dict[int, list[Task]] = {}
    for name in names:
        depth, before = 0, rows[name].after
        while before is not None:
            depth, before = depth + 1, rows[before].after
        by_depth.setdefault(depth, []).extend(task(rows[name], seed, out) for seed in seeds)
    return [by_depth[depth] for depth in sorted(by_depth)]


def task(row: Row, seed: int, out: Path) -> Task:
    """Return the task of a row and a seed; it begins with the weights of `row.after` and the same seed, if set."""
    train = replace(row.run.train, seed=seed)
    if row.after is not None:
        train = replace(train, start_from=str(folder_of(out, row.after, seed)))
    return Task(row.name, replace(row.run, train=train), folder_of(out, row.name, seed))


def folder_of(out: Path, row: str, seed: int) -> Path:
    """Return the run folder of a row and a seed."""
    return out / f"{row}-seed-{seed}"
