"""One example at one time, read from a trace for the pictures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from saccade.gaze.drawing import LANDED, between, ease
from saccade.glimpse.reader import DOUBTS, ReadBatch
from saccade.pipeline.animate.belief_chart import Belief, most_probable, softmax
from saccade.pipeline.animate.page import Pixels, Point, to_pixels
from saccade.pipeline.contract import Trace


class Frame(NamedTuple):
    """One example at time t."""

    image: Pixels
    """[H, W, 3]."""
    step: int
    """The current glimpse, from 0."""
    steps: int
    progress: float
    """Glimpses made, from 1 to steps."""
    path: list[Point]
    """(x, y) in [-1, 1] of all locations so far, the gaze last."""
    windows: NDArray[np.float64]
    """(x, y, half-width, half-height) of each scale, the finest first [S, 4]."""
    patches: list[Pixels]
    """Of each scale [g, g, 3]."""
    earlier: list[Pixels]
    """The finest patches of the glimpses before."""
    moving: bool
    """True while the gaze moves and no patch is shown."""
    belief: Belief
    digit: Point | None = None
    """(x, y) in [-1, 1] of the digit's middle; None if the data does not know it."""
    doubt: str | None = None
    """Why the answer should not be believed, at the last glimpse."""


def read_frame(trace: Trace, t: float, example: int) -> Frame:
    """Read one example at time t from a trace."""
    outputs = trace.outputs
    location, windows, logits, patches = (
        field[:, example].detach().float().cpu().numpy().astype(np.float64)
        for field in (outputs.location, outputs.windows, outputs.logits, outputs.patches)
    )
    steps = len(location)
    assert 0 <= t <= steps - 1, f"t = {t} is outside {steps} glimpses"
    start = min(int(t), steps - 1)
    after, part = min(start + 1, steps - 1), t - start
    moved, learned = ease(part / LANDED), ease((part - LANDED) / (1 - LANDED))
    landed = part >= LANDED
    step = after if landed else start
    probabilities = softmax(logits)
    target = int(trace.batch.labels[example])
    truth = target if 0 <= target < len(trace.facts.classes) else None
    believed = between(probabilities[start], probabilities[after], learned)
    earlier = probabilities[step - 1] if step else None
    gaze = between(location[start], location[after], moved)
    path = [*location[: start + 1], gaze] if part else location[: start + 1]
    doubt = DOUBTS[int(trace.batch.doubt[example])] if isinstance(trace.batch, ReadBatch) else None
    image = trace.batch.images[example].detach().float().cpu().numpy()
    return Frame(
        to_pixels(image),
        step,
        steps,
        t + 1,
        [(float(x), float(y)) for x, y in path],
        between(windows[start], windows[after], moved),
        [to_pixels(patch) for patch in patches[step]],
        [to_pixels(patch) for patch in patches[:step, 0]],
        0 < part < LANDED,
        Belief(believed, earlier, trace.facts.classes, truth, most_probable(probabilities, truth), t == steps - 1),
        None if trace.batch.places is None else _point(trace.batch.places[example]),
        doubt if t == steps - 1 else None,
    )


def _point(place: Tensor) -> Point:
    x, y = place.tolist()
    return x, y
