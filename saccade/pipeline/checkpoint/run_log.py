"""What a finished run says of itself: its headline number, its time, the command to repeat it. Torch-free."""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.pipeline.config import CIRCUMSTANCES

HEADLINES = ("error_percent", "bound_nats")
"""Keys of metrics.json that sum up a network, and the paper's numbers' names without `paper_`; the first one counts."""

PLACES = ("--out", *("--" + key.split(".")[1].replace("_", "-") for key in CIRCUMSTANCES))
"""Options of a training, with a value, that say where and how, not what."""

MANNERS = ("--eval", "--no-eval", "--fresh", "--resume", "--tensorboard", "--json")
"""Such options without a value."""

LOG_KEYS = ("step", "steps", "epoch", "seconds", "loss")
"""The numbers that every line of a log has, beside the terms of its loss."""

CURVE = 60
"""Most lines of a learning curve that is kept."""

FOLLOWED = ("classification", "cross_entropy")
"""Terms of a loss that show what is learned, where a system has one; else the whole does."""

CURVE_KEYS = ("step", "epoch", "seconds", "learning_rate", "loss", "terms", "health")


def headline(metrics: Mapping[str, Any], key: str | None = None) -> tuple[str, float] | None:
    """The number that sums up metrics.json and its name ("error_percent", 0.6); None where there is none.

    Of several (the error three ways) it is the first, which is the main one. `key` asks for that one.
    """
    for name in HEADLINES if key is None else (key,):
        value = metrics.get(name)
        if isinstance(value, Mapping):
            value = next(iter(value.values()), None)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return name, float(value)
    return None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run folder's log.jsonl; one that a kill cut off is left out.

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
        with suppress(ValueError):  # a training was killed there
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("terms"), dict) and _numbers(event, LOG_KEYS):
                found.append(event)
    if not found:
        raise InputError("the log.jsonl of a training", f"no report of progress in {path}", "train again")
    return found


def train_seconds(log: Sequence[Mapping[str, Any]]) -> float:
    """Wall time of training, all its parts together: a resumed one counts its seconds from 0 again."""
    parts = [before["seconds"] for before, after in pairwise(log) if after["seconds"] < before["seconds"]]
    return sum(parts) + log[-1]["seconds"]


def command(facts: Mapping[str, Any], *, without: Sequence[str] = ()) -> str:
    """The command that made a run, without places and circumstances: what to type to make it again.

    `without` names further options to leave out, e.g. --seed. Absolute paths keep their last two parts.
    """
    words, kept, skip = [str(word) for word in facts.get("command", [])][1:], ["saccade"], False
    for word in words:
        option = word.split("=", 1)[0]
        if skip:
            skip = False
        elif option in (*PLACES, *without):
            skip = "=" not in word
        elif word not in MANNERS:
            kept.append(str(Path(*Path(word).parts[-2:])) if word.startswith("/") else word)
    return shlex.join(kept)


def moments(log: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """At most `count` lines of a log, at even parts of the training, the last line among them."""
    last = log[-1]["step"]
    found: dict[int, Mapping[str, Any]] = {}
    for i in range(1, count + 1):
        event = next(event for event in log if event["step"] >= last * i / count)
        found.setdefault(event["step"], event)
    return list(found.values())


def learning(log: Sequence[Mapping[str, Any]]) -> tuple[str, list[tuple[float, float]]]:
    """The term to follow, or "loss", and its (epoch, value) in the order of epochs; what was learned twice, after a
    kill, once."""
    terms = [event["terms"] for event in log]
    name = next((name for name in FOLLOWED if all(_numbers(term, [name]) for term in terms)), "loss")
    found = {event["epoch"]: event["loss"] if name == "loss" else event["terms"][name] for event in log}
    return name, sorted(found.items())


def curve(log: Sequence[Mapping[str, Any]]) -> str:
    """The log as JSON lines, thinned to a small text; numbers of five digits."""
    lines = [{key: _short(event[key]) for key in CURVE_KEYS if key in event} for event in moments(log, CURVE)]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _numbers(values: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Whether they all are there, as numbers."""
    return all(isinstance(values.get(key), int | float) for key in keys)


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value
