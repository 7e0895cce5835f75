"""A paper's table as a TOML file: its rows, each a run with the paper's number, and the order they are trained in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from saccade.errors import InputError, closest
from saccade.pipeline import systems
from saccade.pipeline.config import AnyRun
from saccade.pipeline.toml_config import read_facts, read_run


class Row(NamedTuple):
    """A row: its run (of seed 0, unless it says otherwise), the paper's numbers by metric, and the row before it."""

    name: str
    run: AnyRun
    paper: dict[str, float]
    after: str | None


class Task(NamedTuple):
    """A row with one seed, and the run folder it is trained in."""

    row: str
    run: AnyRun
    folder: Path


def read_rows(path: Path | str) -> dict[str, Row]:
    """Read all rows of a TOML file.

    Raises:
        InputError: no readable file, no rows, a row of no system, or one that is no run.
    """
    facts = read_facts(path)
    if not facts:
        raise InputError("a TOML file with a row or more, [rows.NAME]", f"none in {path}", "name an experiments/*.toml")
    rows = {}
    for name, said in facts.items():
        system = said.get("system")
        if not isinstance(system, str) or system not in systems.names():
            found = f"{system!r:.40} for row {name} of {path}"
            raise InputError(
                f"a system: {', '.join(systems.names())}", found, 'write system = "..." at the top, or in the row'
            )
        paper = {key.removeprefix("paper_"): value for key, value in said.items() if key.startswith("paper_")}
        rows[name] = Row(name, read_run(path, system, systems.spec(system), name), paper, said.get("after"))
    return rows


def choose(rows: Mapping[str, Row], names: Sequence[str] | None, path: Path | str) -> list[str]:
    """The rows asked for (all if none is named) and those that must come before them, in the file's order.

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
    """Seeds from "0,1,2".

    Raises:
        InputError: no number, a negative one, or one that comes twice.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words) or len(set(map(int, words))) < len(words):
        raise InputError("different whole numbers, by commas, as in 0,1,2", f"{text!r} for --seeds", "change them")
    return [int(word) for word in words]


def waves(rows: Mapping[str, Row], names: Iterable[str], seeds: Sequence[int], out: Path) -> list[list[Task]]:
    """The tasks, in groups that may be trained at once; each group needs none but those before it."""
    found: dict[int, list[Task]] = {}
    for name in names:
        depth, before = 0, rows[name].after
        while before is not None:
            depth, before = depth + 1, rows[before].after
        found.setdefault(depth, []).extend(task(rows[name], seed, out) for seed in seeds)
    return [found[depth] for depth in sorted(found)]


def task(row: Row, seed: int, out: Path) -> Task:
    """A row with a seed: it begins with the weights that the row before it got with this seed."""
    train = replace(row.run.train, seed=seed)
    if row.after is not None:
        train = replace(train, start_from=str(folder_of(out, row.after, seed)))
    return Task(row.name, replace(row.run, train=train), folder_of(out, row.name, seed))


def folder_of(out: Path, row: str, seed: int) -> Path:
    """The run folder of a row and a seed."""
    return out / f"{row}-seed-{seed}"
