"""Networks that look once, as a system: how an episode of one step is made, scored and shown."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from saccade.baseline.config import Config
from saccade.baseline.model import Look, OneLook
from saccade.baseline.picture import picture
from saccade.pipeline.contract import Batch, Episode, Loss, Shape
from saccade.pipeline.evaluate.classification import confusion, error_percent

__all__ = [
    "Config", "build", "conditions", "episode", "health", "loss", "metrics", "picture", "replays", "report", "warnings"
]  # fmt: skip


def build(config: Config, shape: Shape) -> OneLook:
    """A freshly initialised network for images and classes of that shape."""
    return OneLook(config, shape)


def episode(batch: Batch, config: Config, generator: torch.Generator, *, progress: float = 1.0) -> Episode:
    """One step and nothing random: the inputs [1, B, 0] are empty."""
    return Episode(batch.images.new_zeros(1, len(batch.images), 0), batch.images, batch.labels)


def loss(outputs: Look, episode: Episode, config: Config) -> Loss:
    """Cross-entropy of the true class, nats."""
    total = F.cross_entropy(outputs.logits[-1], episode.targets)
    return Loss(total, {"cross_entropy": total.detach()})


def metrics(outputs: Look, episode: Episode, config: Config) -> dict[str, Tensor]:
    """Per image: the belief [1, B, K]."""
    return {"probabilities": F.softmax(outputs.logits, dim=2), "target": episode.targets}


def replays(outputs: Look, episode: Episode, config: Config) -> dict[str, Episode]:
    """None: there is no gaze to borrow."""
    return {}


def health(outputs: Look, episode: Episode, config: Config) -> dict[str, float]:
    """The error on the batch."""
    return {"error_percent": error_percent(outputs.logits[-1], episode.targets)}


def warnings(health: Mapping[str, float], config: Config) -> list[str]:
    """None: without a policy nothing collapses."""
    return []


def conditions(config: Config) -> dict[str, Config]:
    """One: the whole image, seen once."""
    return {"one_look": config}


def report(results: Mapping[str, Mapping[str, Tensor]], config: Config) -> dict[str, Any]:
    """metrics.json's part: error, confusion matrix, and the kind of network."""
    main = results["one_look"]
    probabilities, target = main["probabilities"][-1], main["target"]
    return {
        "error_percent": {"one_look": error_percent(probabilities, target)},
        "confusion": confusion(probabilities, target),
        "kind": config.kind,
    }
