"""Shared parts of the figures: the palette in matplotlib, a colour and a dash for each core, atomic PNG files."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from saccade.pipeline import outputs
from saccade.pipeline.animate.film import mark
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, GROUND, INK, QUIET, RIGHT, Colour, mix, tint
from saccade.pipeline.checkpoint.atomic_files import write_whole

DPI = 100
COLOURS = 128  # of the PNG's palette: a figure of lines and text needs no more


Dashes: TypeAlias = str | tuple[float, tuple[float, ...]]
"""A line style of matplotlib."""


class Look(NamedTuple):
    """The appearance of a core in every figure; dashes help readers who cannot tell the colours apart."""

    name: str
    colour: Colour
    dashes: Dashes = "-"


LOOKS = {
    "rnn": Look("RNN", GAZE),
    "rnn-tanh": Look("RNN tanh", GAZE),
    "rnn-relu": Look("RNN relu", mix(GAZE, INK, 0.55), (0, (5, 1.5))),
    "lstm": Look("LSTM", BELIEF),
    "gru": Look("GRU", RIGHT, (0, (7, 1.5, 1.5, 1.5))),
}

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": "ink",
    "figure.facecolor": "ground",
    "axes.facecolor": "ground",
    "axes.edgecolor": "quiet",
    "axes.labelcolor": "quiet",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "faint",
    "grid.linewidth": 1.0,
    "xtick.color": "quiet",
    "ytick.color": "quiet",
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
}
NAMED = {"ink": INK, "quiet": QUIET, "faint": FAINT, "ground": GROUND}


@contextmanager
def house_style() -> Iterator[None]:
    """Context manager: figures drawn inside have Saccade's colours and fonts."""
    style = {key: tint(NAMED[value]) if value in NAMED else value for key, value in STYLE.items()}
    with matplotlib.rc_context(style):  # pyright: ignore[reportArgumentType]
        yield


def sheet(width: int, height: int) -> Figure:
    """Return an empty figure of `width` x `height` pixels."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def headline(figure: Figure, title: str, text: str) -> None:
    """Write a title and lines of grey text at the top left; the title takes 34 pixels, a line 20."""
    width, height = figure.get_size_inches() * DPI
    figure.text(32 / width, 1 - 44 / height, title, fontsize=19, fontweight="bold")
    for i, line in enumerate(text.splitlines()):
        figure.text(32 / width, 1 - (72 + 20 * i) / height, line, fontsize=11, color=tint(QUIET))


def caption(axes: Axes, title: str, text: str) -> None:
    """Write a panel's title and its description above the axes."""
    lines = text.count("\n") + 1
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=12 + 13.5 * lines)
    axes.annotate(text, (0, 1), (0, 7), "axes fraction", "offset points", fontsize=9.5, va="bottom", color=tint(QUIET))


def write_at(axes: Axes, text: str, point: tuple[float, float], colour: Colour, up: float = 0) -> None:
    """Write a label to the right of a data point, `up` points higher, with a halo so that lines do not hide it."""
    halo = [withStroke(linewidth=3, foreground=tint(GROUND))]
    label = {"fontsize": 9.5, "va": "center", "color": tint(colour), "annotation_clip": False, "path_effects": halo}
    axes.annotate(text, point, (6, up), "data", "offset points", **label)


def check(path: Path, *, overwrite: bool = False) -> Path:
    """Check that a figure can be written to a path; call it before the work.

    Raises:
        InputError: see `saccade.pipeline.outputs.check`.
    """
    return outputs.check(path, outputs.SHEET, overwrite=overwrite)


def save(figure: Figure, path: Path, *, overwrite: bool = False) -> Path:
    """Write a figure as a small PNG, atomically.

    Raises:
        InputError: see `check`; or the disk is full.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    image = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, "PNG", optimize=True, pnginfo=mark())
    write_whole(check(path, overwrite=overwrite), small.getvalue())
    return path
