"""The parts that recognisers share: frames to features, states to answers; and the control without recurrence."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.recurrent.cells import build_core
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.sequence import Lengths
from saccade.recurrent.shared_weights import affine
from saccade.video.config import Config
from saccade.video.encoder import Seen, build_encoder
from saccade.video.pooling import Pool
from saccade.videos.config import VideoFacts


class Masks(NamedTuple):
    """Dropout (variational: Gal & Ghahramani 2016, one mask for all steps): 0 or 1 / (1 - rate) for each number."""

    features: Float[Tensor, "B F"]
    summary: Float[Tensor, "B S"]


class Marked(NamedTuple):
    """Frames of a recording, of which some are the clip itself and the others are around it."""

    frame: Tensor
    """[T, B, C, H, W], or joints [T, B, J, 1, 3]."""
    own: Float[Tensor, "*T B"]
    """1 for the clip's own frames, 0 for those around it."""


Inputs = Tensor | Marked
"""Frames, as in `Marked`, or all of them the clip's own."""


class Answer(NamedTuple):
    """The network's output after a frame."""

    logits: Float[Tensor, "*T B K"]
    """Of the classes: of the clip so far, or of this frame."""
    symbols: Float[Tensor, "*T B V"] | None
    """Logits of the sentence's symbols at this frame, the blank first (CTC); None without a sentence."""
    frames: Float[Tensor, "*T B K"] | None = None
    """Logits of the class that is seen at this frame, where a clip's frames have labels of their own."""


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


class Reader(RecurrentCore[Inputs, Any, Masks | None, Any]):
    """Base of both recognisers: frames to features, and states to answers."""

    def __init__(self, config: Config, facts: VideoFacts, directions: int) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        self.encoder = build_encoder(config, facts)
        self.core = self.cells()
        size = directions * config.hidden
        self.pool = Pool(config.pooling, size) if config.task == "clip" else None
        self.symbols = len(facts.words) + 1 if config.task == "frames" else 0
        self.answer = nn.Linear(size, len(facts.classes) + self.symbols)
        labelled = config.task == "clip" and config.frames_weight > 0
        self.label = nn.Linear(size, len(facts.classes)) if labelled else None

    def cells(self, inputs: int | None = None) -> AnyCore:
        """Build a direction's recurrent layers, all of them for one direction; else the first, or one that reads it."""
        config = self.config
        size = config.features + self.facts.marked if inputs is None else inputs
        if config.core == "average":
            return Average(size, config.hidden)
        return build_core(config.core, size, config.hidden, config.layers if config.direction == "forward" else 1)

    def nothing_seen(self, batch_size: int) -> Seen:
        """Return the memory before the first frame."""
        zeros, shape = (
            self.answer.weight.new_zeros(batch_size),
            (self.facts.channels, self.facts.height, self.facts.width),
        )
        return Seen(zeros.new_zeros(batch_size, max(self.encoder.spans), *shape), zeros)

    def encode(self, inputs: Inputs, seen: Seen, masks: Masks | None) -> tuple[Tensor, Seen]:
        """Return a frame's features [B, F], and the memory of it."""
        frame, own = inputs if isinstance(inputs, Marked) else (inputs, None)
        normal = self.encoder.normalise(frame)
        features = self.encoder.step(normal, seen).to(frame.dtype)
        after = torch.cat([seen.frames[:, 1:], normal[:, None]], dim=1)
        return self._with_mark(features, own, masks), Seen(after, (seen.there + 1).clamp(max=after.shape[1]))

    def encode_all(self, inputs: Inputs, seen: Seen, masks: Masks | None, lengths: Lengths) -> tuple[Tensor, Seen]:
        """Return all frames' features [T, B, F], as `encode` does one by one, and the memory of each clip's last."""
        frames, own = inputs if isinstance(inputs, Marked) else (inputs, None)
        normal = self.encoder.normalise(frames.flatten(0, 1)).view(frames.shape)
        features = self.encoder.sequence(normal, seen).to(frames.dtype)
        ends = torch.full_like(seen.there, len(frames)).long() if lengths is None else lengths
        most, examples = seen.frames.shape[1], torch.arange(len(ends), device=ends.device)
        history = torch.cat([seen.frames.transpose(0, 1), normal[-most:] if lengths is None else normal])
        places = torch.arange(most, device=ends.device)[:, None] + (ends.clamp(max=most) if lengths is None else ends)
        after = history[places, examples].transpose(0, 1)
        return self._with_mark(features, own, masks), Seen(after, (seen.there + ends).clamp(max=most))

    def _with_mark(self, features: Float[Tensor, "*T B F"], own: Tensor | None, masks: Masks | None) -> Tensor:
        if masks is not None and self.training:
            features = features * masks.features
        if not self.facts.marked:
            return features
        own = features.new_ones(features.shape[:-1]) if own is None else own
        return torch.cat([features, own[..., None].to(features.dtype)], dim=-1)

    def answers(self, summary: Float[Tensor, "*T B S"], states: Float[Tensor, "*T B S"]) -> Answer:
        """Return the answer from a summary, and what is seen at each frame from its own state."""
        logits = self._logits(self.answer, summary)
        frames = None if self.label is None else self._logits(self.label, states)
        if not self.symbols:
            return Answer(logits, None, frames)
        return Answer(logits[..., : -self.symbols], logits[..., -self.symbols :], frames)

    @staticmethod
    def _logits(layer: nn.Linear, states: Float[Tensor, "*T B S"]) -> Float[Tensor, "*T B K"]:
        y = affine((states.reshape(-1, states.shape[-1]),), (layer.weight,), (layer.bias,)).to(states.dtype)
        return y.view(*states.shape[:-1], y.shape[-1])
