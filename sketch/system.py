"""sketch-rnn as a system: drawings in, drawings out; or drawings in, classes out."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.pipeline.contract import AnyEpisode, Loss, System, Trace
from saccade.pipeline.evaluate.classification import confusion, error_percent
from saccade.recurrent.sequence import last
from saccade.sketch.artist import Artist
from saccade.sketch.config import Config, SketchData, SketchFacts
from saccade.sketch.episodes import drawing_episode
from saccade.sketch.loss import divergence, nats, objective
from saccade.sketch.model import Sketch, Step
from saccade.sketch.pen_reader import PenReader, reading_episode
from saccade.sketch.picture import picture, tile
from saccade.sketch.source import SketchSource, Strokes

SECOND_HALF = {"second_half_after_first": "first half", "second_half_alone": "nothing"}
"""Conditions that measure the second half of each drawing alone, and what is known before it."""

ONE_GAUSSIAN = 1 + math.log(2 * math.pi)
"""Nats of an offset under one Gaussian of its own variance: offsets are in units of their standard deviation."""


class SketchSystem(System[SketchData, Config, Strokes, SketchFacts, Any]):
    """Drawing and reading, by `Config.task`."""

    strip_frames = 12

    def load(self, run: Run[SketchData, Config], device: torch.device) -> SketchSource:
        """Return the source of a run's drawings."""
        return SketchSource(run.data, run.train.seed, device)

    def build(self, config: Config, facts: SketchFacts) -> Sketch | PenReader:
        """Build a freshly initialised network."""
        classes = len(facts.classes)
        if classes == 1 and (config.labelled or config.task == "read"):
            do = "name several files with commas between them, or choose digits or pendigits"
            raise InputError("drawings of several classes", "of one", do)
        return PenReader(config, classes) if config.task == "read" else Sketch(config, classes)

    def episode(
        self, batch: Strokes, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> AnyEpisode:
        """Make the episode of a batch."""
        if config.task == "read":
            return reading_episode(batch, config, generator)
        return drawing_episode(batch, config, generator, progress)

    def loss(self, outputs: Any, episode: AnyEpisode, config: Config) -> Loss:
        """Return the paper's objective; or the cross-entropy of each drawing's last answer."""
        if config.task == "draw":
            return objective(outputs, episode.targets, config)
        answers = last(outputs, episode.lengths)
        return Loss(F.cross_entropy(answers, episode.targets, label_smoothing=config.smoothing), {})

    def examples_at_once(self, config: Config) -> int:
        """Return the number of drawings in a batch of an evaluation."""
        return 100

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the settings without dropout; for drawing, also for the second half of each drawing."""
        main = replace(config, dropout=0.0)
        if config.task == "read" or config.known != "all":
            return {"main": main}
        return {"main": main} | {name: replace(main, known=known) for name, known in SECOND_HALF.items()}  # type: ignore[arg-type]

    def metrics(self, outputs: Any, episode: AnyEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each drawing: nats of offsets and pen, KL and moves [B]; or its last logits [B, K] and class [B]."""
        if config.task == "read":
            return {"logits": last(outputs, episode.lengths), "target": episode.targets}
        targets = episode.targets
        found = nats(outputs, targets)
        return {
            "offsets": found.offsets,
            "pen": found.pen,
            "kl": divergence(outputs.mu[0], outputs.log_variance[0]),
            "moves": targets.lengths - 1 - targets.measured_from,
            "longest": targets.longest,
        }

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the bound in nats a move and a drawing, the paper's L_R and L_KL; or the error of reading."""
        if config.task == "read":
            found = results["main"]
            logits, targets = found["logits"], found["target"]
            return {"error_percent": error_percent(logits, targets), "confusion": confusion(logits, targets)}
        main = {key: value.double() for key, value in results["main"].items()}
        wrong, moves = main["offsets"] + main["pen"], main["moves"].sum()
        bound = wrong + main["kl"]
        second = {name: _per_move(results[name], kl=False) for name in SECOND_HALF if name in results}
        return {
            "nats_per_point": (bound.sum() / moves).item(),
            "nats_per_drawing": bound.mean().item(),
            "nats_per_drawing_standard_error": (bound.std() / len(bound) ** 0.5).item(),
            "offset_nats_per_point": (main["offsets"].sum() / moves).item(),
            "pen_nats_per_point": (main["pen"].sum() / moves).item(),
            "kl_nats_per_drawing": main["kl"].mean().item(),
            "reconstruction": (wrong / main["longest"]).mean().item(),
            "kl": main["kl"].mean().item() / max(1, config.latent),
            "points_per_drawing": main["moves"].mean().item(),
            **({"second_half_nats_per_point": second} if second else {}),
        }

    def health(self, outputs: Any, episode: AnyEpisode, config: Config) -> dict[str, float]:
        """Return the KL a drawing and the offsets' nats a move; or the share of a batch that is read wrongly."""
        if config.task == "read":
            wrong = last(outputs, episode.lengths).argmax(1) != episode.targets
            return {"wrong_percent": 100 * wrong.float().mean().item()}
        assert isinstance(outputs, Step)
        found, moves = nats(outputs, episode.targets), episode.targets.lengths - 1
        kl = divergence(outputs.mu[0], outputs.log_variance[0])
        return {"kl_nats": kl.mean().item(), "offset_nats": (found.offsets.sum() / moves.sum()).item()}

    def warnings(self, health: Mapping[str, float], config: Config) -> list[str]:
        """Return a warning if the latents are not used, or if offsets are predicted worse than without a network."""
        if config.task == "read":
            return []
        found = []
        if config.latent and health["kl_nats"] < 0.01 * config.latent:
            found.append("the latents are not used (KL near 0): it has collapsed; lower --kl-weight")
        if health["offset_nats"] > ONE_GAUSSIAN:
            text = "offsets are predicted worse than by one Gaussian: gradients explode, or it does not learn"
            found.append(f"{text}; lower --learning-rate or --clip")
        return found

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the pen at work."""
        return picture(trace, t, example)

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the small frame of a wall."""
        return tile(trace, t, example)

    def trained(self) -> type[Artist]:
        """Return the class of a trained sketch-rnn."""
        return Artist


def _per_move(found: Mapping[str, Tensor], *, kl: bool) -> float:
    """Return the nats a move over all drawings; with the KL, or the likelihood alone."""
    total = found["offsets"].double() + found["pen"].double() + (found["kl"].double() if kl else 0)
    return (total.sum() / found["moves"].sum()).item()


SYSTEM = SketchSystem()
