"""DRAW as a system: its episodes, metrics, report and pictures."""

import math
from collections.abc import Mapping
from dataclasses import replace

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
from saccade.json_types import Record, Values
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
"""A step with a smaller KL carries almost no information."""

PALEST, DARKEST = 0.01, 0.99
"""Range to which the mean image is clamped before its logit is taken."""


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
        """Set the initial canvas of a fresh model to the mean of training images."""
        assert isinstance(core, Draw)
        core.generator.canvas.copy_(torch.logit(batch.images.mean(0).clamp(PALEST, DARKEST)))

    def data_for(self, config: Config, data: ImageData) -> ImageData:
        """Choose black and white images for the Bernoulli likelihood, grey levels and colours for the logistic one."""
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
        """Return the bound, nats per image."""
        return objective.bound(outputs, episode.context.images, config)

    def examples_at_once(self, config: Config) -> int:
        """Return the number of images in a batch of an evaluation: more samples per image, fewer images."""
        return max(1, ROWS // config.samples)

    def metrics(self, outputs: Step, episode: DrawEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each image.

        The log-weights [B, S]; for the first sample the reconstruction [B] and every step's KL [B, T]; the number of
        values in an image [B].
        """
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
        """Return the number of steps, their total KL, and the number of steps with almost no information."""
        kl = objective.divergence(outputs.mu.detach(), outputs.log_sigma.detach()).mean(1)
        return {"steps": len(kl), "kl_nats": kl.sum().item(), "idle_steps": int((kl < IDLE_NATS).sum())}

    def warnings(self, health: Mapping[str, float], config: Config) -> list[str]:
        """Return a warning if the latents are not used."""
        if health["idle_steps"] < health["steps"]:
            return []
        return ["the latents are not used (KL near 0): it has collapsed; lower the learning rate or the first steps"]

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the settings for the bound with one sample, and for the importance-weighted estimate."""
        return {
            "one_sample": replace(config, samples=1),
            "importance_weighted": replace(config, samples=config.importance_samples),
        }

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the bound with its parts and the importance-weighted estimate by K, in nats per image.

        The mean bound of all K samples is the same bound with less noise. For grey levels and colours the report also
        has the bound in bits per dimension (pixel and channel), the usual unit for such images.
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

    def charts(self, metrics: Values) -> dict[str, bytes]:
        """Draw the KL of every step, averaged over the images."""
        kl, total = metrics["kl_nats_per_step"], metrics["kl_nats"]
        title = f"{total:.1f} nats in {len(kl)} steps: information about an image in each step's latents"
        return {"kl-per-step": bars(kl, title=title, across="step", up="KL, nats an image")}

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the large frame."""
        return picture(trace, t, example)

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the small frame for a grid of many examples."""
        return tile(trace, t, example)

    def showcase(self, trained: Trained[Config, ImageBatch, ImageFacts], source: AnySource | None, count: int) -> Trace:
        """Return drawings made from noise."""
        assert isinstance(trained, Painter)
        return trained.generate(count).trace

    def showcase_caption(self) -> str:
        """Return the sentence under a report's film."""
        return "Drawn from noise, step by step."


def steps_at(config: Config, progress: float) -> int:
    """Return the number of steps at a point of the training: it grows geometrically from `first_steps`."""
    first = min(config.first_steps, config.steps)
    if progress >= config.grow_until or first == config.steps:
        return config.steps
    return round(first * (config.steps / first) ** (progress / config.grow_until))


SYSTEM = DrawSystem()
