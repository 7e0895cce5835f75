"""DRAW (Gregor et al. 2015, section 2, equations 1 to 8) as a recurrent core that contains its generator, a core too.

A step of `Draw` reads the image and the error image (the image minus the canvas), encodes them, draws z from the
posterior and passes it to its `Generator`, which decodes z and writes on the canvas. Training unrolls `Draw` on noise
N(0, I); sampling unrolls `draw.generator` on z ~ N(0, I), equations 14 to 16. The canvas is in logit space and is never
detached: it is a sum over steps, and truncation must not cut the earlier steps off from the loss.

Departures from the paper: the initial states of encoder and decoder are learned, as the paper's initial canvas is; a
model with labels gives them to encoder and decoder as further inputs.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from saccade.draw.config import Config
from saccade.draw.fused_backward import fused_unroll
from saccade.draw.fused_forward import FusedState, Weights
from saccade.draw.fused_windows import FusedWindows
from saccade.draw.windows import WholeReader, WholeWriter, WindowReader, WindowWriter
from saccade.images.config import Shape
from saccade.recurrent.cells import LSTM, CoreState, LSTMState, build_core, hidden_of
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.sequence import Lengths
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.tree import map_tensors, named_tensors

LARGEST_LOG_SIGMA = 10.0
"""Bound on |log sigma| of the posterior, far beyond the values in training: its square stays finite."""


class Context(NamedTuple):
    """The context of an unroll."""

    images: Float[Tensor, "B C H W"]
    """In [0, 1]."""
    labels: Int64[Tensor, " B"]
    """Below 0 where unknown."""


class Prepared(NamedTuple):
    """The context as a step sees it."""

    images: Float[Tensor, "B C H W"]
    labels: Float[Tensor, "B K"] | None
    """One-hot; None for a model without labels."""


class GeneratorState(NamedTuple):
    """The generator's state."""

    canvas: Float[Tensor, "B C H W"]
    """Logits."""
    decoder: CoreState


class State(NamedTuple):
    """DRAW's state."""

    encoder: CoreState
    generator: GeneratorState


class Stroke(NamedTuple):
    """The generator's output at a step."""

    canvas: Float[Tensor, "B C H W"]
    """c_t, logits."""
    write: Float[Tensor, "B 6"]
    """The window that is written, see `windows.RECTANGLE`."""
    log_scale: Float[Tensor, "B C"]
    """Log-scale of the discretised logistic, one for each channel."""


class Step(NamedTuple):
    """DRAW's output at a step: the generator's, the window that is read, and the posterior Q(z_t | h_enc)."""

    canvas: Float[Tensor, "B C H W"]
    write: Float[Tensor, "B 6"]
    log_scale: Float[Tensor, "B C"]
    read: Float[Tensor, "B 6"]
    mu: Float[Tensor, "B Z"]
    log_sigma: Float[Tensor, "B Z"]


class LearnedInitialState(RecurrentCore[Tensor, CoreState, None, Tensor]):
    """A core whose initial state is learned instead of zero."""

    core: AnyCore

    def __init__(self, core: AnyCore) -> None:
        super().__init__()
        self.core = core
        zeros = named_tensors(core.initial_state(1))
        self.names = [name.replace(".", "_") for name in zeros]  # a ParameterDict may keep them in another order
        self.begins = nn.ParameterDict(dict(zip(self.names, map(Tensor.clone, zeros.values()), strict=True)))

    def initial_state(self, batch_size: int) -> CoreState:
        state = self.core.initial_state(batch_size)
        begins = iter([self.begins[name] for name in self.names])
        return map_tensors(lambda zeros: next(begins).expand_as(zeros), state)

    def forward(
        self, inputs: Float[Tensor, "B I"], state: CoreState, context: None = None
    ) -> tuple[Float[Tensor, "B H"], CoreState]:
        return self.core(inputs, state, context)

    def detach(self, state: CoreState) -> CoreState:
        return self.core.detach(state)


