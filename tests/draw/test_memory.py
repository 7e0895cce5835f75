"""An evaluation's memory does not grow with the images it goes through."""

import subprocess
import sys

import pytest

PROGRAM = """
import torch
from pathlib import Path
from saccade.draw.system import SYSTEM
from saccade.draw.config import SPEC, Config
from saccade.images.config import ImageData
from saccade.pipeline.config import Run
from saccade.images.source import ImageBatch, load_images
from saccade.pipeline.evaluate.evaluate import evaluate
import saccade.pipeline.evaluate.evaluate as module

torch.set_num_threads(1)
data = ImageData(dataset="digits", binarise="fixed")
source = load_images(data, seed=0)
whole = source.held_out("test")
source.held_out = lambda split: ImageBatch(whole.images[:150], whole.labels[:150])
config = Config(steps=64, importance_samples=100)
core = SYSTEM.build(config, source.facts)
held, measure = [], module.unrolled

def watched(core, episode):
    held.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20)
    return measure(core, episode)

module.unrolled = watched
evaluate(Run("draw", data, config, SPEC.train), core, source)
print(len(held), max(held[1:11]), max(held[-10:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory from /proc")
def test_an_estimate_with_many_samples_stays_within_its_memory() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=280, check=True)
    batches, early, late = map(float, answer.stdout.split())
    assert batches == 31  # 150 images at once, then 5 with 100 samples each
    assert late < early + 40, (early, late)  # MiB
