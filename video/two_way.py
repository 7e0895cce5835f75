"""A recogniser that also reads every clip from its end (Schuster & Paliwal 1997), so that it needs the whole clip."""

from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from saccade.recurrent.core import AnyCore
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
    keep: Float[Tensor, "*T B two_H"] | None
    """Dropout mask of the last layer's states; None without."""
    there: Float[Tensor, "*T B"]
    """1; 0 after a clip's end."""


class TwoWayState(NamedTuple):
    """Memory of the first layer's forward direction."""

    seen: Seen
    core: Any


class TwoWayRecogniser(Reader):
    """Read in both directions; inputs as `Recogniser`, always the whole clip. Further layers read both directions."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__(config, facts, directions=2)
        self.backward_core = self.cells()
        size = 2 * config.hidden
        pairs = ([self.cells(size), self.cells(size)] for _ in range(config.layers - 1))
        self.deeper = nn.ModuleList(nn.ModuleList(pair) for pair in pairs)

    def initial_state(self, batch_size: int) -> TwoWayState:
        return TwoWayState(self.nothing_seen(batch_size), self.core.initial_state(batch_size))

    def forward(
        self, inputs: Inputs, state: TwoWayState, context: Masks | None = None
    ) -> tuple[TwoWayStep, TwoWayState]:
        features, seen = self.encode(inputs, state.seen, context)
        h, core = self.core(features, state.core, None)
        keep = context.summary if context is not None and self.training else None
        return TwoWayStep(features, h, keep, torch.ones_like(h[:, 0])), TwoWayState(seen, core)

    def fused(
        self, inputs: Inputs, state: TwoWayState, context: Masks | None = None, lengths: Lengths = None
    ) -> tuple[TwoWayStep, TwoWayState]:
        """Encode all frames at once; then take all steps of the forward direction."""
        features, seen = self.encode_all(inputs, state.seen, context, lengths)
        h, core = unroll(self.core, features, state.core, lengths=lengths)
        keep = context.summary.expand(len(h), -1, -1) if context is not None and self.training else None
        return TwoWayStep(features, h, keep, torch.ones_like(h[..., 0])), TwoWayState(seen, core)

    def readout(self, outputs: TwoWayStep, state: TwoWayState) -> Answer:
        """Read the features from each clip's own end, then both directions' states again; answer from the last ones."""
        steps, examples = outputs.there.shape
        lengths = outputs.there.sum(0).long()
        given = None if bool((lengths == steps).all()) else lengths

        def read(core: AnyCore, x: Tensor) -> Tensor:
            return unroll(core, x, core.initial_state(examples), lengths=given)[0]

        h = torch.cat(
            [outputs.h, flipped(read(self.backward_core, flipped(outputs.features, lengths)), lengths)], dim=2
        )
        for pair in self.deeper:
            ahead, back = cast(list[AnyCore], list(cast(nn.ModuleList, pair)))
            h = torch.cat([read(ahead, h), flipped(read(back, flipped(h, lengths)), lengths)], dim=2)
        h = h if outputs.keep is None else h * outputs.keep
        return self.answers(h if self.pool is None else read(self.pool, h), h)


def flipped(sequence: Float[Tensor, "T B F"], lengths: Int64[Tensor, " B"]) -> Float[Tensor, "T B F"]:
    """Return each example's own steps in the opposite order; the padding stays where it is."""
    if bool((lengths == len(sequence)).all()):
        return sequence.flip(0)
    steps = torch.arange(len(sequence), device=sequence.device)[:, None]
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return sequence.gather(0, source[..., None].expand_as(sequence))
