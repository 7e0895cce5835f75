"""Charts of what was measured, in the house's colours, as PNG bytes."""

import io
from collections.abc import Sequence

from saccade.pipeline.animate.palette import BELIEF, FAINT, GROUND, INK, QUIET, tint


def bars(values: Sequence[float], *, title: str, across: str, up: str) -> bytes:
    """Draw a bar for each of some numbers 1, 2, ...: a PNG of 960 x 480 pixels. `across` and `up` name the axes."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9.6, 4.8), dpi=100, facecolor=tint(GROUND))
    figure.subplots_adjust(0.08, 0.12, 0.97, 0.9)
    axes = figure.add_subplot(facecolor=tint(GROUND))
    axes.bar(range(1, len(values) + 1), values, width=0.8, color=tint(BELIEF))
    axes.set_title(title, loc="left", color=tint(INK), fontsize=14)
    axes.set_xlabel(across, color=tint(QUIET))
    axes.set_ylabel(up, color=tint(QUIET))
    axes.set_xlim(0.4, len(values) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.tick_params(colors=tint(QUIET), length=0)
    axes.grid(axis="y", color=tint(FAINT))
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
