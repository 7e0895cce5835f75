"""A task of the video system: what `VideoSystem` asks of each. One file a task: clip.py, frames.py, next.py."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import AnyEpisode, Loss, Trace
from saccade.recurrent.core import AnyCore
from saccade.video.config import Config
from saccade.videos.config import VideoFacts

BatchT = TypeVar("BatchT")
OutputT = TypeVar("OutputT")


class Task(ABC, Generic[BatchT, OutputT]):
    """The methods mean what they mean in `saccade.pipeline.contract.System`."""

    @abstractmethod
    def build(self, config: Config, facts: VideoFacts) -> AnyCore:
        """Build a freshly initialised network."""

    @abstractmethod
    def episode(self, batch: BatchT, config: Config, generator: torch.Generator, progress: float) -> AnyEpisode:
        """Make the episode of a batch."""

    @abstractmethod
    def loss(self, outputs: OutputT, episode: AnyEpisode, config: Config) -> Loss:
        """Return the loss of an unrolled episode."""

    @abstractmethod
    def metrics(self, outputs: OutputT, episode: AnyEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each example [B, ...]."""

    def replays(self, outputs: OutputT, episode: AnyEpisode, config: Config) -> dict[str, AnyEpisode]:
        """Return further episodes of an evaluation."""
        return {}

    @abstractmethod
    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the task's part of metrics.json, from the main episodes' measures and those of replays."""

    @abstractmethod
    def health(self, outputs: OutputT, episode: AnyEpisode, config: Config) -> dict[str, float]:
        """Return scalars for the training log."""

    @abstractmethod
    def picture(self, trace: Trace, t: int, example: int) -> Pixels:
        """Draw one frame of a film."""

    def examples_at_once(self) -> int:
        """Return the number of examples in a batch of an evaluation."""
        return 100


AnyTask = Task[Any, Any]
