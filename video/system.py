"""The video system: it hands everything to the run's task."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.pipeline.contract import AnyEpisode, AnySource, Loss, System, Trace
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree
from saccade.video.clip import ClipTask
from saccade.video.config import Config
from saccade.video.frames import FramesTask
from saccade.video.next import NextTask
from saccade.video.recogniser import prime
from saccade.video.task import AnyTask
from saccade.videos.config import VideoData, VideoFacts
from saccade.videos.load import load_videos

if TYPE_CHECKING:
    from saccade.video.watcher import Watcher

TASKS: dict[str, AnyTask] = {"clip": ClipTask(), "frames": FramesTask(), "next": NextTask()}
"""The tasks, by their name in the settings."""


class VideoSystem(System[VideoData, Config, Tree, VideoFacts, Tree]):
    """Clips, their frames, and what comes next."""

    strip_frames = 9

    def load(self, run: Run[VideoData, Config], device: torch.device) -> AnySource:
        """Load the clips of a run."""
        return load_videos(run.data, run.model.task, run.train.seed)

    def build(self, config: Config, facts: VideoFacts) -> AnyCore:
        """Build the task's network."""
        return TASKS[config.task].build(config, facts)

    def prime(self, core: AnyCore, batch: Tree) -> None:
        """Compute the principal components of training frames, where the network uses them."""
        prime(core, batch)

    def episode(self, batch: Tree, config: Config, generator: torch.Generator, *, progress: float = 1.0) -> AnyEpisode:
        """Make the task's episode."""
        return TASKS[config.task].episode(batch, config, generator, progress)

    def loss(self, outputs: Tree, episode: AnyEpisode, config: Config) -> Loss:
        """Return the task's loss."""
        return TASKS[config.task].loss(outputs, episode, config)

    def metrics(self, outputs: Tree, episode: AnyEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each clip, as the task does."""
        return TASKS[config.task].metrics(outputs, episode, config)

    def replays(self, outputs: Tree, episode: AnyEpisode, config: Config) -> dict[str, AnyEpisode]:
        """Return the task's further episodes of an evaluation."""
        return TASKS[config.task].replays(outputs, episode, config)

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the task's part of metrics.json."""
        return TASKS[config.task].report(results, config)

    def health(self, outputs: Tree, episode: AnyEpisode, config: Config) -> dict[str, float]:
        """Return the task's scalars for the training log."""
        return TASKS[config.task].health(outputs, episode, config)

    def examples_at_once(self, config: Config) -> int:
        """Return the number of clips in a batch of an evaluation."""
        return TASKS[config.task].examples_at_once()

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw one frame of the task's film."""
        return TASKS[trace.facts.task].picture(trace, int(t), example)

    def trained(self) -> "type[Watcher]":
        """Return the class of a trained network: it can also read a user's videos."""
        from saccade.video.watcher import Watcher

        return Watcher

    def showcase_caption(self) -> str:
        """Return the sentence under a report's film."""
        return "Test clips, frame by frame."


SYSTEM = VideoSystem()
