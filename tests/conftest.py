"""What every test shares: one thread, no traceback swallowed, and real MNIST where it is at hand."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

CHECKED = [
    "saccade.recurrent",
    *(f"saccade.gaze.{name}" for name in ("network", "reinforce", "sensor")),
    *(f"saccade.dram.{name}" for name in ("answers", "cnn", "loss", "model", "network", "order", "stopping", "trace")),
    *(f"saccade.glimpse.{name}" for name in ("following", "loss", "model", "reward", "trace")),
    *(f"saccade.draw.{name}" for name in ("loss", "model", "sampling", "windows")),
    *(f"saccade.sketch.{name}" for name in ("loss", "mixture", "model", "sampling")),
    "saccade.sketch.strokes",
    "saccade.adding.model",
    *(f"saccade.caption.{name}" for name in ("loss", "model", "scene_encoder", "trace")),
    *(f"saccade.track.{name}" for name in ("appearance", "loss", "model", "ratm", "window")),
    *(f"saccade.track.{name}" for name in ("appearance", "loss", "model", "ratm", "spectra", "window")),
    "saccade.baseline.model",
    *(f"saccade.video.{name}" for name in ("encoder", "forecaster", "objects", "pooling", "recogniser")),
    "saccade.images.canvas",
    "saccade.translate.encoder",
    "saccade.translate.model",
    *(f"saccade.words.{name}" for name in ("largest", "output_layer", "sampling", "search")),
]
"""Modules whose annotated types and shapes the tests check at every call."""


def pytest_configure(config: pytest.Config) -> None:
    """Install the checks before any of these modules is imported; not for benchmarks, whose times they would change."""
    if config.option.markexpr != "bench":
        install_import_hook(CHECKED, "beartype.beartype")


settings.register_profile("steady", derandomize=True, deadline=None)  # the same examples in every run, on any machine
settings.load_profile("steady")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)  # two test processes share two cores


@pytest.fixture(autouse=True)
def _show_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SACCADE_DEBUG", "1")  # an internal error fails a test with its traceback


@pytest.fixture
def mnist() -> Path:
    """The folder of real MNIST, which SACCADE_DATA names; without it the test is skipped."""
    folder = os.environ.get("SACCADE_DATA")
    if not folder:
        pytest.skip("SACCADE_DATA names no folder with MNIST")
    if not (Path(folder) / "MNIST" / "raw").is_dir():
        pytest.skip(f"no MNIST/raw in SACCADE_DATA={folder}")
    return Path(folder)
