"""DRAW (Gregor et al. 2015, section 2, equations 1 to 8) as a recurrent core that contains its generator, a core too.

A step of `Draw` reads the image and what is still wrong with the canvas, encodes that, draws z from the posterior, and
hands it to its `Generator`, which decodes and writes. Training unrolls `Draw` on noise N(0, I); sampling unrolls
`draw.generator` on z ~ N(0, I), equations 14 to 16. The canvas is in logit space and is never detached: it is a sum
over steps, and truncation must not cut the earlier strokes off from the loss.

Departures from the paper: the cores' initial states are learned, as the paper's initial canvas is; labels, where the
model has them, join the inputs of encoder and decoder.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saccade.draw.config import Config
from saccade.draw.fused_backward import passage
from saccade.draw.fused_forward import Begin, Weights
from saccade.draw.fused_windows import Optics
from saccade.draw.windows import WholeReader, WholeWriter, WindowReader, WindowWriter
from saccade.images.config import Shape
from saccade.recurrent.cells import LSTM, LSTMState, build_core
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.tree import map_tensors, named_tensors

LARGEST_LOG_SIGMA = 10.0
"""Bound on |log sigma| of the posterior, far beyond what training reaches: its square stays finite."""


class Scene(NamedTuple):
    """The context: images [B, C, H, W] in [0, 1] and labels int64 [B], below 0 where unknown."""

    images: Tensor
    labels: Tensor


class Writing(NamedTuple):
    """The generator's state: canvas, logits [B, C, H, W], and the decoder core's state."""

    canvas: Tensor
    decoder: Any


class State(NamedTuple):
    """DRAW's state: the encoder core's and the generator's."""

    encoder: Any
    generator: Writing


class Stroke(NamedTuple):
    """A step's output of the generator."""

    canvas: Tensor  # c_t, logits [B, C, H, W]
    write: Tensor  # the window written, see `windows.RECTANGLE` [B, 6]
    log_scale: Tensor  # of the discretised logistic, a number for every channel [B, C]


class Step(NamedTuple):
    """A step's output of DRAW: the generator's, the window read, and the posterior Q(z_t | h_enc)."""

    canvas: Tensor
    write: Tensor
    log_scale: Tensor
    read: Tensor  # [B, 6]
    mu: Tensor  # [B, Z]
    log_sigma: Tensor  # [B, Z]


class Learned(RecurrentCore[Tensor, Any, Any, Tensor]):
    """A core whose initial state is learned instead of zero."""

    def __init__(self, core: Any) -> None:
        super().__init__()
        self.core = core
        zeros = named_tensors(core.initial_state(1))
        self.names = [name.replace(".", "_") for name in zeros]  # a ParameterDict may keep them in another order
        self.begins = nn.ParameterDict(dict(zip(self.names, map(Tensor.clone, zeros.values()), strict=True)))

    def initial_state(self, batch_size: int) -> Any:
        state = self.core.initial_state(batch_size)
        begins = iter([self.begins[name] for name in self.names])
        return map_tensors(lambda zeros: next(begins).expand_as(zeros), state)

    def forward(self, inputs: Tensor, state: Any, context: Any = None) -> tuple[Tensor, Any]:
        return self.core(inputs, state, context)

    def detach(self, state: Any) -> Any:
        return self.core.detach(state)


def hidden_of(state: Any) -> Tensor:
    """h of the topmost layer [B, hidden]."""
    return (state if hasattr(state, "h") else state[-1]).h


class Generator(RecurrentCore[Tensor, Writing, Any, Stroke]):
    """Latents to strokes: equations 7 and 8. Inputs z [B, Z]; context: labels int64 [B], or None without labels."""

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.labels = shape.classes if config.labelled else 0
        self.decoder = Learned(build_core(config.core, config.latent + self.labels, config.hidden, config.layers))
        writer = WindowWriter(config.hidden, config.write, shape) if config.attention else None
        self.write = writer or WholeWriter(config.hidden, shape)
        self.canvas = nn.Parameter(torch.full(shape[:3], -2.0))  # c_0; see `system.prime`
        self.log_scale = nn.Parameter(torch.full((shape.channels,), -2.0), config.likelihood == "logistic")

    def initial_state(self, batch_size: int) -> Writing:
        return Writing(self.canvas.expand(batch_size, -1, -1, -1), self.decoder.initial_state(batch_size))

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """Labels as one-hot vectors [B, K], all zeros for an unknown one; None for a model without labels."""
        if not self.labels:
            return None
        assert context is not None, "a model with labels is told one for every example"
        known = F.one_hot((context + 1).clamp(0, self.labels), self.labels + 1)
        return known[:, 1:].to(self.canvas.dtype)

    def detach(self, state: Writing) -> Writing:
        return Writing(state.canvas, self.decoder.detach(state.decoder))

    def forward(self, inputs: Tensor, state: Writing, context: Any = None) -> tuple[Stroke, Writing]:
        z = inputs if context is None else torch.cat([inputs, context], dim=1)
        h, decoder = self.decoder(z, state.decoder)  # (7) h_dec = RNN_dec(h_dec, z)
        written, window = self.write(h)
        canvas = state.canvas + written  # (8) c_t = c_{t-1} + write(h_dec)
        return Stroke(canvas, window, self.log_scale.expand(len(canvas), -1)), Writing(canvas, decoder)


