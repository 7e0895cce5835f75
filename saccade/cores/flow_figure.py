"""The figure of vanishing gradients, from the results of `flow.measure`."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saccade.cores.figures import LOOKS, Dashes, Look, caption, headline, house_style, sheet, write_at
from saccade.cores.flow import Flow, Measurement, whole_state
from saccade.pipeline.animate.palette import BELIEF, INK, OTHER_BELIEF, QUIET, mix, tint

WIDTH, HEIGHT = 1440, 1300
FLOOR = 1e-12
"""Smallest fraction of the last step's gradient that is drawn."""

NAME_WIDTH, NAME_HEIGHT = 62.0, 12.5
"""Largest size of a line's name, points."""

TITLES = {"glimpse": "RAM", "draw": "DRAW"}
DOTTED: Dashes = (0, (1, 1.6))
DASHES: tuple[Dashes, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)))
"""Line styles of one, two and three layers."""


class Line(NamedTuple):
    """A line to draw, with its name at its end; an empty name is not written."""

    x: np.ndarray
    y: np.ndarray  # NaN where the gradient is 0
    look: Look
    name: str = ""
    width: float = 2.0


def draw(results: Measurement) -> Figure:
    """Return the figure of a measurement: nine panels that show fractions of the gradient on a log scale."""
    with house_style():
        figure = sheet(WIDTH, HEIGHT)
        _heading(figure, results)
        grid = figure.add_gridspec(3, 3, left=0.05, right=0.92, top=0.825, bottom=0.045, hspace=0.58, wspace=0.52)
        at = lambda row, column: figure.add_subplot(grid[row, column])  # noqa: E731
        _adding(at(0, 0), results, trained=False)
        _adding(at(0, 1), results, trained=True)
        _by_length(at(0, 2), results)
        for column, kind in enumerate(("rnn-tanh", "lstm", "gru")):
            _depth(at(1, column), kind, [flow for flow in results["depth"] if flow["core"] == kind])
        _truncation(at(2, 0), results["truncation"])
        for column, (name, flows) in enumerate(results["systems"].items(), start=1):
            _system(at(2, column), name, flows)
        return figure


def part(norms: Sequence[float]) -> np.ndarray:
    """Return norms [T] as fractions of the last step's, ordered by the distance from it; 0 becomes NaN."""
    values = np.asarray(norms[::-1], float)
    return np.where(values > 0, values / values[0], np.nan) if values[0] > 0 else np.full_like(values, np.nan)


def halving(norms: Sequence[float]) -> float:
    """Return the number of steps in which the gradient halves, from the first and last norms; inf if it grows."""
    fallen = math.log2(norms[-1]) - math.log2(norms[0]) if norms[0] > 0 else math.inf
    return (len(norms) - 1) / fallen if fallen > 0 else math.inf


def _heading(figure: Figure, results: Measurement) -> None:
    text = (
        "Each line: the gradient |dL/dh| of the loss at an earlier step, as a fraction of the last step's. "
        "Where a line stays high, its core can learn from events that long ago.\n"
        f"The adding problem: {results['steps']} numbers, one of them marked in each half; after the last one the "
        "network answers with the sum of the two marked. An LSTM's state is h and the cell c,\n"
        "which no matrix multiplies between steps; the thin line is h alone. "
        "RAM and DRAW read and write the embedded digits."
    )
    headline(figure, "How far back does the gradient reach?", text)


def _adding(axes: Axes, results: Measurement, *, trained: bool) -> None:
    flows = [flow for flow in results["adding"] if flow["trained"] == trained]
    lines = []
    for flow in flows:
        look, distance = LOOKS[flow["core"]], np.arange(results["steps"])
        if "c" in flow["norms"]:
            lines.append(Line(distance, part(flow["norms"]["h"]), look, width=0.9))
        lines.append(Line(distance, part(whole_state(flow["norms"])), look, look.name))
    _lines(axes, lines)
    axes.set_xlabel("steps before the loss")
    kinds = [flow["core"] for flow in flows]
    if not trained:
        halved = [f"{LOOKS[flow['core']].name} {halving(whole_state(flow['norms'])):.2g}" for flow in flows]
        caption(axes, "Untrained", f"Steps in which the gradient halves:\n{', '.join(halved)}")
        return
    errors = [f"{LOOKS[kind].name} {results['held_out_error'][kind]['trained']:.2g}" for kind in kinds]
    text = f"Squared error on held-out sequences (always answering 1: 0.167):\n{', '.join(errors)}"
    caption(axes, f"After {results['updates']} updates", text)


def _by_length(axes: Axes, results: Measurement) -> None:
    lines = []
    for entry in results["by_length"]:
        look = LOOKS[entry["core"]]
        reach = np.array([value if value > 0 else np.nan for value in entry["reach"]])
        lengths = np.array(entry["lengths"], float)
        if entry["trained"]:
            lines.append(Line(lengths, reach, look, look.name))
        else:
            lines.append(Line(lengths, reach, look._replace(dashes=DOTTED), width=1.4))
    axes.set_xscale("log")
    _lines(axes, lines, marker="o")
    ticks = results["by_length"][0]["lengths"]
    axes.set_xticks(ticks, [str(length) for length in ticks])
    axes.set_xlabel("length of the sequence")
    text = f"The same networks, trained on {results['steps']} steps, at other lengths;\ndotted: untrained"
    caption(axes, "Gradient at the first step", text)


