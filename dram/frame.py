"""One picture at one time, read from a trace for the drawings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from saccade.dram.reader import TextReading, glimpses_of, readings
from saccade.gaze.drawing import LANDED, between, ease
from saccade.pipeline.animate.belief_chart import Belief, most_probable, softmax
from saccade.pipeline.animate.page import Pixels, Point, to_pixels
from saccade.pipeline.contract import Trace
from saccade.recurrent.tree import map_tensors

END = "end"
"""Name of the end symbol in a chart."""


class Frame(NamedTuple):
    """One picture at time t."""

    image: Pixels
    """[H, W, 3]."""
    coarse: Pixels | None
    """The glance [q, q, 3]; None without one."""
    step: int
    """The current glimpse, from 0; the last one after the stop."""
    steps: int
    """Glimpses until the stop."""
    each: int
    """Glimpses for each object."""
    progress: float
    """Glimpses made, from 1 to steps."""
    path: list[Point]
    """(x, y) in [-1, 1] of all locations so far, the gaze last."""
    windows: NDArray[np.float64]
    """(x, y, half-width, half-height) of each scale, the finest first [R, 4]."""
    patches: list[Pixels]
    """Of each scale [g, g, 3]; none of a network that sees all at once."""
    moving: bool
    """True while the gaze moves and no patch is shown."""
    belief: Belief
    """About the current object; the end symbol is a class."""
    written: str
    """Symbols answered so far."""
    marks: list[Point]
    """(x, y) of the gaze at each symbol that was answered so far."""
    stopped: bool
    """True once the network has stopped, or its glimpses are used up."""
    reading: TextReading
    """The whole answer."""


def read_frame(trace: Trace, t: float, example: int) -> Frame:
    """Read one picture at time t, a glimpse's number from 0, from a trace; its last frame stays after its stop."""
    one = _alone(trace, example)
    reading, each, outputs = readings(one)[0], glimpses_of(one.outputs), one.outputs
    last = reading.spent - 1
    t = min(max(t, 0.0), float(last))
    start = min(int(t), last)
    after, part = min(start + 1, last), t - start
    moved, learned = ease(part / LANDED), ease((part - LANDED) / (1 - LANDED))
    step = after if part >= LANDED else start
    location, windows, patches = (_steps(leaf) for leaf in (outputs.location, outputs.windows, outputs.patches))
    probabilities = softmax(_steps(outputs.logits))[: last + 1]
    gaze = between(location[start], location[after], moved)
    path = [*location[: start + 1], gaze] if part else location[: start + 1]
    answered = min((step + 1) // each, len(reading.text))
    belief = Belief(
        between(probabilities[start], probabilities[after], learned),
        probabilities[step - 1] if step % each else None,
        (*one.facts.classes, END),
        None,
        most_probable(probabilities, None),
        False,
    )
    coarse = _steps(outputs.coarse)[0] / 255
    return Frame(
        to_pixels(one.batch.images[0].cpu().numpy() / 255),
        to_pixels(coarse) if coarse.size else None,
        step,
        last + 1,
        each,
        t + 1,
        [(float(x), float(y)) for x, y in path],
        between(windows[start], windows[after], moved),
        [to_pixels(patch) for patch in patches[step] if patch.size],
        0 < part < LANDED,
        belief,
        reading.text[:answered],
        [(float(x), float(y)) for x, y in location[each - 1 :: each][:answered]],
        t >= last,
        reading,
    )


def _alone(trace: Trace, example: int) -> Trace:
    """Return the trace of one picture of a batch."""
    outputs = map_tensors(lambda leaf: leaf[:, example : example + 1], trace.outputs)
    return trace._replace(outputs=outputs, batch=map_tensors(lambda leaf: leaf[example : example + 1], trace.batch))


def _steps(leaf: Tensor) -> NDArray[np.float64]:
    """Return the only picture's values of every step: [T, 1, ...] to [T, ...]."""
    return leaf[:, 0].detach().float().cpu().numpy().astype(np.float64)
