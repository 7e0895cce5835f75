"""The same command gives the same bits; what threads do to the data changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from saccade.images.config import ImageData
from saccade.images.source import load_images


@pytest.mark.parametrize("system", ["glimpse", "draw"])
def test_deterministic_gives_equal_results(system: str, words: Any, run: Any, last: Any, tmp_path: Path) -> None:
    try:
        for name in ("one", "other"):
            assert run(*words(system, tmp_path / name, "--epochs", "1", "--deterministic"))[0] == 0
            assert torch.are_deterministic_algorithms_enabled()
            torch.rand(7)  # torch's own stream stands elsewhere when the second begins
        assert last(tmp_path / "one") == last(tmp_path / "other")
        assert run(*words(system, tmp_path / "free", "--epochs", "1"))[0] == 0
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    "config", [ImageData(shift=2), ImageData(binarise="dynamic")], ids=["shifted", "dynamically binarised"]
)
def test_batches_do_not_depend_on_threads(config: ImageData) -> None:
    steps = [0, 12, 25, 3, 11, 30, 1, 22] * 4  # of several epochs, out of order
    source = load_images(config, seed=3)
    alone = [source.batch(step, 128) for step in steps]
    shared = load_images(config, seed=3)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda step: shared.batch(step, 128), steps))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
