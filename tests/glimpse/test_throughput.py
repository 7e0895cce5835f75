"""Training throughput against the literal reference, in one interleaved run on one thread."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from saccade.glimpse.config import Config
from saccade.images.config import ImageData
from saccade.images.source import load_images
from saccade.pipeline.config import Run, TrainConfig
from saccade.pipeline.device import mixed_precision
from saccade.pipeline.train.loop import Learner

sys.path.insert(0, str(Path(__file__).parent))
from literal import LiteralRAM, literal_step


def rate(step: Callable[[], object], images: int, seconds: float = 1.0) -> float:
    """Images a second of the processor's."""
    start, steps = time.process_time(), 0
    while time.process_time() - start < seconds:
        step()
        steps += 1
    return steps * images / (time.process_time() - start)


@pytest.mark.bench
@pytest.mark.parametrize(("precision", "batch", "bar"), [("fp32", 128, 2.0), ("bf16", 256, 3.5)])
def test_training_is_several_times_faster_than_the_literal_reference(precision, batch, bar) -> None:
    if precision == "bf16" and mixed_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("this processor does not multiply bf16 natively; the default precision is fp32 here")
    torch.set_num_threads(1)
    data = ImageData(dataset="digits")
    source = load_images(data, seed=0)
    train = TrainConfig(epochs=100_000, batch_size=batch, precision=precision)
    learner = Learner(Run("glimpse", data, Config(), train), source)
    literal = LiteralRAM()
    optimizer = torch.optim.Adam(literal.parameters(), lr=1e-3)
    examples = source.batch(0, 128)

    def reference() -> None:
        literal_step(literal, optimizer, examples.images, examples.labels)

    ratios = []
    for _ in range(8):
        slow = rate(reference, 128)
        ratios.append(rate(learner.advance, batch) / slow)
    middle = statistics.median(ratios[1:])
    print(
        f"\n{precision}, batch {batch}: {middle:.2f} x the literal reference ({min(ratios):.2f} ... {max(ratios):.2f})"
    )
    assert middle >= bar
