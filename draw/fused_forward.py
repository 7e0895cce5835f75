"""All steps of DRAW at once: the forward pass, which keeps what the backward pass (`fused_backward`) needs.

The equations are those of `model.Draw`'s step, the definition and the reference in the tests; autograd is
not used inside the loop. Both passes are fast because:
- the inputs of encoder and decoder lie side by side in one row [B, K] a step, so that a step takes four matrix products
  forward and four backward;
- the gradients of all weights are products over all steps at once;
- canvases are written directly into the trace;
- both windows that follow from h_dec are computed together;
- read(x^) = read(x) - read(sigma(c)), so that the error image is never formed.

A row holds h_enc and r (inputs of the encoder), h_dec and the label (inputs of both), z (input of the decoder). Rows
and weights are in the compute type (bf16 under autocast), all else in full precision.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from saccade.draw.fused_windows import GAMMA, Filterbanks, FusedWindows
from saccade.recurrent.lstm_gates import Opened, open_gates

RAW = 10
"""Raw parameters of the two windows: the last columns of the heads."""


class FusedState(NamedTuple):
    """The state of DRAW with an LSTM as encoder and as decoder: each [B, H], and the canvas [B, C, H, W]."""

    h_enc: Tensor
    c_enc: Tensor
    h_dec: Tensor
    c_dec: Tensor
    canvas: Tensor


class Weights(NamedTuple):
    """Weights [O, K] and biases [O] of the four products, their columns in the order of a row.

    The heads give the patch that is written, then the raw parameters (equation 21) of the writing and of the reading
    window.
    """

    encoder: Tensor
    encoder_bias: Tensor
    posterior: Tensor
    posterior_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    heads: Tensor
    heads_bias: Tensor


class Settings(NamedTuple):
    """The constants of a fused unroll."""

    windows: FusedWindows
    dtype: torch.dtype
    """The compute type of the matrix products."""
    limit: float
    """Bound on |log sigma|."""
    keep: bool
    """True to keep what the backward pass needs."""


class SavedRead(NamedTuple):
    """A step's reading, kept for the backward pass."""

    rows: tuple[Tensor, Tensor]
    """F_Y x and F_Y sigma(c) [B C, N, W]."""
    seen: tuple[Tensor, Tensor]
    """F_Y x F_X^T and F_Y sigma(c) F_X^T [B C, N, N]."""


