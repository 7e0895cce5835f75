"""A run's log.jsonl: continue it, read it, and take its learning curve. Torch-free."""

import contextlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from saccade.errors import InputError
from saccade.json_types import Record, Values
from saccade.pipeline.checkpoint.atomic_files import MAX_JSON_BYTES, parse_json, unwritable

LOG_KEYS = ("step", "steps", "epoch", "seconds", "loss")
"""Numbers that every line of a log has, besides the terms of its loss."""

CURVE = 60
"""Most lines of a learning curve that is kept."""

CURVE_KEYS = ("step", "epoch", "seconds", "learning_rate", "loss", "terms", "health")


def open_log(path: Path, step: int) -> TextIO:
    """Open a run's log.jsonl, to be continued after `step`.

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
    """Return the step of a line of the log; infinity if it is no whole line."""
    with contextlib.suppress(ValueError):
        step = parse_json(line).get("step") if line.endswith(b"\n") else None
        return step if isinstance(step, int) else math.inf
    return math.inf


def read_log(folder: Path) -> list[Record]:
    """Return the lines of a run folder's log.jsonl; one that a kill cut off is left out.

    Raises:
        InputError: no log, or none that a training wrote.
    """
    path = folder / "log.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the log.jsonl of a training", f"{error} at {path}", "give the folder as it was") from error
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):  # a training was killed there
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("terms"), dict) and _numbers(event, LOG_KEYS):
                found.append(event)
    if not found:
        raise InputError("the log.jsonl of a training", f"no report of progress in {path}", "train again")
    return found


def train_seconds(log: Sequence[Values]) -> float:
    """Return the wall time of a training, all its parts together: a resumed one counts its seconds from 0 again."""
    parts = [before["seconds"] for before, after in pairwise(log) if after["seconds"] < before["seconds"]]
    return sum(parts) + log[-1]["seconds"]


def evenly(log: Sequence[Values], count: int) -> list[Values]:
    """Return at most `count` lines of a log, at even parts of the training, the last line among them."""
    last = log[-1]["step"]
    found: dict[int, Values] = {}
    for i in range(1, count + 1):
        event = next(event for event in log if event["step"] >= last * i / count)
        found.setdefault(event["step"], event)
    return list(found.values())


def learning(log: Sequence[Values], term: str = "loss") -> tuple[str, list[tuple[float, float]]]:
    """Return a learning curve: the term that it shows ("loss", if the log lacks `term`) and its (epoch, value) in the
    order of epochs; what was learned twice, after a kill, stands there once."""
    name = term if all(_numbers(event["terms"], [term]) for event in log) else "loss"
    found = {event["epoch"]: event["loss"] if name == "loss" else event["terms"][name] for event in log}
    return name, sorted(found.items())


def curve(log: Sequence[Values]) -> str:
    """Return the log as JSON lines, thinned to a small text; numbers of five digits."""
    lines = [{key: _short(event[key]) for key in CURVE_KEYS if key in event} for event in evenly(log, CURVE)]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _numbers(values: Values, keys: Sequence[str]) -> bool:
    """Return True if they all are there, as numbers."""
    return all(isinstance(values.get(key), int | float) for key in keys)


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value
