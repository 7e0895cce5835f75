"""Terminal output: progress of training, tables of results, names of the written files. Torch-free.

Results go to stdout and everything else to stderr, so that `--json` prints only one JSON object on stdout.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from saccade.pipeline.systems import AnySpec
from saccade.terminal.progress_bar import LONG_SECONDS, PLAIN_EVERY_SECONDS, duration
from saccade.terminal.results import Answer, Completions, Neighbours, Reading

MOST_CLASSES_SHOWN = 20
MOST_GAZES_SHOWN = 4


class Event(Protocol):
    """A report of the training loop."""

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
    """Print a line on stderr."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def give(result: Mapping[str, object], *, as_json: bool = False) -> None:
    """Print a command's result on stdout: one JSON object, or a line for each entry of `wrote` and `next`."""
    if as_json:
        print(json.dumps(result))  # noqa: T201
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for path in cast(Iterable[str], result.get("wrote", ())):
        console.print(f"wrote {path}")
    for command in cast(Iterable[str], result.get("next", ())):
        console.print(f"next: {command}")


class Meter:
    """Progress of a training: a bar on a terminal, elsewhere a line every ten seconds; each warning once."""

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
        self.first: tuple[float, int] | None = None
        self.warned: set[str] = set()
        self.announced = False

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        """Print a line of text."""
        say(text)

    def show(self, event: Event) -> None:
        """Show a report of the training loop."""
        headline = self.spec.headline
        parts = {"loss": event.loss, **event.terms, headline.name.replace("_", " "): event.health.get(headline.name)}
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in parts.items() if value is not None)
        text = f"{event.examples_per_second:,.0f} {self.spec.unit}/s, {numbers}"
        self.bar.update(self.task, completed=event.step, total=event.steps, epoch=event.epoch, text=text)
        now = time.monotonic()
        left = self._left(event, now)
        if self.bar.disable and (now - self.last >= PLAIN_EVERY_SECONDS or event.step == event.steps):
            self.console.print(
                f"epoch {event.epoch:.1f}, step {event.step}/{event.steps}: {text}{left}", soft_wrap=True
            )
            self.last = now
        for warning in set(event.warnings) - self.warned:
            self.console.print(f"warning: {warning}", soft_wrap=True, markup=False)
            self.warned.add(warning)

    def _left(self, event: Event, now: float) -> str:
        """Return the time left as a line shows it; at the second report, announce a long training."""
        if self.first is None:
            self.first = now, event.step
        since, start = self.first
        if event.step == start or event.step >= event.steps:
            return ""
        left = (now - since) / (event.step - start) * (event.steps - event.step)
        if not self.announced and left > LONG_SECONDS:
            self.console.print(f"training: this will take about {duration(left)}", soft_wrap=True)
        self.announced = True
        return f", about {duration(left)} left"


def show_metrics(metrics: Mapping[str, object], classes: Sequence[str], title: str) -> None:
    """Print the content of metrics.json: groups and lists as a table, single values in a line, confusion matrices."""
    console = Console(highlight=False)
    table = Table(title=escape(title), show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    singles: list[str] = []
    matrices: list[tuple[str, list[list[int]]]] = []
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
            singles.append(f"{words} {_text(value)}")
    console.print(table)
    console.print(", ".join(singles), markup=False)
    for words, matrix in matrices:
        if len(matrix) == len(classes) <= MOST_CLASSES_SHOWN:
            console.print(f"{words}: rows are true classes, columns are answers", markup=False)
            console.print(_matrix(matrix, classes))


def show_table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows as a table on stdout, the first column aligned left and the others right."""
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*row.values())
    Console(highlight=False).print(table)


def answers(readings: Iterable[Reading], names: Iterable[str | int]) -> list[Answer]:
    """Return the answers to images as JSON holds them; `names` are the images' files or indices."""
    return [
        {"image": name, "label": r.label, "probabilities": r.probabilities, "gaze": r.gaze, "truth": r.truth}
        for r, name in zip(readings, names, strict=True)
    ]


def show_answers(answers: Sequence[Answer]) -> None:
    """Print a table with a row for every image: label, true class if known, probabilities, gaze."""
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


def show_neighbours(distances: Mapping[str, object]) -> None:
    """Print the median distance of generated images to the nearest training image; `distances`: a `Neighbours`."""
    values = cast(Neighbours, distances)
    generated, held_out = values["median_distance"], values["held_out_median_distance"]
    line = f"median distance to the nearest training image: {generated:.2f}; of held-out images: {held_out:.2f}"
    Console(highlight=False).print(line)


def show_endings(results: Mapping[str, object]) -> None:
    """Print a table of the completions of an unfinished picture; `results`: a `Completions`.

    A row has the bound, and how many of the given pixels the completion keeps.
    """
    values = cast(Completions, results)
    table = Table("ending", "class", "bound, nats", "KL, nats", "nats a given pixel", "given pixels kept")
    for number, ending in enumerate(values["endings"], 1):
        cells = [f"{nats:.1f}" for nats in (ending["bound_nats"], ending["kl_nats"])]
        cells += [f"{ending['nats_per_given_pixel']:.4f}", f"{ending['agreement_percent']:.1f}%"]
        table.add_row(str(number), ending["class"] or "", *cells)
    console = Console(highlight=False)
    console.print(table)
    before, after = values["amortised_bound_nats"], values["bound_nats"]
    given = f"{values['given_pixels']} given pixels"
    console.print(f"{given}; refinement changed the mean bound from {before:.1f} to {after:.1f} nats")


def _text(value: object) -> str:
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
