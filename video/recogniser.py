"""A network that says what is happening: encoder, recurrent core, summary, answer.

`Recogniser` reads forward and has an answer after every frame; `TwoWayRecogniser` needs the whole clip.
"""

from typing import Any, NamedTuple

import torch

from saccade.recurrent.core import AnyCore
from saccade.recurrent.sequence import Lengths
from saccade.recurrent.tree import Tree
from saccade.recurrent.unroll import unroll
from saccade.video.config import Config
from saccade.video.encoder import ComponentEncoder, Seen
from saccade.video.pooling import PoolState
from saccade.video.reader import Answer, Inputs, Masks, Reader
from saccade.video.two_way import TwoWayRecogniser
from saccade.videos.config import VideoFacts
from saccade.videos.recordings import Clips


class RecogniserState(NamedTuple):
    """Memory of a recogniser."""

    seen: Seen
    core: Any
    pool: PoolState | None


class Recogniser(Reader):
    """Read forward; inputs [T, B, C, H, W] (joints: [T, B, J, 1, 3]), an `Answer` after every frame."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__(config, facts, directions=1)

    def initial_state(self, batch_size: int) -> RecogniserState:
        pool = self.pool.initial_state(batch_size) if self.pool else None
        return RecogniserState(self.nothing_seen(batch_size), self.core.initial_state(batch_size), pool)

    def forward(
        self, inputs: Inputs, state: RecogniserState, context: Masks | None = None
    ) -> tuple[Answer, RecogniserState]:
        features, seen = self.encode(inputs, state.seen, context)
        h, core = self.core(features, state.core, None)
        if context is not None and self.training:
            h = h * context.summary
        summary, pool = h, state.pool
        if self.pool is not None and pool is not None:
            summary, pool = self.pool(h, pool, None)
        return self.answers(summary, h), RecogniserState(seen, core, pool)

    def fused(
        self, inputs: Inputs, state: RecogniserState, context: Masks | None = None, lengths: Lengths = None
    ) -> tuple[Answer, RecogniserState]:
        """Encode all frames at once; then take all steps of each part."""
        features, seen = self.encode_all(inputs, state.seen, context, lengths)
        h, core = unroll(self.core, features, state.core, lengths=lengths)
        if context is not None and self.training:
            h = h * context.summary
        summary, pool = h, state.pool
        if self.pool is not None and pool is not None:
            summary, pool = unroll(self.pool, h, pool, lengths=lengths)
        return self.answers(summary, h), RecogniserState(seen, core, pool)


def build_recogniser(config: Config, facts: VideoFacts) -> Recogniser | TwoWayRecogniser:
    """Build the network of a clip's or of all frames' labels."""
    return (TwoWayRecogniser if config.direction == "both" else Recogniser)(config, facts)


PRIMING_FRAMES = 4000
"""Training frames from which principal components are computed."""


def prime(core: AnyCore, batch: Tree) -> None:
    """Give an encoder of principal components its components, from the frames of training clips."""
    encoder = getattr(core, "encoder", None)
    if isinstance(encoder, ComponentEncoder) and isinstance(batch, Clips):
        there = torch.arange(batch.frames.shape[1]) < batch.lengths[:, None]
        frames = batch.frames[there]
        every = max(1, len(frames) // PRIMING_FRAMES)
        encoder.prime(frames[::every][:PRIMING_FRAMES].float() / 255)


def draw_masks(config: Config, size: int, generator: torch.Generator) -> Masks | None:
    """Draw dropout masks for a batch of `size`; None without dropout."""
    if config.dropout == 0:
        return None
    directions = 2 if config.direction == "both" else 1
    keep = 1 - config.dropout
    sizes = (config.features, directions * config.hidden)
    features, summary = ((torch.rand(size, n, generator=generator) < keep).float() / keep for n in sizes)
    return Masks(features, summary)
