"""The cost of a checkpoint every 30 seconds: under 1% of the training time."""

import statistics
import time
from pathlib import Path

import pytest

from saccade.draw.config import Config as DrawConfig
from saccade.glimpse.config import Config as GlimpseConfig
from saccade.images.config import ImageData
from saccade.images.source import load_images
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.config import Run, TrainConfig
from saccade.pipeline.train.loop import Learner

EVERY_SECONDS = TrainConfig().save_every_seconds
MODELS = {"glimpse": GlimpseConfig(), "draw": DrawConfig(steps=64, grow_until=0.0)}


@pytest.mark.bench
@pytest.mark.parametrize("system", MODELS)
def test_checkpoints_cost_less_than_one_percent(system: str, tmp_path: Path) -> None:
    data = ImageData(binarise="fixed" if system == "draw" else "none")
    settings = TrainConfig(batch_size=128, ema=0.99, threads=1, epochs=1)
    learner = Learner(Run(system, data, MODELS[system], settings), load_images(data, 0))
    learner.advance()
    cpu, wall, path = [], [], tmp_path
    for _ in range(7):
        learner.step += 1
        began = time.process_time(), time.perf_counter()
        path = checkpoint.save(tmp_path, learner.snapshot())
        cpu.append(time.process_time() - began[0])
        wall.append(time.perf_counter() - began[1])
    parts = [100 * seconds / EVERY_SECONDS for seconds in (statistics.median(cpu), min(wall))]
    size = path.stat().st_size / 1e6
    print(f"\n{system}: {size:.1f} MB, {1000 * statistics.median(cpu):.0f} ms of CPU ({parts[0]:.2f}% of 30 s)", end="")
    print(f", {1000 * min(wall):.0f} ms of wall time at best ({parts[1]:.2f}%),", end="")
    print(f" {1000 * statistics.median(wall):.0f} ms in the middle")
    assert max(parts) < 1.0


@pytest.mark.bench
@pytest.mark.parametrize("system", MODELS)
def test_looking_for_what_is_not_finite_costs_next_to_nothing(system: str) -> None:
    """The norm of the gradient and the loss as numbers, against the whole step that they are part of."""
    import torch
    from torch import nn

    data = ImageData(binarise="fixed" if system == "draw" else "none")
    learner = Learner(
        Run(system, data, MODELS[system], TrainConfig(batch_size=128, threads=1, epochs=9)), load_images(data, 0)
    )
    learner.advance()
    steps, checks = [], []
    gradients = [p.grad for p in learner.core.parameters() if p.grad is not None]
    gradients = [gradient.clone() for gradient in gradients]
    for _ in range(5):
        began = time.process_time()
        learner.advance()
        steps.append(time.process_time() - began)
        began = time.process_time()
        for _ in range(10):
            nn.utils.get_total_norm(gradients).item()
            torch.stack([torch.zeros(())] * 5).tolist()
        checks.append((time.process_time() - began) / 10)
    check, step = statistics.median(checks), statistics.median(steps)
    part = 100 * check / step
    print(f"\n{system}: {1e6 * check:.0f} us of a step's {1e3 * step:.1f} ms: {part:.2f}%")
    assert part < 2.0
