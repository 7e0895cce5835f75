"""A network that says what is happening: encoder, recurrent core, summary, answer.

`Recogniser` reads forward and has an answer after every frame. `TwoWayRecogniser` (Schuster & Paliwal 1997) also reads
every clip from its end, so that its answers need the whole clip.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from saccade.recurrent.cells import build_core
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.sequence import Lengths, last
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.tree import Tree
from saccade.recurrent.unroll import unroll
from saccade.video.config import Config
from saccade.video.encoder import ComponentEncoder, build_encoder
from saccade.video.pooling import Pool, PoolState
from saccade.videos.config import VideoFacts
from saccade.videos.recordings import Clips


class Masks(NamedTuple):
    """Dropout (variational: Gal & Ghahramani 2016, one mask for all steps): 0 or 1 / (1 - rate) for each number."""

    features: Float[Tensor, "B F"]
    summary: Float[Tensor, "B S"]


class Answer(NamedTuple):
    """The network's output after a frame."""

    logits: Float[Tensor, "*T B K"]
    """Of the classes: of the clip so far, or of this frame."""
    symbols: Float[Tensor, "*T B V"] | None
    """Logits of the sentence's symbols at this frame, the blank first (CTC); None without a sentence."""


class Seen(NamedTuple):
    """The previous frame, and 1 if there is one."""

    frame: Tensor
    there: Float[Tensor, " B"]


class RecogniserState(NamedTuple):
    """Memory of a recogniser."""

    seen: Seen
    core: Any
    pool: PoolState | None


class Average(RecurrentCore[Tensor, tuple[()], object, Tensor]):
    """The control without recurrence: one layer on each frame's features."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear, self.output_size = nn.Linear(input_size, hidden_size), hidden_size

    def initial_state(self, batch_size: int) -> tuple[()]:
        return ()

    def forward(self, inputs: Tensor, state: tuple[()], context: object = None) -> tuple[Tensor, tuple[()]]:
        y = affine((inputs,), (self.linear.weight,), (self.linear.bias,), relu=True)
        return y.to(self.linear.weight.dtype), state

    def fused(
        self, inputs: Tensor, state: tuple[()], context: object = None, lengths: Lengths = None
    ) -> tuple[Tensor, tuple[()]]:
        return self(inputs.flatten(0, 1), state)[0].view(*inputs.shape[:2], -1), state


class _Reader(RecurrentCore[Tensor, Any, Masks | None, Any]):
    """Base of both recognisers: frames to features, and states to answers."""

    def __init__(self, config: Config, facts: VideoFacts, directions: int) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        self.encoder = build_encoder(config, facts)
        self.core = self._cells()
        size = directions * config.hidden
        self.pool = Pool(config.pooling, size) if config.task == "clip" else None
        self.symbols = len(facts.words) + 1 if config.task == "frames" else 0
        self.answer = nn.Linear(size, len(facts.classes) + self.symbols)

    def _cells(self) -> AnyCore:
        config = self.config
        if config.core == "average":
            return Average(config.features, config.hidden)
        return build_core(config.core, config.features, config.hidden, config.layers)

    def nothing_seen(self, batch_size: int) -> Seen:
        """Return the memory before the first frame."""
        zeros = self.answer.weight.new_zeros(batch_size)
        return Seen(zeros.new_zeros(batch_size, self.facts.channels, self.facts.height, self.facts.width), zeros)

    def encode(self, frame: Tensor, seen: Seen, masks: Masks | None) -> tuple[Tensor, Seen]:
        """Return a frame's features [B, F], and the memory of it."""
        normal = self.encoder.normalise(frame)
        change = (normal - seen.frame) * seen.there[:, None, None, None]
        features = self.encoder(normal, change).to(frame.dtype)
        if masks is not None and self.training:
            features = features * masks.features
        return features, Seen(normal, torch.ones_like(seen.there))

    def encode_all(self, frames: Tensor, seen: Seen, masks: Masks | None, lengths: Lengths) -> tuple[Tensor, Seen]:
        """Return the features of all frames [T, B, F] as `encode` does one by one, and the memory of each clip's last."""
        normal = self.encoder.normalise(frames.flatten(0, 1)).view(frames.shape)
        features = self.encoder.sequence(normal, seen.frame, seen.there).to(frames.dtype)
        if masks is not None and self.training:
            features = features * masks.features
        return features, Seen(last(normal, lengths), torch.ones_like(seen.there))

    def answers(self, summary: Float[Tensor, "*T B S"]) -> Answer:
        """Return the answer from a summary."""
        flat = summary.reshape(-1, summary.shape[-1])
        y = affine((flat,), (self.answer.weight,), (self.answer.bias,)).to(summary.dtype)
        logits = y.view(*summary.shape[:-1], y.shape[-1])
        if not self.symbols:
            return Answer(logits, None)
        return Answer(logits[..., : -self.symbols], logits[..., -self.symbols :])


