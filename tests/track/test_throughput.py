"""Training speed against the literal reference, in one interleaved run on one thread; the time of one answer."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from saccade.pipeline import systems
from saccade.pipeline.config import default_run, route
from saccade.pipeline.train.loop import Learner
from saccade.recurrent.unroll import unroll
from saccade.track import loss as objective
from saccade.track.config import Config
from saccade.track.loss import Truth
from saccade.track.model import First, Tracker
from saccade.track.system import SYSTEM
from saccade.track.videos import VideoSource
from tests.track.literal import LiteralTracker

MOST_ANSWER_MS = 5.0


def test_the_literal_reference_is_the_same_network() -> None:
    torch.manual_seed(0)
    core = Tracker(Config(window=16, features=4, hidden=8))
    batch = VideoSource(default_run("track", systems.spec("track")).data, 0).batch(0, 3)
    frames, boxes = batch.frames.transpose(0, 1), batch.boxes.transpose(0, 1)
    with torch.no_grad():
        box, window, place, sure = LiteralTracker.like(core)(frames, boxes[0])
        context: Any = First(frames[0], boxes[0])
        steps, _ = unroll(core, frames[1:], core.initial_state(3), context)
    for one, other in zip(
        (box, window, place.exp(), sure), (steps.box, steps.window, steps.place.exp(), steps.confidence), strict=True
    ):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-2)


def seconds(step: Callable[[], object]) -> float:
    """Seconds of the processor's for one step."""
    start = time.process_time()
    step()
    return time.process_time() - start


@pytest.mark.bench
def test_training_against_the_literal_reference() -> None:
    torch.set_num_threads(1)
    run = route(default_run("track", systems.spec("track")), {"dataset": "mixed"})
    learner = Learner(run, VideoSource(run.data, 0))
    assert isinstance(learner.core, Tracker)
    literal = LiteralTracker.like(learner.core)
    optimizer = torch.optim.Adam(literal.parameters(), lr=1e-3)
    batch = learner.source.batch(0, 32)
    frames, boxes = batch.frames.transpose(0, 1), batch.boxes.transpose(0, 1)
    truth = Truth(boxes[1:], batch.visible.t()[1:])
    learner.source.batch = lambda step, size: batch  # type: ignore[method-assign]

    def reference() -> None:
        box, window, place, sure = literal(frames, boxes[0])
        none = torch.zeros_like(sure)
        outputs = objective.Step(box, place, sure, none, window, window[..., 2:], none[..., None, None, None])
        optimizer.zero_grad()
        objective.loss(outputs, frames[1:], truth, Config()).total.backward()
        optimizer.step()

    ratios = []
    for _ in range(9):
        slow = seconds(reference)
        ratios.append(slow / seconds(learner.advance))
    middle = statistics.median(ratios[1:])
    print(f"\n{middle:.2f} x the literal reference ({min(ratios[1:]):.2f} ... {max(ratios[1:]):.2f})")
    assert middle >= 1.0


@pytest.mark.bench
def test_an_answer_takes_less_than_5_ms_of_one_core() -> None:
    torch.set_num_threads(1)
    core = Tracker(Config()).eval()
    for height, width in ((64, 64), (240, 360), (360, 640)):
        frame = torch.randint(256, (1, 1, 3, height, width), dtype=torch.uint8)
        context: Any = First(frame[0], torch.tensor([[0.0, 0.0, 0.1, 0.15]]))
        with torch.inference_mode():
            target, state = core.prepare(context), core.initial_state(1)
            times = []
            for _ in range(60):
                start = time.process_time()
                _, state = unroll(core, frame, state, target)  # type: ignore[arg-type]
                times.append(1000 * (time.process_time() - start))
        middle = statistics.median(times[10:])
        print(f"\n{width} x {height}: {middle:.2f} ms of one core an answer")
        assert middle <= MOST_ANSWER_MS
    assert SYSTEM.strip_frames == 9
