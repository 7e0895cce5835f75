"""sketch-rnn (Ha & Eck 2017, section 3.2) as a recurrent core: a step is a move of the pen.

The encoder reads a whole drawing in both directions and gives the posterior of z, once per unroll. The decoder's
initial state comes from z, and z is a further input of every step. Training unrolls the core on the true moves;
sampling unrolls `Feedback` of it on noise.

A model with labels treats the class, one-hot, as a known part of z. Without latents and labels the decoder begins with
zeros: the paper's unconditional, decoder-only model.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from saccade.recurrent.cells import GRU, LSTM, CoreState, HiddenState, LSTMState
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.fused_lstm import Weights, lstm_steps
from saccade.recurrent.layer_norm_lstm import DroppedInputs, LayerNormLSTM
from saccade.recurrent.sequence import Lengths, last
from saccade.recurrent.shared_weights import compute_type
from saccade.recurrent.tree import map_tensors
from saccade.recurrent.unroll import unroll
from saccade.sketch.config import Config
from saccade.sketch.mixture import outputs_for

Cell = LSTM | GRU | LayerNormLSTM

PEN = 5
"""Features of a move: dx, dy, and the pen's state one-hot (down, lifted, end), section 3.1."""

LARGEST_LOG_VARIANCE = 20.0
"""Bound of |sigma^| of the posterior, far beyond the values in training: its exponential stays finite."""


class PenInputs(NamedTuple):
    """Inputs of a step: the move before it, and the decoder's dropout mask."""

    move: Float[Tensor, "*axes 5"]
    keep: Bool[Tensor, "*axes H"] | None = None


class Seen(NamedTuple):
    """Context: a drawing for the encoder."""

    moves: Float[Tensor, "B T 5"]
    lengths: Int64[Tensor, " B"]
    """Moves that the encoder reads; 0 makes z a sample of the prior."""
    noise: Float[Tensor, "B Z"]
    """N(0, 1), for the sample of z."""
    labels: Int64[Tensor, " B"]
    keep: Bool[Tensor, "B T two_H"] | None = None
    """The encoder's dropout masks, forwards and backwards."""


class Given(NamedTuple):
    """Context: z itself, for drawings without an original."""

    z: Float[Tensor, "B Z"]
    labels: Int64[Tensor, " B"]


class Prepared(NamedTuple):
    """The context as a step sees it."""

    features: Float[Tensor, "B F"]
    """z and the class."""
    initial: CoreState
    """The decoder's state before the first step, from z."""
    mu: Float[Tensor, "B Z"]
    log_variance: Float[Tensor, "B Z"]
    """sigma^ = log sigma^2."""


class PenState(NamedTuple):
    """The decoder's state. Before the first step it is still to be made from z."""

    fresh: Float[Tensor, " B"]
    """1 before the first step, then 0."""
    core: CoreState


class Step(NamedTuple):
    """Output of a step: the parameters of the next move's distribution, and the posterior of z."""

    y: Float[Tensor, "*axes O"]
    mu: Float[Tensor, "*axes Z"]
    log_variance: Float[Tensor, "*axes Z"]


class Encoder(nn.Module):
    """The bidirectional encoder, equations 1 and 2."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.forwards = build_cell(config, PEN, config.encoder)
        self.backwards = build_cell(config, PEN, config.encoder)
        self.posterior = nn.Linear(2 * config.encoder, 2 * config.latent)

    def forward(self, seen: Seen) -> tuple[Float[Tensor, "B Z"], Float[Tensor, "B Z"]]:
        """Return mu and sigma^ of each drawing's posterior."""
        moves, lengths, keep = seen.moves.transpose(0, 1), seen.lengths.clamp(min=1), seen.keep
        masks = (None, None) if keep is None else keep.transpose(0, 1).chunk(2, dim=2)
        ahead = (lengths - 1 - torch.arange(len(moves), device=lengths.device)[:, None]).clamp(min=0)
        reverse = moves.gather(0, ahead[:, :, None].expand_as(moves))
        h = torch.cat(  # (1) h = [h forwards; h backwards], each after the drawing's own last move
            [
                last(read(cell, x, mask), lengths)
                for cell, x, mask in zip((self.forwards, self.backwards), (moves, reverse), masks, strict=True)
            ],
            dim=1,
        )
        mu, log_variance = in_full(self.posterior, h).chunk(2, dim=1)  # (2) mu = W h + b, sigma^ = W h + b
        known = (seen.lengths > 0)[:, None]  # else the prior, N(0, I)
        log_variance = log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)
        return torch.where(known, mu, 0.0), torch.where(known, log_variance, 0.0)


