"""A tracker that was trained by the command line in seconds, and a video to follow things in."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import saccade

BOX = "20,14,12,10"
SMALL = [
    "--window",
    "24",
    "--features",
    "8",
    "--learning-rate",
    "1e-4",
    "--hidden",
    "8",
    "--held-out",
    "12",
    "--frames",
    "5",
    "--threads",
    "1",
]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("track") / "run"
    options = ["--dataset", "mixed", "--epoch-videos", "64", "--epochs", "1", "--batch-size", "16"]
    answer = saccade("track", "train", *SMALL, *options, "--out", path, "--eval", "--json")
    assert answer.code == 0, answer.err
    assert 0 < answer.json()["metrics"]["iou_percent"] <= 100
    return path


def frames(count: int = 6, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """A textured thing of 12 x 10 pixels, at (20, 14) in the first frame, that moves 2 pixels right and 1 down."""
    random = np.random.default_rng(0)
    ground = np.repeat(np.repeat(random.integers(60, 120, (height // 4, width // 4, 3)), 4, 0), 4, 1).astype(np.uint8)
    thing = random.integers(0, 256, (10, 12, 3)).astype(np.uint8)
    found = []
    for t in range(count):
        frame = ground.copy()
        frame[14 + t : 24 + t, 20 + 2 * t : 32 + 2 * t] = thing
        found.append(frame)
    return found


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in OTB's layout."""
    folder = tmp_path_factory.mktemp("videos") / "Thing"
    (folder / "img").mkdir(parents=True)
    for t, frame in enumerate(frames()):
        Image.fromarray(frame).save(folder / "img" / f"{t + 1:04d}.png")
    boxes = "".join(f"{21 + 2 * t},{15 + t},12,10\n" for t in range(6))
    (folder / "groundtruth_rect.txt").write_text(boxes)
    return folder


@pytest.fixture(scope="session")
def gif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gifs") / "thing.gif"
    first, *rest = (Image.fromarray(frame) for frame in frames())
    first.save(path, save_all=True, append_images=rest, duration=100)
    return path
