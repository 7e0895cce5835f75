"""The picture of vanishing gradients: what `flow.measure` found, drawn."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saccade.cores.figures import LOOKS, Look, caption, headline, house_style, sheet, write_at
from saccade.cores.flow import whole_state
from saccade.pipeline.animate.palette import BELIEF, INK, OTHER_BELIEF, QUIET, mix, tint

WIDTH, HEIGHT = 1440, 1300
FLOOR = 1e-12
"""Part of the last step's gradient below which nothing is drawn."""

NAME_WIDTH, NAME_HEIGHT = 62.0, 12.5
"""Points that a line's name takes at most."""

TITLES = {"glimpse": "RAM", "draw": "DRAW"}
DOTTED = (0, (1, 1.6))
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)))
"""Of one, two and three layers."""


class Line(NamedTuple):
    """A line to draw and its name at its end; an empty name is not written."""

    x: np.ndarray
    y: np.ndarray  # NaN where nothing arrives
    look: Look
    name: str = ""
    width: float = 2.0


def draw(found: Mapping[str, Any]) -> Figure:
    """The figure of a measurement: nine panels, each with the part of the gradient on a log scale."""
    with house_style():
        figure = sheet(WIDTH, HEIGHT)
        _words(figure, found)
        grid = figure.add_gridspec(3, 3, left=0.05, right=0.92, top=0.825, bottom=0.045, hspace=0.58, wspace=0.52)
        at = lambda row, column: figure.add_subplot(grid[row, column])  # noqa: E731
        _adding(at(0, 0), found, trained=False)
        _adding(at(0, 1), found, trained=True)
        _by_length(at(0, 2), found)
        for column, kind in enumerate(("rnn-tanh", "lstm", "gru")):
            _depth(at(1, column), kind, [flow for flow in found["depth"] if flow["core"] == kind])
        _truncation(at(2, 0), found["truncation"])
        for column, (name, flows) in enumerate(found["systems"].items(), start=1):
            _system(at(2, column), name, flows)
        return figure


def part(norms: Sequence[float]) -> np.ndarray:
    """From norms by step [T] to parts of the last step's by distance from it [T], the nearest first; 0 becomes NaN."""
    values = np.asarray(norms[::-1], float)
    return np.where(values > 0, values / values[0], np.nan) if values[0] > 0 else np.full_like(values, np.nan)


def halving(norms: Sequence[float]) -> float:
    """Steps in which the gradient falls to a half, from the first and the last of the norms [T]; inf where it grows."""
    fallen = math.log2(norms[-1]) - math.log2(norms[0]) if norms[0] > 0 else math.inf
    return (len(norms) - 1) / fallen if fallen > 0 else math.inf


def _words(figure: Figure, found: Mapping[str, Any]) -> None:
    text = (
        "Each line: the gradient |dL/dh| of the loss at an earlier step, as a part of what it is at the last one. "
        "Where a line stays high, its core can learn what happened that long ago.\n"
        f"The adding problem: {found['steps']} numbers go by, one in each half is marked, and after the last one their "
        "sum is asked for. An LSTM's state is h and the cell c,\n"
        "which no matrix multiplies on its way from step to step; the thin line is h alone. "
        "RAM and DRAW read and write the embedded digits."
    )
    headline(figure, "How far back does the loss reach?", text)


def _adding(axes: Axes, found: Mapping[str, Any], *, trained: bool) -> None:
    flows = [flow for flow in found["adding"] if flow["trained"] == trained]
    lines = []
    for flow in flows:
        look, distance = LOOKS[flow["core"]], np.arange(found["steps"])
        if "c" in flow["norms"]:
            lines.append(Line(distance, part(flow["norms"]["h"]), look, width=0.9))
        lines.append(Line(distance, part(whole_state(flow["norms"])), look, look.name))
    _lines(axes, lines)
    axes.set_xlabel("steps before the loss")
    kinds = [flow["core"] for flow in flows]
    if not trained:
        halved = [f"{LOOKS[flow['core']].name} {halving(whole_state(flow['norms'])):.2g}" for flow in flows]
        caption(axes, "At birth", f"Steps in which half of the gradient is lost:\n{', '.join(halved)}")
        return
    errors = [f"{LOOKS[kind].name} {found['held_out_error'][kind]['trained']:.2g}" for kind in kinds]
    text = f"Squared error on new sequences (always saying 1: 0.167):\n{', '.join(errors)}"
    caption(axes, f"After {found['updates']} updates", text)


def _by_length(axes: Axes, found: Mapping[str, Any]) -> None:
    lines = []
    for entry in found["by_length"]:
        look = LOOKS[entry["core"]]
        reach = np.array([value if value > 0 else np.nan for value in entry["reach"]])
        lengths = np.array(entry["lengths"], float)
        if entry["trained"]:
            lines.append(Line(lengths, reach, look, look.name))
        else:
            lines.append(Line(lengths, reach, look._replace(dashes=DOTTED), width=1.4))
    axes.set_xscale("log")
    _lines(axes, lines, marker="o")
    ticks = found["by_length"][0]["lengths"]
    axes.set_xticks(ticks, [str(length) for length in ticks])
    axes.set_xlabel("length of the sequence")
    text = f"The same networks, trained on {found['steps']} steps, at other lengths;\ndotted: at birth"
    caption(axes, "What arrives at the first step", text)


def _depth(axes: Axes, kind: str, flows: Sequence[Mapping[str, Any]]) -> None:
    look, lines = LOOKS[kind], []
    for flow in flows:
        layers = flow["layers"]
        norms = whole_state(flow["norms"], "" if layers == 1 else "0.")
        name = f"{layers} layer" + "s" * (layers > 1)
        drawn = Look(name, mix(look.colour, INK, 0.35 * (layers - 1)), DASHES[layers - 1])
        lines.append(Line(np.arange(len(norms)), part(norms), drawn, name))
    _lines(axes, lines, lowest=FLOOR)
    axes.set_xlabel("steps before the loss")
    text = "The bottom layer's state: further layers above it\nshift the line, and hardly change its slope"
    caption(axes, f"{look.name}, 1 to 3 layers, at birth", text)


def _truncation(axes: Axes, flows: Sequence[Mapping[str, Any]]) -> None:
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
    text = "Where memory is cut the gradient is not small but zero:\nnothing before the cut is learned from this loss"
    caption(axes, "Truncated BPTT, the trained LSTM", text)


def _system(axes: Axes, name: str, flows: Sequence[Mapping[str, Any]]) -> None:
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
        "The decoder's state. The canvas is a sum, so every\nstroke feels the final loss directly, whatever the core"
        if drawing
        else f"The first glimpse's gradient, times the last one's:\n{', '.join(first)}"
    )
    caption(axes, f"{TITLES[name]}, trained (dotted: at birth)" if trained else f"{TITLES[name]}, at birth", text)


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
    """Write each line's name where it leaves the panel; names that would lie on one another are pushed upwards."""
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
    """The last point of a line inside the panel."""
    bottom = axes.get_ylim()[0]
    inside = np.flatnonzero(np.isfinite(line.y) & (line.y >= bottom))
    return (float(line.x[inside[-1]]), float(line.y[inside[-1]])) if len(inside) else (float(line.x[0]), bottom)
