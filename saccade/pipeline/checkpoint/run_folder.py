"""A run folder: run.json says what was trained, on what and by which versions; checkpoints and results lie next to it.

Format 2 has the keys format, system, data, model, train, facts (of the data) and provenance (versions, commit, command,
time). Format 1, of the networks trained before it, has shape and classes in place of facts, and its facts are the
provenance; it is read as format 2. This module is the only reader of run.json.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import ValidationError

from saccade.errors import InputError, shown
from saccade.json_types import Record
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import lock, read_json, unwritable, write_json
from saccade.pipeline.checkpoint.locate import WEIGHTS, find
from saccade.pipeline.config import TABLES, AnyRun, complaint, differences, from_dict, plain, to_dict, tuples
from saccade.pipeline.provenance import Provenance, provenance

FORMAT = 2
"""The layout of run.json; raised when an older Saccade could not read it."""

KEYS = ("format", "system", *TABLES, "facts", "provenance")
KEYS_OF_FORMAT_1 = ("format", "system", *TABLES, "shape", "classes", "facts")
REMOVED_BY_FRESH = ("checkpoint-*.safetensors", "bad-batch-*.safetensors", "metrics.json", "log.jsonl")
"""Files that `create(fresh=True)` removes, since they would be taken for the new run's; pictures stay."""


RESTORE = "give the file as it was written"


class RunFolder(NamedTuple):
    """An opened run: its settings, the facts of its data, and its provenance (versions, git commit, command, time)."""

    path: Path
    run: AnyRun
    facts: systems.Facts
    provenance: Provenance


