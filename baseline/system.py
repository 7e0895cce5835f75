"""The feed-forward baselines as a system, with episodes of one step."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from saccade.baseline.config import Config
from saccade.baseline.model import Look, OneLook
from saccade.baseline.picture import picture
from saccade.images.config import ImageFacts
from saccade.images.source import ImageBatch
from saccade.images.system import ImageSystem, ImageTrained
from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import Episode, Loss, Trace
from saccade.pipeline.evaluate.classification import confusion, error_percent

LookEpisode = Episode[Tensor, Tensor, Tensor]
"""Empty inputs [1, B, 0], images as context, labels [B]."""


class BaselineSystem(ImageSystem[Config, Look]):
    """Networks that see the whole image at once."""

    def trained(self) -> type[ImageTrained[Config]]:
        """Return the class of a trained network."""
        return ImageTrained

    def build(self, config: Config, facts: ImageFacts) -> OneLook:
        """Build a freshly initialised network."""
        return OneLook(config, facts.shape)

    def episode(
        self, batch: ImageBatch, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> LookEpisode:
        """Make an episode of one step without randomness: the inputs [1, B, 0] are empty."""
        return Episode(batch.images.new_zeros(1, len(batch.images), 0), batch.images, batch.labels)

    def loss(self, outputs: Look, episode: LookEpisode, config: Config) -> Loss:
        """Return the cross-entropy of the true class, nats."""
        total = F.cross_entropy(outputs.logits[-1], episode.targets)
        return Loss(total, {"cross_entropy": total.detach()})

    def metrics(self, outputs: Look, episode: LookEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each image: the belief [B, K], and the label [B]."""
        return {"probabilities": F.softmax(outputs.logits[-1], dim=1), "target": episode.targets}

    def health(self, outputs: Look, episode: LookEpisode, config: Config) -> dict[str, float]:
        """Return the error on the batch."""
        return {"error_percent": error_percent(outputs.logits[-1], episode.targets)}

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the only condition: the whole image, seen once."""
        return {"one_look": config}

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the error, the confusion matrix, and the kind of network."""
        main = results["one_look"]
        probabilities, target = main["probabilities"], main["target"]
        return {
            "error_percent": {"one_look": error_percent(probabilities, target)},
            "confusion": confusion(probabilities, target),
            "kind": config.kind,
        }

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the frame."""
        return picture(trace, t, example)


SYSTEM = BaselineSystem()
