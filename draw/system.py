"""DRAW as a system: how an episode is made, measured and shown."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from saccade.draw import loss as objective
from saccade.draw.config import Config
from saccade.draw.model import Context, Draw, Step
from saccade.draw.painter import Painter
from saccade.draw.picture import picture, tile
from saccade.images.config import ImageData, ImageFacts
from saccade.images.source import ImageBatch
from saccade.images.system import ImageSystem
from saccade.pipeline.animate.charts import bars
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import AnySource, Episode, Loss, Trace
from saccade.pipeline.trained import Trained
from saccade.recurrent.core import AnyCore

DrawEpisode = Episode[Tensor, Context, Tensor]
"""Noise [T, B, Z], images and labels as context, labels [B]; with S samples B is S times the batch."""

ROWS = 500
"""Rows of a batch in an evaluation: images times samples."""

IDLE_NATS = 0.05
"""A step whose KL is smaller tells the decoder next to nothing."""

PALEST, DARKEST = 0.01, 0.99
"""Mean images are brought into this range before their logit is taken."""


class DrawSystem(ImageSystem[Config, Step]):
    """DRAW as a system."""

    glide_frames, glide_up_to = 3, 20
    strip_frames, strip_of_tiles = 10, True
    reads_data = False

    def trained(self) -> type[Painter]:
        """Return the class of a trained DRAW."""
        return Painter

    def build(self, config: Config, facts: ImageFacts) -> Draw:
        """Build a freshly initialised network."""
        return Draw(config, facts.shape)

    @torch.no_grad()
    def prime(self, core: AnyCore, batch: ImageBatch) -> None:
        """What a fresh model takes from training images before it learns: the first canvas is their mean."""
        assert isinstance(core, Draw)
        core.generator.canvas.copy_(torch.logit(batch.images.mean(0).clamp(PALEST, DARKEST)))

    def data_for(self, config: Config, data: ImageData) -> ImageData:
        """Black and white images for the Bernoulli likelihood, grey levels and colours for the logistic one."""
        if data.binarise != "auto":
            return data
        return replace(data, binarise="fixed" if config.likelihood == "bernoulli" else "none")

    def episode(
        self, batch: ImageBatch, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> DrawEpisode:
        """Draw the latents' noise [T, B, Z]. With S samples the batch is repeated S times, sample by sample."""
        images, labels = batch.images.repeat(config.samples, 1, 1, 1), batch.labels.repeat(config.samples)
        noise = torch.randn(steps_at(config, progress), len(images), config.latent, generator=generator)
        return Episode(noise.to(images.device), Context(images, labels), labels)

    def loss(self, outputs: Step, episode: DrawEpisode, config: Config) -> Loss:
        """The bound, nats an image."""
        return objective.bound(outputs, episode.context.images, config)

    def examples_at_once(self, config: Config) -> int:
        """Images in a batch of an evaluation: the more samples each, the fewer."""
        return max(1, ROWS // config.samples)

    def metrics(self, outputs: Step, episode: DrawEpisode, config: Config) -> dict[str, Tensor]:
        """Per image: log-weights [B, S], of the first sample the reconstruction [B] and every step's KL [B, T], and how
        many numbers an image consists of [B]."""
        images, count = episode.context.images, len(episode.targets) // config.samples
        weights = objective.log_weight(outputs, episode.inputs, images, config)
        wrong = objective.reconstruction(outputs.canvas[-1], outputs.log_scale[-1], images, config)
        return {
            "log_weights": weights.view(config.samples, count).t(),
            "reconstruction": wrong[:count],
            "kl": objective.divergence(outputs.mu, outputs.log_sigma)[:, :count].t(),
            "dimensions": torch.full((count,), images[0].numel()),
            "target": episode.targets[:count],
        }

    def health(self, outputs: Step, episode: DrawEpisode, config: Config) -> dict[str, float]:
        """Steps of the batch, the KL over all of them, and how many of them tell the decoder next to nothing."""
        kl = objective.divergence(outputs.mu.detach(), outputs.log_sigma.detach()).mean(1)
        return {"steps": len(kl), "kl_nats": kl.sum().item(), "idle_steps": int((kl < IDLE_NATS).sum())}

    def warnings(self, health: Mapping[str, float], config: Config) -> list[str]:
        """Signs that the latents are not used."""
        if health["idle_steps"] < health["steps"]:
            return []
        return ["the latents say nothing (KL near 0): it has collapsed; lower the learning rate or the first steps"]

    def conditions(self, config: Config) -> dict[str, Config]:
        """The bound with one sample, and the importance-weighted estimate."""
        return {
            "one_sample": replace(config, samples=1),
            "importance_weighted": replace(config, samples=config.importance_samples),
        }

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> dict[str, Any]:
        """Return the bound with its parts and the importance-weighted estimate by K, in nats an image.

        The mean bound of all K samples is the bound again, with less noise. For grey levels and colours the bound is
        given in bits per dimension too: per pixel and channel, as their literature gives it.
        """
        one, many = results["one_sample"], results["importance_weighted"]["log_weights"].double().t()
        wrong, kl = one["reconstruction"].double(), one["kl"].double()
        bounds = wrong + kl.sum(1)
        counts = sorted({k for k in (1, 10, 100, 1000) if k < len(many)} | {len(many)})
        grey = config.likelihood == "logistic"
        bits = (
            {"bits_per_dimension": bounds.mean().item() / (one["dimensions"][0].item() * math.log(2))} if grey else {}
        )
        return {
            "bound_nats": bounds.mean().item(),
            **bits,
            "bound_standard_error_nats": (bounds.std() / len(bounds) ** 0.5).item(),
            "reconstruction_nats": wrong.mean().item(),
            "kl_nats": kl.sum(1).mean().item(),
            "kl_nats_per_step": kl.mean(0).tolist(),
            "importance_weighted_nats": {str(k): objective.importance_weighted(many[:k]).mean().item() for k in counts},
            "mean_bound_nats": {str(len(many)): -many.mean().item()},
            "steps": config.steps,
        }

    def charts(self, metrics: Mapping[str, Any]) -> dict[str, bytes]:
        """What every step's latents tell, on average over the images."""
        kl, total = metrics["kl_nats_per_step"], metrics["kl_nats"]
        title = f"{total:.1f} nats in {len(kl)} steps: what each step's latents tell of an image"
        return {"kl-per-step": bars(kl, title=title, across="step", up="KL, nats an image")}

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the frame that shows one drawing large."""
        return picture(trace, t, example)

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw a small frame for a wall of many."""
        return tile(trace, t, example)

    def showcase(self, trained: Trained[Config, ImageBatch, ImageFacts], source: AnySource | None, count: int) -> Trace:
        """Return drawings made from noise."""
        assert isinstance(trained, Painter)
        return trained.generate(count).trace

    def showcase_caption(self) -> str:
        """Return the sentence under a report's film."""
        return "Drawn out of noise, step by step."


def steps_at(config: Config, progress: float) -> int:
    """T at a point of the training: grown geometrically from `first_steps`."""
    first = min(config.first_steps, config.steps)
    if progress >= config.grow_until or first == config.steps:
        return config.steps
    return round(first * (config.steps / first) ** (progress / config.grow_until))


SYSTEM = DrawSystem()
