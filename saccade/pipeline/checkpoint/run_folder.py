"""A run folder: `run.json` says what was trained, on what and by which versions; checkpoints and results lie beside."""

import contextlib
import dataclasses
import importlib
import io
import math
import os
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from saccade.errors import InputError, shown
from saccade.pipeline.checkpoint.atomic_files import MAX_JSON_BYTES, lock, parse_json, read_json, unwritable, write_json
from saccade.pipeline.config import TABLES, Run, differences, from_dict, to_dict
from saccade.pipeline.contract import Shape
from saccade.pipeline.provenance import facts
from saccade.shipped.catalogue import find

FORMAT = 1
"""The layout of run.json; raised when an older Saccade could not read it."""

KEYS = ("format", "system", *TABLES, "shape", "classes", "facts")
BEGUN_ANEW = ("checkpoint-*.safetensors", "bad-batch-*.safetensors", "metrics.json", "log.jsonl")
"""What `create(fresh=True)` removes: files that would be taken for the new run's; pictures stay."""


LARGEST = Shape(channels=4, height=4096, width=4096, classes=100_000)
"""The largest images and number of classes that a run.json may claim."""


class RunFolder(NamedTuple):
    """An opened run: its settings, the data's shape and class names, facts (versions, git commit, command, time)."""

    path: Path
    run: Run[Any]
    shape: Shape
    classes: tuple[str, ...]
    facts: dict[str, Any]


def create(
    path: Path | str, run: Run[Any], shape: Shape, classes: tuple[str, ...], *, fresh: bool = False
) -> RunFolder:
    """Begin a run in a new or empty folder, or come back to the same run in its own; call it before taking `lock`.

    `fresh` begins anew in a folder that holds a run: its checkpoints, log and metrics are removed.

    Raises:
        InputError: the folder holds something else, another run's settings, or is in use by another process.
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
            if not fresh:
                return _resumed(open_run(path), run, shape, classes)
            _remove_old(path)
        folder = RunFolder(path, run, shape, tuple(classes), facts())
        write_json(path / "run.json", _written(folder))
        return folder


def open_log(path: Path, step: int) -> TextIO:
    """A run's log.jsonl, to be continued after `step`.

    Lines of later steps, which will come again, and a line that a kill cut short are removed.

    Raises:
        InputError: the file cannot be written to, or is a link, which would lead out of the folder.
    """
    name = path / "log.jsonl"
    try:
        file = os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")
        while (line := file.readline(MAX_JSON_BYTES)) and _logged(line) <= step:
            pass
        file.seek(-len(line), os.SEEK_CUR)
        file.truncate()
    except OSError as error:
        raise unwritable(name, error) from error
    return io.TextIOWrapper(file, encoding="utf-8", line_buffering=True)


def _logged(line: bytes) -> float:
    """The step of a line of the log; infinity for what is no whole line."""
    with contextlib.suppress(ValueError):
        step = parse_json(line).get("step") if line.endswith(b"\n") else None
        return step if isinstance(step, int) else math.inf
    return math.inf


def open_run(path: Path | str) -> RunFolder:
    """The run in a folder, or a shipped one by its name (`recurrent.shipped`); its `path` is where it was found.

    Raises:
        InputError: no run folder, or a run.json that is damaged, of another format, or of an unknown system or setting.
    """
    path = find(path)
    if not (path / "run.json").exists():
        found = f"no run.json in {path}" if path.is_dir() else f"no folder {path}"
        do = "give the folder that a training wrote (its --out), or a name that `saccade models` lists"
        raise InputError("a run folder", found, do)
    source = str(path / "run.json")
    data = read_json(path / "run.json", "the run.json of a run folder")
    if data.get("format") != FORMAT:
        raise InputError(f"format {FORMAT} in {source}", shown(data.get("format"), 40), "use the Saccade that wrote it")
    for key in sorted(data.keys() ^ set(KEYS)):
        found = f"{'no' if key in KEYS else 'the unknown key'} {shown(key, 40)}"
        raise InputError(f"the keys {', '.join(KEYS)} in {source}", found, "give the file as it was written")
    run = from_dict({key: data[key] for key in ("system", *TABLES)}, _config(data["system"], source), source)
    return RunFolder(path, run, _shape(data["shape"], source), _classes(data, source), _table(data["facts"], source))


def _resumed(folder: RunFolder, run: Run[Any], shape: Shape, classes: tuple[str, ...]) -> RunFolder:
    """The run that is there, with the new circumstances (threads, data folder), if it is the same run."""
    changed = differences(folder.run, run)
    for name, old, new in (("shape", folder.shape, shape), ("classes", folder.classes, tuple(classes))):
        if old != new:
            changed.append(f"the data's {name}: {tuple(old)}, now {tuple(new)}")
    if changed:
        do = "give the same settings to resume, --fresh to begin anew, or another --out"
        raise InputError(f"the settings of the run in {folder.path}", "; ".join(changed), do)
    return folder._replace(run=run)


def _remove_old(path: Path) -> None:
    """Make room for a new run, in a folder whose run.json is Saccade's, of whatever version and settings."""
    data = read_json(path / "run.json", "the run.json of a run folder")
    if not {"format", "system"} <= data.keys():
        raise InputError("a run folder to begin anew in", f"another program's {path}/run.json", "give another --out")
    try:
        for pattern in BEGUN_ANEW:
            for file in path.glob(pattern):
                file.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def _written(folder: RunFolder) -> dict[str, Any]:
    tables = to_dict(folder.run)
    shape, classes = folder.shape._asdict(), list(folder.classes)
    return {"format": FORMAT, **tables, "shape": shape, "classes": classes, "facts": folder.facts}


def _config(system: Any, source: str) -> type[Any]:
    """A system's Config. The name is a stranger's, so nothing is imported but a package that lies beside this one."""
    beside = Path(__file__).parents[2]
    if isinstance(system, str) and system.isidentifier() and (beside / system / "system.py").is_file():
        with contextlib.suppress(ModuleNotFoundError):
            config = getattr(importlib.import_module(f"saccade.{system}.config"), "Config", None)
            if isinstance(config, type) and dataclasses.is_dataclass(config):
                return config
    raise InputError(
        "a system of this Saccade", f"{shown(system, 40)} in {source}", "give a run of a system that it has"
    )


def _shape(data: Any, source: str) -> Shape:
    whole = isinstance(data, dict) and list(data) == list(Shape._fields)
    if whole and all(type(data[name]) is int and 1 <= data[name] <= most for name, most in LARGEST._asdict().items()):
        return Shape(**data)
    raise InputError(f"{', '.join(Shape._fields)} as the shape in {source}", shown(data), "restore the file")


def _classes(data: dict[str, Any], source: str) -> tuple[str, ...]:
    names, count = data["classes"], data["shape"]["classes"]
    if isinstance(names, list) and len(names) == count and all(isinstance(n, str) and n.isprintable() for n in names):
        return tuple(names)
    raise InputError(f"{count} class names in {source}, all printable", shown(names), "restore the file")


def _table(data: Any, source: str) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    raise InputError(f"a table of facts in {source}", shown(data), "restore the file")
