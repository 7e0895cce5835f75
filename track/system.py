"""The tracker as a system: its episodes, metrics, report and pictures."""

from collections.abc import Mapping

import torch
from torch import Tensor

from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.pipeline.contract import Episode, Loss, System, Trace
from saccade.track import loss as objective
from saccade.track.config import Config, TrackData, TrackFacts
from saccade.track.curves import THRESHOLDS, auc
from saccade.track.follower import Follower
from saccade.track.loss import RIGHT, Truth
from saccade.track.model import First, Step, Tracker
from saccade.track.picture import picture, tile
from saccade.track.ratm import RATM
from saccade.track.videos import Videos, VideoSource
from saccade.track.window import overlap

TrackEpisode = Episode[Tensor, First, Tensor]
"""Frames from the second one on [T, B, C, H, W]; the first frame and its box; the truth of every step."""

CLOSE_PIXELS = 4.0
"""Precision counts answers whose centre is at most this far from the truth's, in frames of 64 pixels."""


class TrackSystem(System[TrackData, Config, Videos, TrackFacts, Step]):
    """The tracker."""

    strip_frames = 9

    def trained(self) -> type[Follower]:
        """Return the class of a trained tracker."""
        return Follower

    def load(self, run: Run[TrackData, Config], device: torch.device) -> VideoSource:
        """Return the source of a run's videos."""
        return VideoSource(run.data, run.train.seed)

    def build(self, config: Config, facts: TrackFacts) -> Tracker | RATM:
        """Build a freshly initialised network."""
        return RATM(config) if config.method == "ratm" else Tracker(config)

    def episode(
        self, batch: Videos, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> TrackEpisode:
        """Make an episode: the first frame and its box are given, the others are looked at one after the other."""
        frames, boxes = batch.frames.transpose(0, 1), batch.boxes.transpose(0, 1)
        truth = Truth(boxes[1:], batch.visible.t()[1:])
        return Episode(frames[1:], First(frames[0], boxes[0]), step_targets=truth)

    def loss(self, outputs: Step, episode: TrackEpisode, config: Config) -> Loss:
        """Return localisation, place, appearance and confidence."""
        assert isinstance(episode.step_targets, Truth)
        return objective.loss(outputs, episode.inputs, episode.step_targets, config)

    def metrics(self, outputs: Step, episode: TrackEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each video: sums over its frames but the first, of those in which the target is visible [B].

        Overlap, success [B, thresholds] and precision; the frames; wrong confidences, and frames that it is counted on.
        """
        truth = episode.step_targets
        assert isinstance(truth, Truth)
        overlaps = overlap(outputs.box.detach(), truth.box)
        size = episode.inputs.shape[-1]
        apart = ((outputs.box.detach() - truth.box)[..., :2] * (size / 2)).square().sum(-1).sqrt()
        lost = (overlaps <= RIGHT) | ~truth.visible
        success = (overlaps[..., None] > torch.tensor(THRESHOLDS)) & truth.visible[..., None]
        return {
            "overlap": (overlaps * truth.visible).sum(0),
            "success": success.sum(0),
            "close": ((apart <= CLOSE_PIXELS) & truth.visible).sum(0),
            "visible": truth.visible.sum(0),
            "wrong": ((outputs.confidence.detach() < 0) != lost).sum(0),
            "lost": lost.sum(0),
            "frames": torch.full_like(overlaps[0], len(overlaps)),
        }

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return mean overlap, success and precision in percent, and how often the confidence is wrong."""
        found = {name: values.double().sum(0) for name, values in results["main"].items()}
        visible, frames = found["visible"].clamp(min=1), found["frames"]
        success = (found["success"] / visible).tolist()
        return {
            "iou_percent": 100 * (found["overlap"] / visible).item(),
            "success_auc_percent": 100 * auc(success),
            "precision_percent": 100 * (found["close"] / visible).item(),
            "precision_pixels": CLOSE_PIXELS,
            "lost_error_percent": 100 * (found["wrong"] / frames).item(),
            "lost_frames_percent": 100 * (found["lost"] / frames).item(),
            "success_by_threshold": success,
        }

    def health(self, outputs: Step, episode: TrackEpisode, config: Config) -> dict[str, float]:
        """Return the mean overlap, and the mean weight of a frame in the running appearance."""
        truth = episode.step_targets
        assert isinstance(truth, Truth)
        overlaps = overlap(outputs.box, truth.box)[truth.visible]
        return {"overlap": overlaps.mean().item() if len(overlaps) else 0.0, "gate": outputs.gate.mean().item()}

    def warnings(self, health: Mapping[str, float], config: Config) -> list[str]:
        """Return a warning while the tracker loses its target."""
        return ["it loses most targets"] if health["overlap"] < 0.2 else []

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the frame with window and box, and what the window sees."""
        return picture(trace, t, example)

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the frame with window and box alone."""
        return tile(trace, t, example)


SYSTEM = TrackSystem()
