"""The model card of a shipped network: Markdown made from the files of its training and evaluation. Torch-free."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple

import tomli_w

from saccade.json_types import Record, Values
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.run_log import evenly
from saccade.pipeline.config import TABLES, tuples

CURVE_ROWS = 8
"""Rows of the card's table of the training."""

WORST = 3
"""Number of classes, and of confusions, that the card names."""


class Card(NamedTuple):
    """The content of a model card."""

    name: str
    run: Values
    """The content of run.json; its provenance has the commands of the runs that the weights come from."""
    metrics: Values
    """The content of metrics.json."""
    log: list[Record]
    """The lines of the training log."""
    weight_bytes: int
    """Size of the weights."""
    number_format: str
    """Number format in which the weights are stored."""
    bad_at: tuple[str, ...]
    """Known weaknesses that the metrics do not show."""


def write_card(card: Card) -> str:
    """Return the card as Markdown."""
    parts = [f"# {card.name}", card.run["provenance"]["about"], _summary(card), _commands(card)]
    parts += [
        _measured(card.metrics, systems.spec(card.run["system"]).unit),
        _training(card),
        _weak_points(card),
        _settings(card.run),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(card: Card) -> str:
    run, made, train = card.run, card.run["provenance"], card.run["train"]
    spec = systems.spec(run["system"])
    defaults = asdict(spec.data)
    data = {key: value for key, value in run["data"].items() if key == "dataset" or value != defaults.get(key)}
    batch = f"{train['batch_size']} {spec.unit}"
    minutes, steps = made["train_seconds"] / 60, made["steps"]
    weights = "averaged weights" if train["ema"] else "weights"
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    rows = {
        "network": f"{run['system']}, {card.metrics['parameters']:,} parameters",
        "file": f"weights.safetensors, {card.weight_bytes / 1e6:.1f} MB: {weights}, {card.number_format}, no optimizer",
        **spec.facts(**tuples(run["facts"])).describe(),
        "data": ", ".join(f"{key} {value}" for key, value in data.items()),
        "seed": str(train["seed"]),
        "training": f"{train['epochs']} epochs, {steps:,} steps of {batch}, {minutes:.0f} minutes",
        "commit": made.get("git_commit") or "unknown",
        "versions": versions,
    }
    return _table(("", ""), list(rows.items()))


def _commands(card: Card) -> str:
    made = card.run["provenance"]
    commands = [*reversed(made["ancestors"]), shlex.join(made["command"])]
    also = "\n\nEach gives the weights that the next one begins with." if made["ancestors"] else ""
    return "## Made by\n\n```\n" + "\n".join(commands) + "\n```" + also


def _measured(metrics: Values, unit: str) -> str:
    """Return a table of all numbers in metrics.json except matrices; a group's numbers are under its name."""
    rows = []
    for name, value in metrics.items():
        words = name.replace("_", " ")
        if isinstance(value, Mapping):
            rows += [(f"{words}: {str(key).replace('_', ' ')}", _number(cell)) for key, cell in value.items()]
        elif isinstance(value, list) and value and isinstance(value[0], int | float):
            rows.append((words, " ".join(map(_number, value))))
        elif isinstance(value, int | float):
            rows.append((words, _number(value)))
    where = f"{metrics['examples']:,} {metrics['split']} {unit} of {metrics['dataset']}, which it never saw."
    return f"## Measured\n\nOn {where} All of it: metrics.json.\n\n" + _table(("what", "value"), rows)


def _training(card: Card) -> str:
    log = card.log
    terms = list(log[-1]["terms"])
    rows = [
        (f"{event['epoch']:.1f}", f"{event['loss']:.4g}", *(f"{event['terms'].get(term, 0):.4g}" for term in terms))
        for event in evenly(log, CURVE_ROWS)
    ]
    also = "".join(f"\n\nWarned: {warning}." for warning in card.run["provenance"].get("warned", ()))
    head = ("epoch", "loss", *(term.replace("_", " ") for term in terms))
    return "## Training\n\nMore of the curve: curve.jsonl.\n\n" + _table(head, rows) + also


def _weak_points(card: Card) -> str:
    points = [*card.bad_at, *_confusions(card)]
    if controls := card.metrics.get("controls"):
        text = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in controls.items())
        points.append(f"Its error in percent when it is made to look elsewhere: {text}.")
    dataset = card.run["data"].get("dataset", card.run["system"])
    known = f"It knows {dataset} alone"
    if "error_percent" in card.metrics:
        doubts = systems.spec(card.run["system"]).unit in ("images", "pictures")
        nonsense = "it answers for every image, so heed the doubts that `read` shows"
        known += f"; {nonsense if doubts else 'every input gets an answer, nonsense too'}"
    return "## What it is bad at\n\n" + "\n".join(f"- {point}" for point in [*points, f"{known}."])


def _confusions(card: Card) -> list[str]:
    matrix = card.metrics.get("confusion")
    names = card.run["facts"].get("classes", [])
    if not matrix or len(matrix) != len(names):
        return []
    wrong = {i: 100 * (1 - row[i] / max(1, sum(row))) for i, row in enumerate(matrix)}
    worst = sorted(wrong, key=lambda i: -wrong[i])[:WORST]
    pairs = [(count, i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) if i != j and count]
    taken = sorted(pairs, key=lambda pair: -pair[0])[:WORST]
    points = ["Its worst classes: " + ", ".join(f"{names[i]} ({wrong[i]:.2f}% wrong)" for i in worst) + "."]
    if taken:
        points.append("Most often: " + ", ".join(f"{names[i]} taken for {names[j]} ({n}x)" for n, i, j in taken) + ".")
    return points


def _settings(run: Values) -> str:
    tables = {table: {k: v for k, v in run[table].items() if v is not None} for table in TABLES}
    return "## Settings\n\n```toml\n" + tomli_w.dumps(tables).strip() + "\n```"


def _number(value: object) -> str:
    """Format a number, or a short list of numbers."""
    if isinstance(value, list):
        return " ".join(map(_number, value))
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
