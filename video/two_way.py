"""A recogniser that also reads every clip from its end (Schuster & Paliwal 1997), so that it needs the whole clip."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.recurrent.sequence import Lengths
from saccade.recurrent.unroll import unroll
from saccade.video.config import Config
from saccade.video.encoder import Seen
from saccade.video.reader import Answer, Inputs, Masks, Reader
from saccade.videos.config import VideoFacts


class TwoWayStep(NamedTuple):
    """Output of a step before the clip is read backward; an unroll returns an `Answer`."""

    features: Float[Tensor, "*T B F"]
    h: Float[Tensor, "*T B H"]
    keep: Float[Tensor, "*T B H"]
    """The backward direction's dropout mask."""
    there: Float[Tensor, "*T B"]
    """1; 0 after a clip's end."""


class TwoWayState(NamedTuple):
    """Memory of the forward direction."""

    seen: Seen
    core: Any


class TwoWayRecogniser(Reader):
    """Read in both directions; inputs as `Recogniser`, always the whole clip."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__(config, facts, directions=2)
        self.backward_core = self._cells()

    def initial_state(self, batch_size: int) -> TwoWayState:
        return TwoWayState(self.nothing_seen(batch_size), self.core.initial_state(batch_size))

    def forward(
        self, inputs: Inputs, state: TwoWayState, context: Masks | None = None
    ) -> tuple[TwoWayStep, TwoWayState]:
        features, seen = self.encode(inputs, state.seen, context)
        h, core = self.core(features, state.core, None)
        keep = torch.ones_like(h)
        if context is not None and self.training:
            forward, keep = context.summary.chunk(2, dim=1)
            h = h * forward
        return TwoWayStep(features, h, keep, torch.ones_like(h[:, 0])), TwoWayState(seen, core)

    def fused(
        self, inputs: Inputs, state: TwoWayState, context: Masks | None = None, lengths: Lengths = None
    ) -> tuple[TwoWayStep, TwoWayState]:
        """Encode all frames at once; then take all steps of the forward direction."""
        features, seen = self.encode_all(inputs, state.seen, context, lengths)
        h, core = unroll(self.core, features, state.core, lengths=lengths)
        keep = torch.ones_like(h[0])
        if context is not None and self.training:
            forward, keep = context.summary.chunk(2, dim=1)
            h = h * forward
        return TwoWayStep(features, h, keep.expand_as(h), torch.ones_like(h[..., 0])), TwoWayState(seen, core)

    def readout(self, outputs: TwoWayStep, state: TwoWayState) -> Answer:
        """Read the features from each clip's own end, and answer from both directions' states."""
        steps, examples = outputs.there.shape
        lengths = outputs.there.sum(0).long()
        given = None if bool((lengths == steps).all()) else lengths
        start = self.backward_core.initial_state(examples)
        backward, _ = unroll(self.backward_core, flipped(outputs.features, lengths), start, lengths=given)
        h = torch.cat([outputs.h, flipped(backward, lengths) * outputs.keep], dim=2)
        if self.pool is None:
            return self.answers(h, h)
        return self.answers(unroll(self.pool, h, self.pool.initial_state(examples), lengths=given)[0], h)


def flipped(sequence: Float[Tensor, "T B F"], lengths: Int64[Tensor, " B"]) -> Float[Tensor, "T B F"]:
    """Return each example's own steps in the opposite order; the padding stays where it is."""
    if bool((lengths == len(sequence)).all()):
        return sequence.flip(0)
    steps = torch.arange(len(sequence), device=sequence.device)[:, None]
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return sequence.gather(0, source[..., None].expand_as(sequence))