class Generator(RecurrentCore[Tensor, GeneratorState, Tensor | None, Stroke]):
    """The decoder and the canvas, equations 7 and 8. Inputs: z; context: labels int64 [B], or None without labels."""

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.labels = shape.classes if config.labelled else 0
        core = build_core(config.core, config.latent + self.labels, config.hidden, config.layers)
        self.decoder = LearnedInitialState(core)
        writer = WindowWriter(config.hidden, config.write, shape) if config.attention else None
        self.write = writer or WholeWriter(config.hidden, shape)
        self.canvas = nn.Parameter(torch.full(shape[:3], -2.0))  # c_0; see `system.prime`
        self.log_scale = nn.Parameter(torch.full((shape.channels,), -2.0), config.likelihood == "logistic")

    def initial_state(self, batch_size: int) -> GeneratorState:
        return GeneratorState(self.canvas.expand(batch_size, -1, -1, -1), self.decoder.initial_state(batch_size))

    def prepare(self, context: Int64[Tensor, " B"] | None) -> Float[Tensor, "B K"] | None:
        """Return the labels as one-hot vectors, all zeros for an unknown label; None for a model without labels."""
        if not self.labels:
            return None
        assert context is not None, "a model with labels takes one for every example"
        known = F.one_hot((context + 1).clamp(0, self.labels), self.labels + 1)
        return known[:, 1:].to(self.canvas.dtype)

    def detach(self, state: GeneratorState) -> GeneratorState:
        return GeneratorState(state.canvas, self.decoder.detach(state.decoder))

    def forward(
        self, inputs: Float[Tensor, "B Z"], state: GeneratorState, context: Float[Tensor, "B K"] | None = None
    ) -> tuple[Stroke, GeneratorState]:
        z = inputs if context is None else torch.cat([inputs, context], dim=1)
        h, decoder = self.decoder(z, state.decoder)  # (7) h_dec = RNN_dec(h_dec, z)
        written, window = self.write(h)
        canvas = state.canvas + written  # (8) c_t = c_{t-1} + write(h_dec)
        return Stroke(canvas, window, self.log_scale.expand(canvas.shape[0], -1)), GeneratorState(canvas, decoder)


