"""Training speed against the literal reference, in one interleaved run on one thread; the time of one answer."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from saccade.pipeline.device import keep_freed_memory, mixed_precision
from saccade.recurrent.unroll import Unrolled, unroll
from saccade.video.config import Config
from saccade.video.forecaster import FedForecaster, Given
from saccade.video.recogniser import build_recogniser
from saccade.video.two_way import TwoWayRecogniser
from saccade.videos.config import VideoFacts

sys.path.insert(0, str(Path(__file__).parent))
from literal_video import LiteralConvLSTM, LiteralRecogniser

MOST_ANSWER_MS = 5.0

MOUTH = VideoFacts("clip", "pictures", 1, 28, 48, tuple(f"word {n}" for n in range(51)))
DIGITS = VideoFacts("next", "pictures", 1, 64, 64, (), given=10)
CLIP = Config(encoder="components", components=96, direction="both", hidden=192, pooling="attention")
FRAMES = 42
"""Sizes of experiments/video_lips.toml: a word of 6 frames, 18 on either side."""
NEXT = Config(task="next", network="convlstm", layers=2)


def test_the_literal_references_are_the_same_networks() -> None:
    torch.manual_seed(0)
    frames = torch.rand(5, 3, 1, 28, 48)
    core = build_recogniser(CLIP, MOUTH)
    assert isinstance(core, TwoWayRecogniser)
    with torch.no_grad():
        outputs, _ = unroll(core, frames, core.initial_state(3))
        torch.testing.assert_close(LiteralRecogniser(core)(frames), outputs.logits[-1], atol=1e-5, rtol=1e-4)
        forecaster, frames = FedForecaster(NEXT, DIGITS), torch.rand(5, 2, 1, 64, 64)
        seen = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])[:, None].expand(-1, 2)
        predicted: Any = unroll(forecaster, Given(frames, seen), forecaster.initial_state(2))[0]
        literal = LiteralConvLSTM(forecaster)(frames, given=3)
    torch.testing.assert_close(literal, predicted.frame[1:], atol=1e-5, rtol=1e-4)


def clip_steps(bf16: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    core = build_recogniser(CLIP, MOUTH)
    assert isinstance(core, TwoWayRecogniser)
    literal, frames, labels = LiteralRecogniser(core), torch.rand(FRAMES, 64, 1, 28, 48), torch.randint(51, (64,))
    unrolled = Unrolled(core)

    def ours() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs: Any = unrolled(frames)
        F.cross_entropy(outputs.logits[-1].float(), labels).backward()

    return ours, lambda: F.cross_entropy(literal(frames), labels).backward()


def next_steps(bf16: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    core = FedForecaster(NEXT, DIGITS)
    literal, frames = LiteralConvLSTM(core), torch.rand(20, 16, 1, 64, 64)
    seen = (torch.arange(20) < 10).float()[:, None].expand(-1, 16).contiguous()
    unrolled = Unrolled(core)

    def ours() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs: Any = unrolled(Given(frames, seen))
        (outputs.frame - frames)[1:].square().mean().backward()

    return ours, lambda: (literal(frames, 10) - frames[1:]).square().mean().backward()


def seconds(work: Callable[[], object]) -> float:
    """Of the processor."""
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.bench
@pytest.mark.parametrize(
    ("steps", "precision", "bar"),
    [(clip_steps, "fp32", 0.9), (clip_steps, "bf16", 1.8), (next_steps, "fp32", 0.9), (next_steps, "bf16", 1.2)],
)  # what is reached, with room for noise; the aim is 2 in bf16
def test_training_against_the_literal_reference(steps: Callable[[bool], Any], precision: str, bar: float) -> None:
    if precision == "bf16" and mixed_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("this processor does not multiply bf16 natively; the default precision is fp32 here")
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    ours, literal = steps(precision == "bf16")
    ratios = []
    for _ in range(8):
        own = seconds(ours)
        ratios.append(seconds(literal) / own)
    middle = statistics.median(ratios[2:])
    print(f"\n{steps.__name__}, {precision}: {middle:.2f} x the literal reference")
    assert middle >= bar


@pytest.mark.bench
@pytest.mark.parametrize("encoder", ["components", "conv"])
def test_an_answer_takes_less_than_5_ms_of_one_core(encoder: Any) -> None:
    torch.set_num_threads(1)
    core = build_recogniser(Config(task="frames", encoder=encoder, hidden=192), MOUTH).eval()
    frame, times = torch.rand(1, 1, 1, 28, 48), []
    with torch.inference_mode():
        state = core.initial_state(1)
        for _ in range(100):
            start = time.process_time()
            _, state = unroll(core, frame, state)
            times.append(1000 * (time.process_time() - start))
    middle = statistics.median(times[10:])
    print(f"\n{encoder}: {middle:.2f} ms of one core an answer")
    assert middle <= MOST_ANSWER_MS
