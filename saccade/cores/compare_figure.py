"""The figure of `compare.measure`: learning curve, quality, time and size of each core in RAM and in DRAW."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saccade.cores.compare import CoreResult
from saccade.cores.figures import LOOKS, caption, headline, house_style, sheet, write_at
from saccade.pipeline.animate.palette import INK, tint

WIDTH = 1440
NAME_HEIGHT = 12.5
"""Points that a name at the end of a line takes; names that would overlap are moved upwards."""
NAMES = {"glimpse": "RAM", "draw": "DRAW"}
Field = Literal["error_percent", "bound_nats"]
QUALITY: dict[str, tuple[Field, str]] = {
    "glimpse": ("error_percent", "Error, percent"),
    "draw": ("bound_nats", "Bound, nats an image"),
}
LOSS = {"glimpse": "Classification loss, nats", "draw": "Training bound, nats an image"}


def draw(rows: Sequence[CoreResult]) -> Figure:
    """Return the figure of the results: a row of four panels for each system."""
    systems = list(dict.fromkeys(row["system"] for row in rows))
    with house_style():
        height = 140 + 380 * len(systems)
        figure = sheet(WIDTH, height)
        text = (
            "A vanilla RNN, an LSTM and a GRU of the same width in RAM and in DRAW: the same images, the same number "
            "of epochs, the same settings.\nHeld-out digits; lower is better everywhere. Times are CPU milliseconds "
            "per training step of 128 images, measured in turn on one thread."
        )
        headline(figure, "Comparison of recurrent cores", text)
        shape = {"left": 0.06, "right": 0.945, "top": 1 - 190 / height, "bottom": 0.075}
        grid = figure.add_gridspec(len(systems), 4, hspace=0.62, wspace=0.45, width_ratios=(1.3, 1, 1, 1), **shape)
        for line, system in enumerate(systems):
            mine = [row for row in rows if row["system"] == system]
            _learning(figure.add_subplot(grid[line, 0]), system, mine)
            _quality(figure.add_subplot(grid[line, 1]), system, mine)
            times, sizes = (figure.add_subplot(grid[line, column]) for column in (2, 3))
            _bars(times, mine, [row["step_cpu_ms"] for row in mine], "{:.0f}", "Milliseconds a step")
            _bars(sizes, mine, [row["parameters"] / 1000 for row in mine], "{:,.0f}", "Thousand parameters")
        return figure


def _learning(axes: Axes, system: str, rows: Sequence[CoreResult]) -> None:
    ends = []
    for row in rows:
        look, (epochs, losses) = LOOKS[row["core"]], np.array(row["curve"]).T
        axes.plot(epochs, losses, color=tint(look.colour), linewidth=1.6)
        ends.append((float(losses[-1]), float(epochs[-1]), look))
    axes.set_yscale("log" if system == "glimpse" else "linear")
    axes.set_xlabel("epoch")
    caption(axes, f"{NAMES[system]}: learning", LOSS[system])
    axes.autoscale_view()  # so that the data's place on the page is known
    lowest = -np.inf
    for loss, epoch, look in sorted(ends, key=lambda end: end[0]):
        level = axes.transData.transform((epoch, loss))[1] * 72 / axes.figure.dpi
        lowest = max(level, lowest + NAME_HEIGHT)
        write_at(axes, look.name, (epoch, loss), look.colour, lowest - level)


def _quality(axes: Axes, system: str, rows: Sequence[CoreResult]) -> None:
    """Draw a point for the mean over the seeds, its standard error over the images, and a small mark for every seed."""
    field, title = QUALITY[system]
    for place, row in enumerate(rows):
        mean = row.get(field, math.nan)
        colour = tint(LOOKS[row["core"]].colour)
        axes.errorbar(mean, place, xerr=row["standard_error"], fmt="o", color=colour, capsize=4, markersize=8)
        axes.plot(row["by_seed"], [place] * len(row["by_seed"]), "|", color=colour, markersize=14)
        text = f"{mean:.2f}" + (", collapsed" if row["collapsed"] else "")
        axes.annotate(text, (mean, place), (0, 12), "data", "offset points", ha="center")
    _names(axes, rows)
    axes.margins(x=0.25)
    caption(axes, title, f"{rows[0]['examples']} test images; bar: standard error")


def _bars(axes: Axes, rows: Sequence[CoreResult], values: Sequence[float], form: str, title: str) -> None:
    colours = [tint(LOOKS[row["core"]].colour) for row in rows]
    axes.barh(range(len(rows)), values, height=0.5, color=colours)
    for place, value in enumerate(values):
        text = f"{form.format(value)}   x {value / values[0]:.2f}" if place else form.format(value)
        axes.annotate(text, (value, place), (6, 0), "data", "offset points", va="center", color=tint(INK), fontsize=9.5)
    _names(axes, rows)
    axes.set_xlim(0, 1.5 * max(values))
    caption(axes, title, f"x: relative to the {LOOKS[rows[0]['core']].name}")


def _names(axes: Axes, rows: Sequence[CoreResult]) -> None:
    axes.set_yticks(range(len(rows)), [LOOKS[row["core"]].name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