class FusedForward:
    """The forward pass of one batch. A step's tensors are indexed by t, from 0; a state's by t + 1."""

    def __init__(
        self,
        noise: Tensor,
        images: Tensor,
        label: Tensor | None,
        initial: FusedState,
        weights: Weights,
        settings: Settings,
    ) -> None:
        self.noise, (self.windows, dtype, self.limit, self.keep) = noise, settings
        (self.steps, batch, latent), hidden = noise.shape, initial.h_enc.shape[1]
        channels, height, width = images.shape[1:]
        self.batch, self.channels, self.hidden = batch, channels, hidden
        self.image = images.reshape(-1, height, width)  # [B C, H, W]
        seen, labels = 2 * channels * self.windows.read**2, 0 if label is None else label.shape[1]
        self.r = slice(hidden, hidden + seen)
        self.h_dec = slice(self.r.stop, self.r.stop + hidden)
        self.z = slice(self.h_dec.stop + labels, self.h_dec.stop + labels + latent)
        self.encodes, self.decodes = slice(0, self.z.start), slice(self.h_dec.start, self.z.stop)
        cast = [weight.detach().to(dtype) for weight in weights[:6]]
        self.weights = Weights(*cast, *(weight.detach() for weight in weights[6:]))
        self.rows = noise.new_empty(self.steps + 1, batch, self.z.stop, dtype=dtype)
        if label is not None:
            self.rows[:, :, self.h_dec.stop : self.z.start] = label
        empty = noise.new_empty
        self.canvas = empty(self.steps + 1, batch, channels, height, width)
        self.mu, self.log_sigma = empty(self.steps, batch, latent), empty(self.steps, batch, latent)
        self.decoded = empty(self.steps + 1, batch, hidden)  # h_dec in full precision
        self.heads = empty(self.steps + 1, batch, len(weights.heads))
        self.to_encode, self.to_decode = self._each(self.encodes), self._each(self.decodes)
        self.r_of, self.z_of, self.h_dec_of = self._each(self.r), self._each(self.z), self._each(self.h_dec)
        self.h_enc_of = self._each(slice(0, hidden))
        self.canvases = self.canvas.view(self.steps + 1, *self.image.shape).unbind()
        self.c_enc, self.c_dec = [initial.c_enc], [initial.c_dec]
        self.h_enc = initial.h_enc
        self.canvas[0] = initial.canvas
        self.rows[0, :, :hidden] = initial.h_enc
        self.encoder_gates: list[Opened] = []
        self.decoder_gates: list[Opened] = []
        self.filterbanks: list[Filterbanks] = []
        self.saved_reads: list[SavedRead] = []
        self.strokes: list[tuple[Tensor, Tensor]] = []  # patch / gamma, and the same times F_X
        self._decode(0, initial.h_dec)

    def _each(self, columns: slice) -> tuple[Tensor, ...]:
        """Return those columns of every step's row [B, K]."""
        return self.rows[:, :, columns].unbind()

    def forward(self) -> None:
        """Take all steps, equations 1 to 8."""
        w, latent = self.weights, self.noise.shape[2]
        encoder, posterior, decoder = w.encoder.t(), w.posterior.t(), w.decoder.t()
        each = zip(self.mu.unbind(), self.log_sigma.unbind(), self.noise.unbind(), strict=True)
        for t, (mu, log_sigma, noise) in enumerate(each):
            self._read(t)  # (3), (4)
            gates = torch.addmm(w.encoder_bias, self.to_encode[t], encoder)
            self.h_enc, c, opened = open_gates(gates, self.c_enc[t])  # (5)
            self.c_enc.append(c)
            self.encoder_gates.append(opened)
            both = torch.addmm(w.posterior_bias, self.h_enc_of[t + 1].copy_(self.h_enc), posterior)
            mu.copy_(both[:, :latent])  # (1)
            log_sigma.copy_(both[:, latent:]).clamp_(-self.limit, self.limit)  # (2)
            self.z_of[t].copy_(torch.addcmul(mu, log_sigma.exp(), noise))  # (6)
            gates = torch.addmm(w.decoder_bias, self.to_decode[t], decoder)
            h, c, opened = open_gates(gates, self.c_dec[t])  # (7)
            self.c_dec.append(c)
            self.decoder_gates.append(opened)
            self._decode(t + 1, h)
            self._write(t)  # (8)
            if not self.keep:
                self._forget(t)

    def _forget(self, t: int) -> None:
        """Free what only the backward pass would need of step t."""
        self.c_enc[t] = self.c_dec[t] = self.filterbanks[t] = None  # type: ignore[call-overload]
        for kept in (self.encoder_gates, self.decoder_gates, self.saved_reads, self.strokes):
            kept.clear()

    def _decode(self, t: int, h: Tensor) -> None:
        """Store h_dec, and compute what follows from it: the patch to write, and both windows."""
        self.decoded[t] = h
        self.h_dec_of[t].copy_(h)
        torch.addmm(self.weights.heads_bias, h, self.weights.heads.t(), out=self.heads[t])
        self.filterbanks.append(self.windows.filterbanks(self.raw(self.heads[t])))

    def raw(self, heads: Tensor) -> Tensor:
        """Return the raw parameters of both windows [..., 2, 5], a view of the heads [..., M]."""
        return heads[..., -RAW:].unflatten(-1, (2, 5))

    def _spread(self, per_image: Tensor) -> Tensor:
        """Repeat for every channel: [B, ...] to [B C, ...]."""
        return per_image if self.channels == 1 else per_image.repeat_interleave(self.channels, 0)

    def _gather(self, per_channel: Tensor) -> Tensor:
        """Sum over channels: [B C, ...] to [B, ...]."""
        return per_channel if self.channels == 1 else per_channel.unflatten(0, (self.batch, -1)).sum(1)

    def _filters(self, t: int, columns: slice) -> tuple[Tensor, Tensor]:
        """Return F_Y [B C, N, H] and F_X [B C, N, W] of one of the windows that follow from state t."""
        banks = self.filterbanks[t]
        return self._spread(banks.y.filters[:, columns]), self._spread(banks.x.filters[:, columns])

    def _gamma(self, t: int, window: int) -> Tensor:
        """Return the intensity [B C, 1, 1] of one of the windows that follow from state t."""
        return self._spread(self.filterbanks[t].scales[:, window, GAMMA])[:, None, None]

    def _read(self, t: int) -> None:
        """Compute r = gamma [F_Y x F_X^T, F_Y x^ F_X^T] (equation 27)."""
        filters_y, filters_x = self._filters(t, slice(self.windows.write, None))
        canvas = torch.sigmoid(self.canvases[t])
        rows = torch.bmm(filters_y, self.image), torch.bmm(filters_y, canvas)
        across = filters_x.transpose(1, 2)
        seen = torch.bmm(rows[0], across), torch.bmm(rows[1], across)
        gamma = self._gamma(t, 1)
        image = gamma * seen[0]
        both = [part.view(self.batch, -1) for part in (image, image - gamma * seen[1])]
        self.r_of[t].copy_(torch.cat(both, dim=1))
        self.saved_reads.append(SavedRead(rows, seen))

    def _write(self, t: int) -> None:
        """Compute c_t = c_{t-1} + F_Y^T w F_X / gamma (equations 8 and 29)."""
        count = self.windows.write
        filters_y, filters_x = self._filters(t + 1, slice(0, count))
        patch = self.heads[t + 1, :, :-RAW].reshape(-1, count, count) / self._gamma(t + 1, 0)
        across = torch.bmm(patch, filters_x)  # [B C, N, W]
        torch.baddbmm(self.canvases[t], filters_y.transpose(1, 2), across, out=self.canvases[t + 1])
        self.strokes.append((patch, across))
