"""The metrics of an evaluation of RAM: one row an image, and a report that is right on outputs made by hand."""

import math
from typing import Any

import pytest
import torch

from saccade.glimpse.config import Config
from saccade.glimpse.system import SYSTEM
from saccade.glimpse.trace import Glimpse
from saccade.images.source import ImageBatch
from saccade.pipeline.contract import AnyEpisode

CONFIG = Config(glimpses=2, patch=4)


def made(beliefs: list[list[list[float]]], targets: list[int], rollouts: int = 1) -> tuple[Any, AnyEpisode, Config]:
    """Outputs that hold beliefs [T, B, K], and the episode of their images; with rollouts, B is M times the images."""
    config = Config(glimpses=len(beliefs), patch=4, rollouts=rollouts)
    batch = ImageBatch(torch.zeros(len(targets), 1, 8, 8), torch.tensor(targets))
    episode = SYSTEM.episode(batch, config, torch.Generator().manual_seed(0))
    logits = torch.tensor(beliefs).log()
    steps, rows = logits.shape[:2]
    location = torch.arange(steps * rows * 2).view(steps, rows, 2) / 100
    nothing = torch.zeros(steps, rows)
    outputs = Glimpse(location, nothing, nothing, logits, location, location, nothing.bool(), nothing)
    return outputs, episode, config


def test_every_metric_has_a_row_for_each_image() -> None:
    outputs, episode, config = made([[[0.5, 0.3, 0.2]] * 4, [[0.1, 0.1, 0.8]] * 4], [0, 1, 2, 2])
    metrics = SYSTEM.metrics(outputs, episode, config)
    assert {name: tuple(values.shape) for name, values in metrics.items()} == {
        "probabilities": (4, 2, 3),
        "location": (4, 2, 2),
        "target": (4,),
    }
    torch.testing.assert_close(metrics["probabilities"][3], torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]))
    torch.testing.assert_close(metrics["location"][2], outputs.location[:, 2])
    assert metrics["target"].tolist() == [0, 1, 2, 2]


def test_rollouts_are_averaged_and_the_first_ones_gaze_is_kept() -> None:
    outputs, episode, config = made([[[1.0, 0.0], [0.2, 0.8], [0.5, 0.5], [0.6, 0.4]]], [0, 1], rollouts=2)
    metrics = SYSTEM.metrics(outputs, episode, config)
    torch.testing.assert_close(metrics["probabilities"][:, 0], torch.tensor([[0.75, 0.25], [0.4, 0.6]]))
    torch.testing.assert_close(metrics["location"], outputs.location[:, :2].transpose(0, 1))
    assert metrics["target"].tolist() == [0, 1]


def test_the_report_counts_errors_by_glimpse_and_by_condition() -> None:
    beliefs = [[[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]], [[0.9, 0.1], [0.2, 0.8], [0.2, 0.8], [0.7, 0.3]]]
    main = SYSTEM.metrics(*made(beliefs, [0, 1, 0, 1]))
    wrong = SYSTEM.metrics(*made([beliefs[0]] * 2, [1, 1, 1, 1]))
    results = dict.fromkeys(SYSTEM.conditions(CONFIG), main) | {"random": wrong, "another_image": wrong}
    report = SYSTEM.report(results, CONFIG)
    assert report["error_percent_per_glimpse"] == [50.0, 50.0]
    assert report["error_percent"] == {"mean_policy": 50.0, "one_rollout": 50.0, "averaged": 50.0, "rollouts": 10}
    assert report["controls"] == {"fixed_scan": 50.0, "random": 100.0, "centre": 50.0, "another_image": 100.0}
    assert report["confusion"] == [[1, 1], [1, 1]]
    assert report["glimpses"] == 2
    assert report["gaze_std"] == pytest.approx(main["location"].std(dim=0).mean(1).tolist())
    assert all(math.isfinite(value) for value in report["gaze_std"])
