"""What a person sees: a line that follows training, tables of results, and where things were written. Torch-free.

Results go to stdout, everything else to stderr, so that `--json` leaves one JSON object on stdout.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from saccade.pipeline.systems import AnySpec

PLAIN_EVERY_SECONDS = 10.0
MOST_CLASSES_SHOWN = 20
MOST_GAZES_SHOWN = 4


class Event(Protocol):
    """What the training loop reports."""

    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def epoch(self) -> float: ...
    @property
    def examples_per_second(self) -> float: ...
    @property
    def loss(self) -> float: ...
    @property
    def terms(self) -> dict[str, float]: ...
    @property
    def health(self) -> dict[str, float]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


def say(text: str) -> None:
    """A line for the person, on stderr."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def give(result: Mapping[str, Any], *, as_json: bool = False) -> None:
    """A command's result on stdout: one JSON object, or a line for each file in `wrote` and each command in `next`."""
    if as_json:
        print(json.dumps(result))  # noqa: T201
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for path in result.get("wrote", []):
        console.print(f"wrote {path}")
    for command in result.get("next", []):
        console.print(f"next: {command}")


def tell_outcome(outcome: Any) -> None:
    """A line about a run of `saccade reproduce`: its row and seed, and what became of it."""
    task, words = outcome.task, {"finished": "finished already", "elsewhere": "trained elsewhere"}
    text = f": {outcome.text}" if outcome.text else ""
    say(f"{task.row}, seed {task.run.train.seed}: {words.get(outcome.status, outcome.status)}{text}")


class Meter:
    """Follows training: on a terminal a bar that moves, elsewhere a line every ten seconds; warnings once each."""

    def __init__(self, spec: AnySpec) -> None:
        self.spec = spec
        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]:.1f}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
            expand=True,
        )
        self.task = self.bar.add_task("train", total=None, epoch=0.0, text="")
        self.last = -PLAIN_EVERY_SECONDS
        self.warned: set[str] = set()

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        """Show a line of text."""
        say(text)

    def show(self, event: Event) -> None:
        """Show how training stands."""
        headline = self.spec.headline
        parts = {"loss": event.loss, **event.terms, headline.name.replace("_", " "): event.health.get(headline.name)}
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in parts.items() if value is not None)
        text = f"{event.examples_per_second:,.0f} {self.spec.unit}/s, {numbers}"
        self.bar.update(self.task, completed=event.step, total=event.steps, epoch=event.epoch, text=text)
        now = time.monotonic()
        if self.bar.disable and (now - self.last >= PLAIN_EVERY_SECONDS or event.step == event.steps):
            self.console.print(f"epoch {event.epoch:.1f}, step {event.step}/{event.steps}: {text}", soft_wrap=True)
            self.last = now
        for warning in set(event.warnings) - self.warned:
            self.console.print(f"warning: {warning}", soft_wrap=True, markup=False)
            self.warned.add(warning)


def show_metrics(metrics: Mapping[str, Any], classes: Sequence[str], title: str) -> None:
    """metrics.json on stdout: a table of its groups and lists, the single facts in a line, the confusion matrix."""
    console = Console(highlight=False)
    table = Table(title=escape(title), show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    facts, matrices = [], []
    for name, value in metrics.items():
        words = name.replace("_", " ")
        if isinstance(value, Mapping):
            table.add_section()
            table.add_row(f"[bold]{words}[/bold]", "")
            for key, cell in value.items():
                table.add_row("  " + str(key).replace("_", " "), _text(cell))
        elif isinstance(value, list) and value and isinstance(value[0], list):
            matrices.append((words, value))
        elif isinstance(value, list):
            table.add_section()
            table.add_row(f"[bold]{words}[/bold]", _text(value))
        else:
            facts.append(f"{words} {_text(value)}")
    console.print(table)
    console.print(", ".join(facts), markup=False)
    for words, value in matrices:
        if len(value) == len(classes) <= MOST_CLASSES_SHOWN:
            console.print(f"{words}: a row a true class, a column an answer", markup=False)
            console.print(_matrix(value, classes))


def show_models(models: Sequence[Mapping[str, Any]]) -> None:
    """The shipped networks, one a row, as `saccade.shipped.catalogue.listing` gives them."""
    table = Table()
    for heading in ("name", "system", "what", "measured", "MB"):
        table.add_column(heading, no_wrap=heading == "name")
    for model in models:
        measured = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in model["headline"].items())
        table.add_row(model["name"], model["system"], model["what"], measured, f"{model['bytes'] / 1e6:.1f}")
    console = Console(highlight=False)
    console.print(table)
    for model in models:
        console.print(model["card"], markup=False, soft_wrap=True)


def show_table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Rows of equal columns on stdout, the first column to the left and numbers to the right."""
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*row.values())
    Console(highlight=False).print(table)


def answers(readings: Iterable[Any], names: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the answers to images as JSON holds them: the image's name, and every field of its reading."""
    return [{"image": name, **reading._asdict()} for reading, name in zip(readings, names, strict=True)]


def show_answers(answers: Sequence[Mapping[str, Any]]) -> None:
    """For every image that was read: the label, the truth where it is known, probabilities, where the gaze went."""
    gaze_shown = len(answers) <= MOST_GAZES_SHOWN
    table = Table("image", "label", "truth", "probability", "runners-up", *(["gaze (x, y)"] if gaze_shown else []))
    for answer in answers:
        ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])
        others = ", ".join(f"{label} {p:.1%}" for label, p in ranked[1:3])
        gaze = [" ".join(f"({x:+.2f}, {y:+.2f})" for x, y in answer["gaze"])] if gaze_shown else []
        name, truth = Path(str(answer["image"])).name, answer["truth"] or "?"
        cells = (name, answer["label"], truth, f"{ranked[0][1]:.1%}", others, *gaze)
        table.add_row(*map(escape, cells))  # a class may be named [bold]
    Console(highlight=False).print(table)


def show_neighbours(found: Mapping[str, Any]) -> None:
    """How far drawn images are from the nearest training image, and what is usual for images that are no copies."""
    drawn, usual = found["median_distance"], found["held_out_median_distance"]
    line = f"median distance to the nearest training image: {drawn:.2f}; of held-out images: {usual:.2f}"
    Console(highlight=False).print(line)


def show_endings(found: Mapping[str, Any]) -> None:
    """For every ending of an unfinished picture: how well it explains, and keeps, what was given."""
    table = Table("ending", "class", "bound, nats", "KL, nats", "nats a given pixel", "given pixels kept")
    for number, ending in enumerate(found["endings"], 1):
        cells = [f"{ending[key]:.1f}" for key in ("bound_nats", "kl_nats")]
        cells += [f"{ending['nats_per_given_pixel']:.4f}", f"{ending['agreement_percent']:.1f}%"]
        table.add_row(str(number), ending["class"] or "", *cells)
    console = Console(highlight=False)
    console.print(table)
    before, after = found["amortised_bound_nats"], found["bound_nats"]
    console.print(
        f"{found['given_pixels']} given pixels; refining took the mean bound from {before:.1f} to {after:.1f} nats"
    )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _matrix(rows: list[list[int]], classes: Sequence[str]) -> Table:
    table = Table(box=None)
    table.add_column("", style="bold")
    for label in classes:
        table.add_column(escape(label), justify="right")
    for label, row in zip(classes, rows, strict=True):
        table.add_row(escape(label), *("·" if count == 0 else str(count) for count in row))
    return table