def create(path: Path | str, run: AnyRun, facts: systems.Facts, *, fresh: bool = False) -> RunFolder:
    """Begin a run in a new or empty folder, or come back to the same run in its own; call it before taking `lock`.

    A folder in which a run was begun, but nothing was learned (no checkpoint), is free for any run.

    Args:
        fresh: start again in a folder that holds a run of this system: its checkpoints, log and metrics are removed.

    Raises:
        InputError: the folder holds something else, another run's settings, another system's run, or is in use by
            another process.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_dir():
            raise InputError("a folder to train into", f"a file at {path}", "give another --out")
        known = (path / "run.json").exists()
        if path.exists() and not known and any(not item.name.startswith(".") for item in path.iterdir()):
            raise InputError("a new or empty folder, or a run folder", f"other files in {path}", "give another --out")
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    with lock(path):
        if (path / "run.json").exists():
            trained = holds_weights(path)
            if trained and not fresh:
                return _resumed(open_run(path), run, facts)
            _remove_old(path, run.system if trained else None)
        folder = RunFolder(path, run, facts, provenance())
        write_json(path / "run.json", _written(folder))
        return folder


def open_run(path: Path | str, system: str | None = None) -> RunFolder:
    """Open the run in a folder, or a shipped one by its name; its `path` is where it was found.

    Args:
        system: the system that it must be of; None: any.

    Raises:
        InputError: no run folder, or a run.json that is damaged, of another format, or of an unknown system or setting.
    """
    path = find(path)
    if not os.path.exists(path / "run.json"):
        found = f"no run.json in {path}" if os.path.isdir(path) else f"no folder {str(path)[:80]}"
        do = "give the folder that a training wrote (its --out), or a name that `saccade models` lists"
        raise InputError("a run folder", found, do)
    source, data = str(path / "run.json"), read_record(path)
    try:
        spec = systems.spec(data["system"]) if isinstance(data["system"], str) else None
    except InputError:
        spec = None
    if spec is None:
        found = f"{shown(data['system'], 40)} in {source}"
        raise InputError(f"a system of this Saccade: {', '.join(systems.names())}", found, "install the one it needs")
    if system not in (None, data["system"]):
        found = data["system"]
        raise InputError(f"a run of the system {system}", f"one of {found} in {path}", f"use `saccade {found}`")
    run = from_dict({key: data[key] for key in ("system", *TABLES)}, spec, source)
    return RunFolder(path, run, _facts(data["facts"], spec.facts, source), _table(data["provenance"], source))


def read_record(folder: Path) -> Record:
    """Read a folder's run.json as a dict of format 2, whatever its format; its values are not checked.

    Raises:
        InputError: missing, damaged, of another format, or with other keys.
    """
    source = str(folder / "run.json")
    data = read_json(folder / "run.json", "the run.json of a run folder")
    found = upgrade(data, source)
    keys = KEYS if data["format"] == FORMAT else KEYS_OF_FORMAT_1
    for key in data.keys() - set(keys):
        raise InputError(f"the keys {', '.join(keys)} in {source}", f"the unknown key {shown(key, 40)}", RESTORE)
    return found


def upgrade(data: Record, source: str) -> Record:
    """Return the content of a run.json in format 2; further keys, which a table's records have, stay.

    Raises:
        InputError: another format, or keys missing; `source` names the file in the error.
    """
    keys = {1: KEYS_OF_FORMAT_1, 2: KEYS}.get(data.get("format", 0) if type(data.get("format")) is int else 0)
    if keys is None:
        found = shown(data.get("format"), 40)
        raise InputError(f"format 1 or {FORMAT} in {source}", found, "use the Saccade that wrote it")
    for key in keys:
        if key not in data:
            found = f"no {shown(key, 40)}"
            raise InputError(f"the keys {', '.join(keys)} in {source}", found, RESTORE)
    if keys is KEYS:
        return data
    kept = {key: value for key, value in data.items() if key not in ("shape", "classes", "facts")}
    shape, classes = data["shape"], data["classes"]
    if not isinstance(shape, dict) or not isinstance(classes, list) or shape.get("classes") != len(classes):
        raise InputError(f"a shape and its classes in {source}", shown(shape), "restore the file")
    facts = {key: value for key, value in shape.items() if key != "classes"} | {"classes": classes}
    return kept | {"format": FORMAT, "facts": facts, "provenance": data["facts"]}


def _resumed(folder: RunFolder, run: AnyRun, facts: systems.Facts) -> RunFolder:
    """Return the run that is there, with the new circumstances (threads, data folder), if it is the same run."""
    changed = differences(folder.run, run)
    changed += [f"the data's {difference}" for difference in folder.facts.differences(facts)]
    if changed:
        do = "give the same settings to resume, --fresh to start again, or another --out"
        raise InputError(f"the settings of the run in {folder.path}", "; ".join(changed), do)
    return folder._replace(run=run)


def holds_weights(path: Path) -> bool:
    """Return True if a folder holds a checkpoint, whole or not, or the weights of a shipped network."""
    return any(path.glob("checkpoint-*.safetensors")) or (path / WEIGHTS).exists()


def _remove_old(path: Path, system: str | None) -> None:
    """Make room for a new run, in a folder whose run.json is Saccade's, of whatever version and settings.

    Raises:
        InputError: another program's folder, or a run of another system than `system` (None: any).
    """
    data = read_json(path / "run.json", "the run.json of a run folder")
    if not {"format", "system"} <= data.keys():
        raise InputError("a run folder to start again in", f"another program's {path}/run.json", "give another --out")
    old = sorted(file for pattern in REMOVED_BY_FRESH for file in path.glob(pattern))
    if system is not None and data["system"] != system:
        names = ", ".join(file.name for file in old)
        found = f"a run of the system {shown(data['system'], 40)}, of which --fresh would remove {names}"
        raise InputError(f"a run folder of the system {system} in {path}", found, "give another --out")
    try:
        for file in old:
            file.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def _written(folder: RunFolder) -> Record:
    facts = plain(dataclasses.asdict(folder.facts))
    return {"format": FORMAT, **to_dict(folder.run), "facts": facts, "provenance": folder.provenance}


def _facts(data: object, kind: type[systems.Facts], source: str) -> systems.Facts:
    """Check the facts of a stranger's run.json; those that older runs lack may be missing."""
    names = [field.name for field in dataclasses.fields(kind)]
    if not isinstance(data, Mapping) or not set(names) - kind.added <= set(data) <= set(names):
        raise InputError(f"{', '.join(names)} as the facts in {source}", shown(data), "restore the file")
    try:
        return kind(**tuples(dict(data)))
    except ValidationError as error:
        raise complaint(error, dict(data), lambda key: f"{source}: facts.{key}") from None


def _table(data: object, source: str) -> Provenance:
    if isinstance(data, dict):
        return cast(Provenance, data)
    raise InputError(f"a table of provenance in {source}", shown(data), "restore the file")