class Draw(RecurrentCore[Tensor, State, Any, Step]):
    """The model. Inputs: noise N(0, 1) for the latents [B, Z]; context: a `Scene`.

    Raises:
        InputError: a window larger than the image.
    """

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.latent = config.latent
        reader = WindowReader(config.hidden, config.read, shape) if config.attention else None
        self.read = reader or WholeReader(shape)
        seen = self.read.features + config.hidden + (shape.classes if config.labelled else 0)
        self.encoder = Learned(build_core(config.core, seen, config.hidden, config.layers))
        self.posterior = nn.Linear(config.hidden, 2 * config.latent)
        self.generator = Generator(config, shape)

    def initial_state(self, batch_size: int) -> State:
        return State(self.encoder.initial_state(batch_size), self.generator.initial_state(batch_size))

    def prepare(self, context: Scene) -> Any:
        return context.images, self.generator.prepare(context.labels)

    def detach(self, state: State) -> State:
        return State(self.encoder.detach(state.encoder), self.generator.detach(state.generator))

    def forward(self, inputs: Tensor, state: State, context: Any) -> tuple[Step, State]:
        x, label = context
        h_dec = hidden_of(state.generator.decoder)
        error = x - torch.sigmoid(state.generator.canvas)  # (3) x^ = x - sigma(c_{t-1})
        r, window = self.read(x, error, h_dec)  # (4) r = read(x, x^, h_dec)
        seen = [r, h_dec] if label is None else [r, h_dec, label]
        h_enc, encoder = self.encoder(torch.cat(seen, dim=1), state.encoder)  # (5) h_enc = RNN_enc(h_enc, [r, h_dec])
        mu, log_sigma = self.latents(h_enc)
        z = mu + log_sigma.exp() * inputs  # (6) z ~ Q(Z | h_enc)
        stroke, generator = self.generator(z, state.generator, label)  # (7), (8)
        return Step(stroke.canvas, stroke.write, stroke.log_scale, window, mu, log_sigma), State(encoder, generator)

    def fused(self, inputs: Tensor, state: State, context: Any) -> tuple[Step, State] | None:
        """With windows and one LSTM each way: see `draw.passage` and `draw.bptt`."""
        (x, label), generator = context, self.generator
        read, write, cores = self.read, generator.write, (self.encoder.core, generator.decoder.core)
        if not (isinstance(read, WindowReader) and isinstance(write, WindowWriter)):
            return None
        if not all(isinstance(core, LSTM) for core in cores) or inputs.requires_grad or x.requires_grad:
            return None
        optics = Optics(write.attention.count, read.attention.count, *x.shape[-2:], like=state.generator.canvas)
        begin = Begin(*state.encoder, *state.generator.decoder, canvas=state.generator.canvas)
        found = passage(optics, inputs, x, label, begin, self._weights(read, write), LARGEST_LOG_SIGMA)
        canvas, mu, log_sigma, aims, end = found
        written = write.attention.rectangle(write.attention.aim(aims[1:, :, 0].flatten(0, 1)))
        seen = read.attention.rectangle(read.attention.aim(aims[:-1, :, 1].flatten(0, 1)))
        shape = (*mu.shape[:2], -1)
        log_scale = generator.log_scale.expand(*shape)
        step = Step(canvas, written.view(shape), log_scale, seen.view(shape), mu, log_sigma)
        decoder = LSTMState(end.h_dec, end.c_dec)
        return step, State(LSTMState(end.h_enc, end.c_enc), Writing(end.canvas, decoder))

    def _weights(self, read: WindowReader, write: WindowWriter) -> Weights:
        """The model's weights as the four products of a passage take them."""
        encoder, decoder, latent = self.encoder.core.cell, self.generator.decoder.core.cell, self.latent
        heads = (write.patch, write.attention.linear, read.attention.linear)
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

    def latents(self, h_enc: Tensor) -> tuple[Tensor, Tensor]:
        """mu = W(h_enc), log sigma = W(h_enc): equations 1 and 2, each [B, Z]."""
        found = affine((h_enc,), (self.posterior.weight,), (self.posterior.bias,)).to(h_enc.dtype)
        mu, log_sigma = found.split(self.latent, dim=1)
        return mu, log_sigma.clamp(-LARGEST_LOG_SIGMA, LARGEST_LOG_SIGMA)