class Sketch(RecurrentCore[PenInputs, PenState, Prepared, Step]):
    """The model. Inputs: the move before each step; context: `Seen`, or `Given`."""

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.latent, self.classes = config.latent, classes if config.labelled else 0
        features = self.latent + self.classes
        self.encoder = Encoder(config) if self.latent else None
        self.decoder = build_cell(config, PEN + features, config.decoder)
        states = 1 if config.core == "gru" else 2
        self.begin = nn.Linear(features, states * config.decoder) if features else None
        self.output = nn.Linear(config.decoder, outputs_for(config.mixtures))

    def initial_state(self, batch_size: int) -> PenState:
        return PenState(self.output.weight.new_ones(batch_size), self.decoder.initial_state(batch_size))

    def prepare(self, context: Seen | Given) -> Prepared:
        if isinstance(context, Given) or self.encoder is None:
            z = context.z if isinstance(context, Given) else context.noise
            mu, log_variance = torch.zeros_like(z), torch.zeros_like(z)
        else:
            mu, log_variance = self.encoder(context)
            z = mu + torch.exp(log_variance / 2) * context.noise  # (2) z = mu + sigma N(0, I), sigma = exp(sigma^ / 2)
        features = z
        if self.classes:
            features = torch.cat([z, F.one_hot(context.labels, self.classes).to(z.dtype)], dim=1)
        return Prepared(features, self._initial(features), mu, log_variance)

    def _initial(self, features: Float[Tensor, "B F"]) -> CoreState:
        """Compute [h_0; c_0] = tanh(W_z z + b_z)."""
        if self.begin is None:
            return self.decoder.initial_state(features.shape[0])
        start = torch.tanh(in_full(self.begin, features))
        return HiddenState(start) if isinstance(self.decoder, GRU) else LSTMState(*start.chunk(2, dim=1))

    def forward(self, inputs: PenInputs, state: PenState, context: Prepared) -> tuple[Step, PenState]:
        before = self._state(state, context)
        x = torch.cat([inputs.move, context.features], dim=1)  # x_i = [S_{i-1}; z]
        h, after = self.decoder(cell_inputs(self.decoder, x, inputs.keep), before)  # h_i, c_i = forward(x_i, [h, c])
        y = in_full(self.output, h)  # y_i = W_y h_i + b_y
        return Step(y, context.mu, context.log_variance), PenState(torch.zeros_like(state.fresh), after)

    def fused(
        self, inputs: PenInputs, state: PenState, context: Prepared, lengths: Lengths = None
    ) -> tuple[Step, PenState] | None:
        """Take all steps at once; z's product with the weights is formed once. None for a GRU."""
        before = self._state(state, context)
        if isinstance(self.decoder, GRU) or not isinstance(before, LSTMState):
            return None
        hs, cs = self._steps(inputs, before, context.features)
        shape = (len(hs), -1, -1)
        step = Step(in_full(self.output, hs), context.mu.expand(shape), context.log_variance.expand(shape))
        return step, PenState(torch.zeros_like(state.fresh), last(LSTMState(hs, cs), lengths))

    def _steps(self, inputs: PenInputs, before: LSTMState, features: Tensor) -> tuple[Tensor, Tensor]:
        cell = self.decoder
        if isinstance(cell, LayerNormLSTM):
            constant = F.linear(features, cell.weight_ih[:, PEN:]).to(before.c.dtype)
            return cell.steps(DroppedInputs(inputs.move, inputs.keep), constant, before)
        assert isinstance(cell, LSTM)
        of_inputs, bias = cell.cell.weight_ih, cell.cell.bias_ih + cell.cell.bias_hh
        constant = F.linear(features, of_inputs[:, PEN:], bias).to(before.c.dtype)
        weights = Weights(of_inputs[:, :PEN], cell.cell.weight_hh, constant, *before)
        return lstm_steps(inputs.move, weights, compute_type(cell.cell.weight_hh))

    @staticmethod
    def _state(state: PenState, context: Prepared) -> CoreState:
        """Return the cell's state before a step: from z, where no step was taken."""
        fresh = state.fresh[:, None] > 0.5
        return map_tensors(lambda first, own: torch.where(fresh, first, own), context.initial, state.core)


def build_cell(config: Config, inputs: int, hidden: int) -> Cell:
    """Build a recurrent core of the configured kind."""
    if config.core == "layer-norm-lstm":
        return LayerNormLSTM(inputs, hidden, kept_share(config) / 256)
    return {"lstm": LSTM, "gru": GRU}[config.core](inputs, hidden)


def kept_share(config: Config) -> int:
    """Return how many of 256 random bytes keep a unit under recurrent dropout."""
    return round(256 * (1 - config.dropout))


def cell_inputs(cell: Cell, x: Tensor, keep: Tensor | None) -> Tensor | DroppedInputs:
    """Return a cell's inputs, with the dropout mask for the cell that takes one."""
    return DroppedInputs(x, keep) if isinstance(cell, LayerNormLSTM) else x


def read(cell: Cell, x: Float[Tensor, "T B 5"], keep: Tensor | None = None) -> Float[Tensor, "T B H"]:
    """Unroll a cell over moves; return h after each."""
    outputs, _ = unroll(cell, cell_inputs(cell, x, keep), cell.initial_state(x.shape[1]))  # type: ignore[arg-type]
    return outputs


def in_full(layer: nn.Linear, x: Float[Tensor, "*axes I"]) -> Float[Tensor, "*axes O"]:
    """Apply a small layer in the weights' own precision, under autocast too."""
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.to(layer.weight.dtype))
