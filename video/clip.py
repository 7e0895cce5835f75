"""Task clip: one label for a whole clip."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import AnyEpisode, Episode, Loss, Trace
from saccade.recurrent.sequence import last
from saccade.video.clip_picture import picture
from saccade.video.config import Config
from saccade.video.reader import Answer, Inputs, Marked, Masks
from saccade.video.recogniser import Recogniser, build_recogniser, draw_masks
from saccade.video.task import Task
from saccade.video.two_way import TwoWayRecogniser
from saccade.videos.augment import rotations
from saccade.videos.config import VideoFacts
from saccade.videos.recordings import UNKNOWN, Clips


class Classes(NamedTuple):
    """The class of a clip, and of the clip that was mixed into it."""

    own: Tensor
    """int64 [B]."""
    others: Tensor | None
    """int64 [B]; None without mixing."""
    shares: Tensor | None
    """Part of the clip that is the other's, [B]."""


ClipEpisode = Episode[Inputs, Masks | None, Classes]
"""Frames [T, B, C, H, W], dropout masks, classes; `step_targets` classes [T, B] where frames have labels."""

WIDEST = 0.35
"""Largest angle by which skeletons are turned for another view, in radians."""


class ClipTask(Task[Clips, Answer]):
    """The answer after a clip's last frame counts; those before it show how the network came to it."""

    def build(self, config: Config, facts: VideoFacts) -> Recogniser | TwoWayRecogniser:
        """Build a freshly initialised recogniser.

        Raises:
            InputError: a loss of the frames' labels, and data without.
        """
        if config.frames_weight and not facts.marked:
            raise InputError("frames with labels, for --frames-weight", "others", "add --mark, with grid:FILE")
        return build_recogniser(config, facts)

    def episode(self, batch: Clips, config: Config, generator: torch.Generator, progress: float) -> ClipEpisode:
        """Make an episode: the frames as inputs, the dropout masks as context."""
        masks = draw_masks(config, len(batch.labels), generator)
        frames = network_frames(batch.frames)
        inputs = frames if batch.own is None else Marked(frames, batch.own.t().to(frames.dtype))
        labels = batch.step_labels.t() if config.frames_weight and batch.step_labels is not None else None
        classes = Classes(batch.labels, batch.others, batch.shares)
        return Episode(inputs, masks, classes, labels, batch.lengths)

    def loss(self, outputs: Answer, episode: ClipEpisode, config: Config) -> Loss:
        """Return the cross-entropy of each clip's last answer, plus the weighted one of the labelled frames."""
        logits, labels = last(outputs.logits, episode.lengths).float(), episode.step_targets
        own, others, shares = episode.targets
        nats = lambda classes: F.cross_entropy(  # noqa: E731
            logits, classes, reduction="none", label_smoothing=config.smoothing
        )
        each = nats(own) if others is None or shares is None else torch.lerp(nats(own), nats(others), shares)
        loss = each.mean()
        if outputs.frames is None or not isinstance(labels, Tensor):
            return Loss(loss, {})
        seen = outputs.frames.float().flatten(0, 1)
        frames = F.cross_entropy(seen, labels.flatten(), ignore_index=UNKNOWN, label_smoothing=config.smoothing)
        return Loss(loss + config.frames_weight * frames, {"frames_nats": frames.detach()})

    def metrics(self, outputs: Answer, episode: ClipEpisode, config: Config) -> dict[str, Tensor]:
        """Give each clip's class and answer, and the answer after half of its frames [B]."""
        assert episode.lengths is not None
        half = (episode.lengths + 1) // 2
        return {
            "class": episode.targets.own,
            "answer": last(outputs.logits, episode.lengths).argmax(1),
            "answer_at_half": last(outputs.logits, half).argmax(1),
            "log_probabilities": last(outputs.logits, episode.lengths).float().log_softmax(1),
        }

    def replays(self, outputs: Answer, episode: ClipEpisode, config: Config) -> dict[str, AnyEpisode]:
        """Return the same clips from other sides."""
        frames, own = episode.inputs if isinstance(episode.inputs, Marked) else (episode.inputs, None)
        seen = other_views(frames, config.views)
        inputs = seen if own is None else [Marked(view, own) for view in seen]
        return {f"view {number}": episode._replace(inputs=view) for number, view in enumerate(inputs, start=1)}

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the accuracy and the error in percent, and the confusion matrix (rows: true classes)."""
        main = results["main"]
        truth, views = main["class"], [measured["log_probabilities"].double() for measured in results.values()]
        together = torch.stack(views).logsumexp(0) - math.log(len(views))
        answer = together.argmax(1)
        right = 100 * (answer == truth).double().mean().item()
        early = 100 * (main["answer_at_half"] == truth).double().mean().item()
        classes = int(max(truth.max(), answer.max())) + 1
        confusion = torch.bincount(truth * classes + answer, minlength=classes**2).view(classes, classes)
        report = {
            "accuracy_percent": right,
            "error_percent": 100 - right,
            "nll_nats": F.nll_loss(together, truth).item(),
            "confusion": confusion.tolist(),
        }
        if len(views) > 1:
            report["one_view_accuracy_percent"] = 100 * (main["answer"] == truth).double().mean().item()
        return report if config.direction == "both" else report | {"accuracy_at_half_percent": early}

    def health(self, outputs: Answer, episode: ClipEpisode, config: Config) -> dict[str, float]:
        """Return the accuracy of the batch."""
        right = last(outputs.logits, episode.lengths).argmax(1) == episode.targets.own
        return {"accuracy_percent": 100 * right.float().mean().item()}

    def picture(self, trace: Trace, t: int, example: int) -> Pixels:
        """Draw the frame, and the classes' probabilities so far."""
        return picture(trace, t, example)


def other_views(frames: Tensor, views: int) -> list[Tensor]:
    """Return other views of clips [T, B, ...]: pictures mirrored, skeletons turned by up to `WIDEST` to either side."""
    if frames.shape[-1] != 3 or frames.shape[-2] != 1:
        return [frames.flip(-1)] * min(views, 1)
    angles = torch.tensor([side * WIDEST * (n + 1) / (views // 2) for n in range(views // 2) for side in (-1, 1)])
    return [frames @ turned.t() for turned in rotations(angles, torch.zeros_like(angles))]


def network_frames(frames: Tensor) -> Tensor:
    """Convert a batch's frames to inputs [T, B, ...]: pictures to [0, 1], joints [B, T, J, 3] to [T, B, J, 1, 3]."""
    if frames.dtype == torch.uint8:
        return frames.transpose(0, 1).float() / 255
    return frames.transpose(0, 1).unsqueeze(3)
