"""Training throughput in the paper's configuration against the literal reference, and the time of one drawing."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from saccade.pipeline.config import Run
from saccade.pipeline.device import mixed_precision
from saccade.pipeline.train.loop import Learner
from saccade.sketch.config import SPEC, Config, SketchData
from saccade.sketch.episodes import five_features
from saccade.sketch.model import Given, Sketch
from saccade.sketch.sampling import noise_for, sample
from saccade.sketch.source import SketchSource
from tests.sketch.drawings import write_npz, zigzag
from tests.sketch.literal_sketch import LiteralSketch, literal_step

BATCH, LONGEST = 100, 125
PAPER = Config(encoder=256, decoder=512, latent=128, mixtures=20)


def seconds(step: Callable[[], object]) -> float:
    """Of the processor, for one step."""
    start = time.process_time()
    step()
    return time.process_time() - start


@pytest.mark.bench
@pytest.mark.parametrize(("precision", "bar"), [("fp32", 1.1), ("bf16", 2.5)])
def test_training_is_faster_than_the_literal_reference(precision: str, bar: float, tmp_path: Path) -> None:
    if precision == "bf16" and mixed_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("this processor does not multiply bf16 natively; the default precision is fp32 here")
    torch.set_num_threads(1)
    drawings = [zigzag(LONGEST, seed=i) for i in range(BATCH)]
    path = write_npz(tmp_path / "a.npz", train=drawings, valid=drawings[:2], test=drawings[:2])
    data = SketchData(dataset=f"npz:{path}", drop=0.0)
    source = SketchSource(data, seed=0)
    train = replace(SPEC.train, epochs=100_000, batch_size=BATCH, precision=precision)  # type: ignore[arg-type]
    learner = Learner(Run("sketch", data, PAPER, train), source)
    batch = source.batch(0, BATCH)
    moves = five_features(batch.moves, batch.lengths).transpose(0, 1).contiguous()
    literal = LiteralSketch()
    optimizer = torch.optim.Adam(literal.parameters(), lr=1e-3)
    ratios, rate = [], 0.0
    for _ in range(4):
        slow = seconds(lambda: literal_step(literal, optimizer, moves, batch.lengths, LONGEST))
        fast = seconds(learner.advance)
        ratios.append(slow / fast)
        rate = BATCH / fast
    middle = statistics.median(ratios[1:])
    print(f"\n{precision}: {middle:.2f} x the literal reference ({min(ratios[1:]):.2f} ... {max(ratios[1:]):.2f})")
    print(f"{rate:.0f} drawings of {LONGEST} moves a second")
    assert middle >= bar


@pytest.mark.bench
def test_one_drawing_of_125_moves_takes_at_most_60_ms() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    core = Sketch(PAPER, 1)
    with torch.no_grad():
        core.output.bias[2] = -50.0  # it never ends by itself
    context = Given(torch.randn(1, 128), torch.zeros(1, dtype=torch.int64))
    noise = noise_for(125, 1, torch.Generator().manual_seed(0))
    times = [seconds(lambda: sample(core, context, noise, 0.4)) for _ in range(11)]
    print(
        f"\n{1000 * float(np.median(times)):.0f} ms for 125 moves ({1000 * min(times):.0f} ... {1000 * max(times):.0f})"
    )
    assert np.median(times[1:]) <= 0.060