class Recogniser(_Reader):
    """Read forward; inputs [T, B, C, H, W] (joints: [T, B, J, 1, 3]), an `Answer` after every frame."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__(config, facts, directions=1)

    def initial_state(self, batch_size: int) -> RecogniserState:
        pool = self.pool.initial_state(batch_size) if self.pool else None
        return RecogniserState(self.nothing_seen(batch_size), self.core.initial_state(batch_size), pool)

    def forward(
        self, inputs: Tensor, state: RecogniserState, context: Masks | None = None
    ) -> tuple[Answer, RecogniserState]:
        features, seen = self.encode(inputs, state.seen, context)
        h, core = self.core(features, state.core, None)
        if context is not None and self.training:
            h = h * context.summary
        pool = state.pool
        if self.pool is not None and pool is not None:
            h, pool = self.pool(h, pool, None)
        return self.answers(h), RecogniserState(seen, core, pool)

    def fused(
        self, inputs: Tensor, state: RecogniserState, context: Masks | None = None, lengths: Lengths = None
    ) -> tuple[Answer, RecogniserState]:
        """Encode all frames at once; then take all steps of each part."""
        features, seen = self.encode_all(inputs, state.seen, context, lengths)
        h, core = unroll(self.core, features, state.core, lengths=lengths)
        if context is not None and self.training:
            h = h * context.summary
        pool = state.pool
        if self.pool is not None and pool is not None:
            h, pool = unroll(self.pool, h, pool, lengths=lengths)
        return self.answers(h), RecogniserState(seen, core, pool)


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


class TwoWayRecogniser(_Reader):
    """Read in both directions; inputs as `Recogniser`, always the whole clip."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__(config, facts, directions=2)
        self.backward_core = self._cells()

    def initial_state(self, batch_size: int) -> TwoWayState:
        return TwoWayState(self.nothing_seen(batch_size), self.core.initial_state(batch_size))

    def forward(
        self, inputs: Tensor, state: TwoWayState, context: Masks | None = None
    ) -> tuple[TwoWayStep, TwoWayState]:
        features, seen = self.encode(inputs, state.seen, context)
        h, core = self.core(features, state.core, None)
        keep = torch.ones_like(h)
        if context is not None and self.training:
            forward, keep = context.summary.chunk(2, dim=1)
            h = h * forward
        return TwoWayStep(features, h, keep, torch.ones_like(h[:, 0])), TwoWayState(seen, core)

    def fused(
        self, inputs: Tensor, state: TwoWayState, context: Masks | None = None, lengths: Lengths = None
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
        if self.pool is not None:
            h, _ = unroll(self.pool, h, self.pool.initial_state(examples), lengths=given)
        return self.answers(h)


def flipped(sequence: Float[Tensor, "T B F"], lengths: Int64[Tensor, " B"]) -> Float[Tensor, "T B F"]:
    """Return each example's own steps in the opposite order; the padding stays where it is."""
    if bool((lengths == len(sequence)).all()):
        return sequence.flip(0)
    steps = torch.arange(len(sequence), device=sequence.device)[:, None]
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return sequence.gather(0, source[..., None].expand_as(sequence))


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