def _depth(axes: Axes, kind: str, flows: Sequence[Flow]) -> None:
    look, lines = LOOKS[kind], []
    for flow in flows:
        layers = flow["layers"]
        norms = whole_state(flow["norms"], "" if layers == 1 else "0.")
        name = f"{layers} layer" + "s" * (layers > 1)
        drawn = Look(name, mix(look.colour, INK, 0.35 * (layers - 1)), DASHES[layers - 1])
        lines.append(Line(np.arange(len(norms)), part(norms), drawn, name))
    _lines(axes, lines, lowest=FLOOR)
    axes.set_xlabel("steps before the loss")
    text = "State of the bottom layer: more layers above it\nshift the line but hardly change its slope"
    caption(axes, f"{look.name}, 1 to 3 layers, untrained", text)


def _truncation(axes: Axes, flows: Sequence[Flow]) -> None:
    lines = []
    for i, flow in enumerate(flows):
        values, cut = part(whole_state(flow["norms"])), flow["detach_every"]
        look = Look("", mix(BELIEF, OTHER_BELIEF, 1 - i / len(flows)) if cut else BELIEF)
        lines.append(Line(np.arange(len(values)), values, look, "" if cut else "never cut"))
    _lines(axes, lines, lowest=FLOOR)
    for i, (flow, line) in enumerate(zip(flows[1:], lines[1:], strict=True)):
        (x, y), colour = _last(axes, line), line.look.colour
        axes.plot([x, x], [FLOOR, y], color=tint(colour), linestyle=DOTTED, linewidth=1.6)
        axes.plot([x], [y], "o", color=tint(colour), markersize=5)
        write_at(axes, f"cut every {flow['detach_every']}: 0", (x, 1e-4 * 1e-3**i), BELIEF)
    axes.set_xlabel("steps before the loss")
    text = "Before the cut the gradient is exactly zero:\nthis loss teaches nothing about earlier steps"
    caption(axes, "Truncated BPTT, the trained LSTM", text)


def _system(axes: Axes, name: str, flows: Sequence[Flow]) -> None:
    drawing, trained = name == "draw", any(flow["trained"] for flow in flows)
    lines, first = [], []
    for flow in flows:
        look, values = LOOKS[flow["core"]], part(whole_state(flow["norms"], "generator.decoder." if drawing else ""))
        steps, shown = np.arange(len(values)), flow["trained"] or not trained
        if not shown:
            lines.append(Line(steps, values, look._replace(dashes=DOTTED), width=1.4))
            continue
        lines.append(Line(steps, values, look, look.name))
        first.append(f"{look.name} {values[-1]:.2g}")
        if drawing and flow["core"] == "lstm":
            lines.append(Line(steps, part(flow["norms"]["generator.canvas"]), Look("canvas", QUIET), "canvas", 3.0))
    _lines(axes, lines, marker="o")
    axes.set_xlabel("steps before the last one" if drawing else "glimpses before the answer")
    text = (
        "State of the decoder. The canvas is a sum, so every\nstep gets the final loss directly, with any core"
        if drawing
        else f"Gradient at the first glimpse, relative to the last:\n{', '.join(first)}"
    )
    caption(axes, f"{TITLES[name]}, trained (dotted: untrained)" if trained else f"{TITLES[name]}, untrained", text)


def _lines(axes: Axes, lines: Sequence[Line], *, marker: str = "", lowest: float | None = None) -> None:
    """Draw lines on a log scale, down to `lowest` or to the data's lowest value, each with its name where it ends."""
    axes.set_yscale("log")
    for line in lines:
        dashes, colour = line.look.dashes, tint(line.look.colour)
        axes.plot(line.x, line.y, linestyle=dashes, color=colour, linewidth=line.width, marker=marker, markersize=4)
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines] + [np.ones(1)])
    axes.set_ylim(lowest or max(FLOOR, min(0.1, values.min()) / 3), 3 * max(3.0, values.max()))
    _name(axes, [line for line in lines if line.name])


def _name(axes: Axes, lines: Sequence[Line]) -> None:
    """Write each line's name at its end; names that would overlap are moved upwards."""
    placed: list[tuple[float, float]] = []  # points, of the names so far
    for line in sorted(lines, key=lambda line: (-_last(axes, line)[0], _last(axes, line)[1])):
        end = _last(axes, line)
        x, y = axes.transData.transform(end) * 72 / axes.figure.dpi
        level = y + (NAME_HEIGHT / 2 if end[1] < 10 * axes.get_ylim()[0] else 0)
        for other_x, other_y in placed:
            if abs(x - other_x) < NAME_WIDTH and level - other_y < NAME_HEIGHT:
                level = other_y + NAME_HEIGHT
        placed.append((x, level))
        write_at(axes, line.name, end, line.look.colour, level - y)


def _last(axes: Axes, line: Line) -> tuple[float, float]:
    """Return the last point of a line inside the panel."""
    bottom = axes.get_ylim()[0]
    inside = np.flatnonzero(np.isfinite(line.y) & (line.y >= bottom))
    return (float(line.x[inside[-1]]), float(line.y[inside[-1]])) if len(inside) else (float(line.x[0]), bottom)
