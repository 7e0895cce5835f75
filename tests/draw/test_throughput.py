"""Training throughput in the paper's MNIST configuration, against the literal reference, on one thread."""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from saccade.draw.config import SPEC, Config
from saccade.images.config import ImageData
from saccade.images.source import load_images
from saccade.pipeline.config import Run
from saccade.pipeline.device import mixed_precision
from saccade.pipeline.train.loop import Learner

sys.path.insert(0, str(Path(__file__).parent))
from literal_draw import LiteralDraw, literal_step

STEPS, BATCH = 64, 128


def seconds(step: Callable[[], object]) -> float:
    """Of the processor, for one step."""
    start = time.process_time()
    step()
    return time.process_time() - start


@pytest.mark.bench
@pytest.mark.parametrize(("precision", "bar"), [("fp32", 1.2), ("bf16", 1.8)])
def test_training_is_faster_than_the_literal_reference_and_fits_in_memory(precision, bar) -> None:
    if precision == "bf16" and mixed_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("this processor does not multiply bf16 natively; the default precision is fp32 here")
    torch.set_num_threads(1)
    data = ImageData(dataset="digits", binarise="fixed")
    source = load_images(data, seed=0)
    train = replace(SPEC.train, epochs=100_000, batch_size=BATCH, precision=precision)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    learner = Learner(Run("draw", data, Config(steps=STEPS, grow_until=0.0), train), source)
    learner.advance()
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20  # GiB
    literal = LiteralDraw()
    optimizer = torch.optim.Adam(literal.parameters(), lr=1e-3)
    images = source.batch(0, BATCH).images

    def reference() -> None:
        literal_step(literal, optimizer, images, STEPS)

    ratios, slow = [], 0.0
    for _ in range(4):
        slow = seconds(reference)
        ratios.append(slow / seconds(learner.advance))
    middle = statistics.median(ratios[1:])
    print(f"\n{precision}: {middle:.2f} x the literal reference ({min(ratios):.2f} ... {max(ratios):.2f})")
    print(f"{BATCH * middle / slow:.0f} images/s, {memory:.2f} GiB beyond the data")
    assert memory < 3
    assert middle >= bar