class Draw(RecurrentCore[Tensor, State, Prepared, Step]):
    """The model. Inputs: noise N(0, 1) for the latents; context: a `Context`.

    Raises:
        InputError: a window larger than the image.
    """

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.latent = config.latent
        reader = WindowReader(config.hidden, config.read, shape) if config.attention else None
        self.read = reader or WholeReader(shape)
        seen = self.read.features + config.hidden + (shape.classes if config.labelled else 0)
        self.encoder = LearnedInitialState(build_core(config.core, seen, config.hidden, config.layers))
        self.posterior = nn.Linear(config.hidden, 2 * config.latent)
        self.generator = Generator(config, shape)

    def initial_state(self, batch_size: int) -> State:
        return State(self.encoder.initial_state(batch_size), self.generator.initial_state(batch_size))

    def prepare(self, context: Context) -> Prepared:
        return Prepared(context.images, self.generator.prepare(context.labels))

    def detach(self, state: State) -> State:
        return State(self.encoder.detach(state.encoder), self.generator.detach(state.generator))

    def forward(self, inputs: Float[Tensor, "B Z"], state: State, context: Prepared) -> tuple[Step, State]:
        mu, log_sigma, window, encoder = self.infer(state.generator, state.encoder, context)  # (1) to (5)
        z = mu + log_sigma.exp() * inputs  # (6) z ~ Q(Z | h_enc)
        stroke, generator = self.generator(z, state.generator, context.labels)  # (7), (8)
        return Step(stroke.canvas, stroke.write, stroke.log_scale, window, mu, log_sigma), State(encoder, generator)

    def infer(
        self, drawn: GeneratorState, encoder: CoreState, context: Prepared
    ) -> tuple[Float[Tensor, "B Z"], Float[Tensor, "B Z"], Float[Tensor, "B 6"], CoreState]:
        """Return mu and log sigma of Q(z_t | h_enc), the window that is read, and the encoder's new state."""
        x, label = context
        h_dec = hidden_of(drawn.decoder)
        error = x - torch.sigmoid(drawn.canvas)  # (3) x^ = x - sigma(c_{t-1})
        r, window = self.read(x, error, h_dec)  # (4) r = read(x, x^, h_dec)
        seen = [r, h_dec] if label is None else [r, h_dec, label]
        h_enc, encoder = self.encoder(torch.cat(seen, dim=1), encoder)  # (5) h_enc = RNN_enc(h_enc, [r, h_dec])
        return *self.latents(h_enc), window, encoder  # (1), (2)

    def latents(self, h_enc: Float[Tensor, "B H"]) -> tuple[Float[Tensor, "B Z"], Float[Tensor, "B Z"]]:
        """Compute mu = W(h_enc) and log sigma = W(h_enc), equations 1 and 2."""
        both = affine((h_enc,), (self.posterior.weight,), (self.posterior.bias,)).to(h_enc.dtype)
        mu, log_sigma = both.split(self.latent, dim=1)
        return mu, log_sigma.clamp(-LARGEST_LOG_SIGMA, LARGEST_LOG_SIGMA)

    def fused(
        self, inputs: Float[Tensor, "T B Z"], state: State, context: Prepared, lengths: Lengths = None
    ) -> tuple[Step, State] | None:
        """Take all steps at once, for windows and one LSTM in encoder and decoder: see `saccade.draw.fused_forward`."""
        x, label = context
        read, write = self.read, self.generator.write
        encoder, decoder = self.encoder.core, self.generator.decoder.core
        if lengths is not None or not (isinstance(read, WindowReader) and isinstance(write, WindowWriter)):
            return None
        if not (isinstance(encoder, LSTM) and isinstance(decoder, LSTM)) or inputs.requires_grad or x.requires_grad:
            return None
        initial = FusedState(*_lstm(state.encoder), *_lstm(state.generator.decoder), canvas=state.generator.canvas)
        windows = FusedWindows(write.attention.count, read.attention.count, *x.shape[-2:], like=initial.canvas)
        weights = self._fused_weights(encoder.cell, decoder.cell, read, write)
        canvas, mu, log_sigma, raw, end = fused_unroll(windows, inputs, x, label, initial, weights, LARGEST_LOG_SIGMA)
        written = write.attention.rectangle(write.attention.window(raw[1:, :, 0].flatten(0, 1)))
        seen = read.attention.rectangle(read.attention.window(raw[:-1, :, 1].flatten(0, 1)))
        shape = (*mu.shape[:2], -1)
        log_scale = self.generator.log_scale.expand(*shape)
        step = Step(canvas, written.view(shape), log_scale, seen.view(shape), mu, log_sigma)
        generator = GeneratorState(end.canvas, LSTMState(end.h_dec, end.c_dec))
        return step, State(LSTMState(end.h_enc, end.c_enc), generator)

    def _fused_weights(
        self, encoder: nn.LSTMCell, decoder: nn.LSTMCell, read: WindowReader, write: WindowWriter
    ) -> Weights:
        """Arrange the model's weights for the four matrix products of a fused step."""
        latent, heads = self.latent, (write.patch, write.attention.linear, read.attention.linear)
        return Weights(
            torch.cat([encoder.weight_hh, encoder.weight_ih], dim=1),
            encoder.bias_ih + encoder.bias_hh,
            self.posterior.weight,
            self.posterior.bias,
            torch.cat([decoder.weight_hh, decoder.weight_ih[:, latent:], decoder.weight_ih[:, :latent]], dim=1),
            decoder.bias_ih + decoder.bias_hh,
            torch.cat([head.weight for head in heads]),
            torch.cat([head.bias for head in heads]),
        )


def _lstm(state: CoreState) -> LSTMState:
    assert isinstance(state, LSTMState)
    return state
