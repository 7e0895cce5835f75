"""Task next: the frames that come next, each predicted from those before it."""

from collections.abc import Mapping
from itertools import permutations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import Episode, Loss, Trace
from saccade.recurrent.core import AnyCore
from saccade.video.config import Config
from saccade.video.forecaster import FedForecaster, Forecast, Found, Given
from saccade.video.next_picture import picture
from saccade.video.objects import Painter
from saccade.video.task import Task
from saccade.videos.config import VideoFacts
from saccade.videos.moving import Sequences

NextEpisode = Episode[Given, None, Tensor]
"""Frames [T, B, C, H, W] and which are seen; the places of the digits [B, T, N, 2] as targets."""

PIXELS_PER_UNIT = 32
"""Half of Moving MNIST's side: a place in [-1, 1] times this is in pixels."""


class NextTask(Task[Sequences, Forecast]):
    """The first frames are given; the others are predicted without seeing any of them."""

    def build(self, config: Config, facts: VideoFacts) -> AnyCore:
        """Build a freshly initialised forecaster."""
        return Painter(config, facts) if config.network == "objects" else FedForecaster(config, facts)

    def episode(self, batch: Sequences, config: Config, generator: torch.Generator, progress: float) -> NextEpisode:
        """Make an episode; by scheduled sampling some of the frames to predict are shown while training goes on."""
        frames = batch.frames.transpose(0, 1).float() / 255
        steps, examples = frames.shape[:2]
        given = int(batch.given[0])
        shown = max(0.0, 1 - progress / config.sampling) if config.sampling and config.network == "convlstm" else 0.0
        seen = (torch.rand(steps, examples, generator=generator) < shown).float()
        seen[:given] = 1
        return Episode(Given(frames, seen), targets=batch.places)

    def loss(self, outputs: Forecast, episode: NextEpisode, config: Config) -> Loss:
        """Return the squared error a frame (sum over pixels) of all frames but the first, and the places' error."""
        errors = (outputs.frame - episode.inputs.frame)[1:].square().flatten(2).sum(2)  # [T - 1, B]
        if outputs.found is None:
            return Loss(errors.mean() / SCALE, {"mse": errors.mean().detach()})
        places = places_loss(outputs.found, episode.targets, episode.inputs.seen)
        terms = {"mse": errors.mean().detach(), "places": places.detach()}
        return Loss(errors[1:].mean() / SCALE + config.places_weight * places, terms)

    def metrics(self, outputs: Forecast, episode: NextEpisode, config: Config) -> dict[str, Tensor]:
        """Measure the frames that were not seen: squared error of each [B, P], SSIM and PSNR [B]."""
        given = int(episode.inputs.seen[:, 0].sum())
        truth, frames = episode.inputs.frame[given:], outputs.frame[given:].clamp(0, 1).float()
        repeated = episode.inputs.frame[given - 1].expand_as(truth)
        squared = lambda other: (other - truth).square().flatten(2).sum(2).t()  # noqa: E731
        flat, true = frames.flatten(0, 1), truth.flatten(0, 1)
        per_example = lambda values: values.view(len(truth), -1).mean(0)  # noqa: E731
        psnr = peak_signal_noise_ratio(flat, true, data_range=1.0, dim=(1, 2, 3), reduction="none")
        ssim = structural_similarity_index_measure(flat, true, data_range=1.0, reduction="none")
        assert isinstance(ssim, Tensor)
        found = {
            "squared_error": squared(frames),
            "repeating": squared(repeated).mean(1),
            "ssim": per_example(ssim),
            "psnr": per_example(psnr),
        }
        if outputs.found is not None and not episode.targets.isnan().any():
            found["place_error"] = place_errors(outputs.found.place[given:], episode.targets[:, given:])
        return found

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the squared error a frame, by frame too; SSIM and PSNR; the places' error in pixels."""
        measured = results["main"]
        by_frame = measured["squared_error"].double().mean(0)
        report = {
            "mse": by_frame.mean().item(),
            "ssim": measured["ssim"].double().mean().item(),
            "psnr": measured["psnr"].double().mean().item(),
            "mse_of_repeating_the_last_frame": measured["repeating"].double().mean().item(),
            "mse_by_frame": by_frame.tolist(),
        }
        if "place_error" in measured:
            report["place_error_pixels"] = measured["place_error"].double().mean().item()
        return report

    def health(self, outputs: Forecast, episode: NextEpisode, config: Config) -> dict[str, float]:
        """Return the squared error of the frames that were not seen."""
        unseen = episode.inputs.seen == 0
        errors = (outputs.frame - episode.inputs.frame).square().flatten(2).sum(2)
        return {"mse": errors[unseen].mean().item()} if bool(unseen.any()) else {}

    def picture(self, trace: Trace, t: int, example: int) -> Pixels:
        """Draw the true frame, the predicted one, the error, and the objects that were found."""
        return picture(trace, t, example)


SCALE = 100.0
"""Divides the squared error a frame in the loss, which is then about 1."""


def pairs(found: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return which slots [B, K] belong to which digits [B, K]: one matching for a whole sequence, the nearest one.

    Args:
        found: places [T, B, N, 2].
        truth: places [B, T, M, 2].
    """
    slots, digits = found.shape[2], truth.shape[2]
    away = (found.detach()[:, :, :, None] - truth.transpose(0, 1)[:, :, None]).square().sum((0, 4))  # [B, N, M]
    few = range(min(slots, digits))
    ways = torch.tensor(list(permutations(range(max(slots, digits)), len(few))))
    if slots >= digits:
        best = ways[torch.stack([away[:, way, few].sum(1) for way in ways]).argmin(0)]
        return best, torch.tensor(few).expand_as(best)
    best = ways[torch.stack([away[:, few, way].sum(1) for way in ways]).argmin(0)]
    return torch.tensor(few).expand_as(best), best


def matched(found: Tensor, truth: Tensor) -> Tensor:
    """Return the squared distances of found places [T, B, N, 2] to true ones [B, T, M, 2], of the best matching.

    Returns:
        [T, B, K], in units of [-1, 1].
    """
    slots, digits = pairs(found, truth)
    rows = torch.arange(len(slots))[:, None]
    return (found[:, rows, slots] - truth.transpose(0, 1)[:, rows, digits]).square().sum(3)


def places_loss(found: Found, truth: Tensor, seen: Tensor) -> Tensor:
    """Return the places' error in seen frames: its Gaussian surprise, nats a coordinate, plus its square (scaled)."""
    there = seen[:, 0] > 0
    measured, truth = found.measured[there], truth[:, there]
    slots, _ = pairs(measured, truth)
    squared = matched(measured, truth) * PIXELS_PER_UNIT**2
    variance = found.variance[there][:, torch.arange(len(slots))[:, None], slots]
    return (squared / variance / 4 + variance.log() / 2).mean() + squared.mean() / SCALE


def place_errors(found: Tensor, truth: Tensor) -> Tensor:
    """Return the mean distance of the found places to the true ones [B], in pixels."""
    return matched(found, truth).sqrt().mean((0, 2)) * PIXELS_PER_UNIT
