"""A classifier of drawings: a recurrent core over the moves of the pen, with an answer after every move."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.pipeline.contract import Episode
from saccade.recurrent.cells import CoreState
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.unroll import unroll
from saccade.sketch.config import Config
from saccade.sketch.episodes import five_features, trimmed
from saccade.sketch.model import PenInputs, build_cell, cell_inputs, in_full, kept_share
from saccade.sketch.source import Strokes

FEATURES = 7
"""A move's five, and the point (x, y) that it ends at, seen from the drawing's first point."""

ReadEpisode = Episode[PenInputs, None, Tensor]
"""Features of each move [T, B, 7] and the dropout's mask; the classes [B]."""


class PenReader(RecurrentCore[PenInputs, CoreState, None, Tensor]):
    """A recurrent core with a linear answer: inputs `PenInputs` of 7 features to logits [B, K]; no context."""

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.core = build_cell(config, FEATURES, config.decoder)
        self.answer = nn.Linear(config.decoder, classes)
        self.kept = kept_share(config) / 256

    def initial_state(self, batch_size: int) -> CoreState:
        return self.core.initial_state(batch_size)

    def forward(
        self, inputs: PenInputs, state: CoreState, context: None = None
    ) -> tuple[Float[Tensor, "B K"], CoreState]:
        x = cell_inputs(self.core, inputs.move, None)
        h, state = self.core(x, state)  # type: ignore[arg-type]
        if inputs.keep is not None:
            h = h * inputs.keep / self.kept
        return in_full(self.answer, h), state


def reading_episode(batch: Strokes, config: Config, generator: torch.Generator) -> ReadEpisode:
    """Make the episode of a batch: what the pen did, move by move."""
    batch = trimmed(batch)
    five = five_features(batch.moves, batch.lengths)
    places = batch.moves[:, :, :2].cumsum(1) / PLACES
    features = torch.cat([five, places], dim=2).transpose(0, 1)
    keep = None
    if config.dropout:
        shape = (*features.shape[:2], config.decoder)
        keep = torch.randint(256, shape, dtype=torch.uint8, generator=generator) < kept_share(config)
    return Episode(PenInputs(features, keep), targets=batch.labels, lengths=batch.lengths)


@torch.no_grad()
def beliefs(reader: PenReader, batch: Strokes, config: Config) -> Float[Tensor, "T B K"]:
    """Return the probabilities of the classes after every move."""
    episode = reading_episode(batch, replace(config, dropout=0.0), torch.Generator())
    outputs, _ = unroll(reader, episode.inputs, reader.initial_state(len(batch.labels)))
    return outputs.softmax(2)


PLACES = 4.0
"""Divides places, which are some four offsets wide, to the size of offsets."""
