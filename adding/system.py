"""The adding problem as a system: sequences of differing lengths, an answer at the end of each."""

from collections.abc import Mapping

import torch
from torch import Tensor

from saccade.adding.config import AddingData, AddingFacts, Config
from saccade.adding.model import Adder
from saccade.adding.picture import picture
from saccade.adding.sequences import BLIND_ERROR, AddingSource, Sequences
from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.pipeline.contract import Episode, Loss, System, Trace
from saccade.recurrent.sequence import last

AddingEpisode = Episode[Tensor, None, Tensor]
"""Numbers and marks [T, B, 2], sums [B]."""

CLOSE = 0.05
"""An answer this close to the sum counts as right."""


class AddingSystem(System[AddingData, Config, Sequences, AddingFacts, Tensor]):
    """The adding problem."""

    strip_frames = 9

    def load(self, run: Run[AddingData, Config], device: torch.device) -> AddingSource:
        """Return the source of a run's sequences."""
        return AddingSource(run.data, run.train.seed, device)

    def build(self, config: Config, facts: AddingFacts) -> Adder:
        """Build a freshly initialised network."""
        return Adder(config)

    def episode(
        self, batch: Sequences, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> AddingEpisode:
        """Make an episode: inputs [T, B, 2], the sums as targets, the lengths."""
        inputs = torch.stack([batch.numbers.t(), batch.marks.t()], dim=2)
        return Episode(inputs, targets=batch.sums, lengths=batch.lengths)

    def loss(self, outputs: Tensor, episode: AddingEpisode, config: Config) -> Loss:
        """Return the mean squared error of each sequence's last answer."""
        error = self._squared_error(outputs, episode).mean()
        return Loss(error, {})

    def metrics(self, outputs: Tensor, episode: AddingEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each sequence: the squared error of its last answer, and its length [B]."""
        assert episode.lengths is not None
        return {"squared_error": self._squared_error(outputs, episode), "length": episode.lengths}

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the mean squared error, the percentage of answers within 0.05 of the sum, and the error by length."""
        errors, lengths = results["main"]["squared_error"].double(), results["main"]["length"]
        middle = (int(lengths.min()) + int(lengths.max())) // 2
        halves = {"shorter": errors[lengths <= middle], "longer": errors[lengths > middle]}
        return {
            "mean_squared_error": errors.mean().item(),
            "within_percent": 100 * (errors.sqrt() <= CLOSE).double().mean().item(),
            "always_1_squared_error": BLIND_ERROR,
            "mean_squared_error_by_length": {name: half.mean().item() for name, half in halves.items() if len(half)},
        }

    def warnings(self, health: Mapping[str, float], config: Config) -> list[str]:
        """Return a warning while the network answers no better than a constant."""
        if health["squared_error"] < 0.9 * BLIND_ERROR:
            return []
        return ["no better than always answering 1 (0.167): the core does not remember the marked numbers yet"]

    def health(self, outputs: Tensor, episode: AddingEpisode, config: Config) -> dict[str, float]:
        """Return the error of the batch."""
        return {"squared_error": self._squared_error(outputs, episode).mean().item()}

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the numbers so far, and the answer after each."""
        return picture(trace, t, example)

    @staticmethod
    def _squared_error(outputs: Tensor, episode: AddingEpisode) -> Tensor:
        return (last(outputs, episode.lengths) - episode.targets).square()


SYSTEM = AddingSystem()
