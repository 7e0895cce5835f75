"""All steps of DRAW at once: the forward pass, which keeps what the way back (`draw.bptt`) needs.

The same equations as `model.Draw`'s step, which stays the definition and is what this is tested against; autograd is
left out of the loop. What makes both ways fast: the inputs of encoder and decoder lie side by side in one row [B, K] a
step, so that a step takes four matrix products each way; the gradients of all weights are products over all steps at
once; canvases are written where the trace keeps them; both windows that follow from h_dec are found together; and
read(x^) = read(x) - read(sigma(c)), so that the error image is never formed.

A row holds h_enc and r, which the encoder alone takes, then h_dec and the label, which both take, then z, which the
decoder alone takes. Rows and weights are in the compute type (bf16 under autocast), all else in full precision.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from saccade.draw.fused_windows import GAMMA, Optics, Sights
from saccade.recurrent.lstm_gates import Opened, open_gates


class Begin(NamedTuple):
    """The state before the first step, each [B, H], and the canvas [B, C, H, W]."""

    h_enc: Tensor
    c_enc: Tensor
    h_dec: Tensor
    c_dec: Tensor
    canvas: Tensor


class Weights(NamedTuple):
    """Weights [O, K] and biases [O] of the four products: columns in the order of a row; the heads give the patch that
    is written, then the aims (equation 21) of writing and of reading."""

    encoder: Tensor
    encoder_bias: Tensor
    posterior: Tensor
    posterior_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    heads: Tensor
    heads_bias: Tensor


class Glance(NamedTuple):
    """What reading keeps of a step for the way back."""

    rows: tuple[Tensor, Tensor]  # F_Y x and F_Y sigma(c) [B C, N, W]
    seen: tuple[Tensor, Tensor]  # F_Y x F_X^T and F_Y sigma(c) F_X^T [B C, N, N]


class Passage:
    """One batch's way through all steps; every step's own tensors are indexed by t, states by t + 1."""

    def __init__(
        self,
        noise: Tensor,
        images: Tensor,
        label: Tensor | None,
        begin: Begin,
        weights: Weights,
        optics: Optics,
        dtype: torch.dtype,
        limit: float,
        keep: bool,
    ) -> None:
        self.optics, self.noise, self.dtype, self.limit, self.keep = optics, noise, dtype, limit, keep
        (self.steps, batch, latent), hidden = noise.shape, begin.h_enc.shape[1]
        channels, height, width = images.shape[1:]
        self.batch, self.channels, self.hidden = batch, channels, hidden
        self.image = images.reshape(-1, height, width)  # [B C, H, W]
        seen, labels = 2 * channels * optics.read**2, 0 if label is None else label.shape[1]
        self.r = slice(hidden, hidden + seen)
        self.h_dec = slice(self.r.stop, self.r.stop + hidden)
        self.z = slice(self.h_dec.stop + labels, self.h_dec.stop + labels + latent)
        self.encodes, self.decodes = slice(0, self.z.start), slice(self.h_dec.start, self.z.stop)
        cast = [weight.detach().to(dtype) for weight in weights[:6]]
        self.weights = Weights(*cast, *(weight.detach() for weight in weights[6:]))
        self.rows = noise.new_empty(self.steps + 1, batch, self.z.stop, dtype=dtype)
        if label is not None:
            self.rows[:, :, self.h_dec.stop : self.z.start] = label
        made = noise.new_empty
        self.canvas = made(self.steps + 1, batch, channels, height, width)
        self.mu, self.log_sigma = made(self.steps, batch, latent), made(self.steps, batch, latent)
        self.decoded = made(self.steps + 1, batch, hidden)  # h_dec in full precision
        self.found = made(self.steps + 1, batch, len(weights.heads))
        self.to_encode, self.to_decode = self._each(self.encodes), self._each(self.decodes)
        self.r_of, self.z_of, self.h_dec_of = self._each(self.r), self._each(self.z), self._each(self.h_dec)
        self.h_enc_of = self._each(slice(0, hidden))
        self.canvases = self.canvas.view(self.steps + 1, *self.image.shape).unbind()
        self.c_enc, self.c_dec = [begin.c_enc], [begin.c_dec]
        self.h_enc = begin.h_enc
        self.canvas[0] = begin.canvas
        self.rows[0, :, :hidden] = begin.h_enc
        self.encoder_gates: list[Opened] = []
        self.decoder_gates: list[Opened] = []
        self.sights: list[Sights] = []
        self.glances: list[Glance] = []
        self.strokes: list[tuple[Tensor, Tensor]] = []  # patch / gamma, and the same times F_X
        self._decode(0, begin.h_dec)

    def _each(self, columns: slice) -> tuple[Tensor, ...]:
        """Those columns of every step's row [B, K]."""
        return self.rows[:, :, columns].unbind()

    def forward(self) -> None:
        w, latent = self.weights, self.noise.shape[2]
        encoder, posterior, decoder = w.encoder.t(), w.posterior.t(), w.decoder.t()
        each = zip(self.mu.unbind(), self.log_sigma.unbind(), self.noise.unbind(), strict=True)
        for t, (mu, log_sigma, noise) in enumerate(each):
            self._read(t)  # (3), (4)
            gates = torch.addmm(w.encoder_bias, self.to_encode[t], encoder)
            self.h_enc, c, opened = open_gates(gates, self.c_enc[t])  # (5)
            self.c_enc.append(c)
            self.encoder_gates.append(opened)
            found = torch.addmm(w.posterior_bias, self.h_enc_of[t + 1].copy_(self.h_enc), posterior)
            mu.copy_(found[:, :latent])  # (1)
            log_sigma.copy_(found[:, latent:]).clamp_(-self.limit, self.limit)  # (2)
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
        """Let go of what only the way back would need of step t."""
        self.c_enc[t] = self.c_dec[t] = self.sights[t] = None  # type: ignore[call-overload]
        for kept in (self.encoder_gates, self.decoder_gates, self.glances, self.strokes):
            kept.clear()

    def _decode(self, t: int, h: Tensor) -> None:
        """Keep h_dec, and find what follows from it: the patch to write, and both windows."""
        self.decoded[t] = h
        self.h_dec_of[t].copy_(h)
        torch.addmm(self.weights.heads_bias, h, self.weights.heads.t(), out=self.found[t])
        self.sights.append(self.optics.aim(self.aims(self.found[t])))

    def aims(self, found: Tensor) -> Tensor:
        """The last ten numbers of the heads [..., M], as [..., 2, 5]: of the window that writes, then of the other."""
        return found[..., -10:].unflatten(-1, (2, 5))

    def _spread(self, per_image: Tensor) -> Tensor:
        """[B, ...] to [B C, ...]."""
        return per_image if self.channels == 1 else per_image.repeat_interleave(self.channels, 0)

    def _gather(self, per_channel: Tensor) -> Tensor:
        """The sum over channels, [B C, ...] to [B, ...]."""
        return per_channel if self.channels == 1 else per_channel.unflatten(0, (self.batch, -1)).sum(1)

    def _filters(self, t: int, columns: slice) -> tuple[Tensor, Tensor]:
        """F_Y [B C, N, H] and F_X [B C, N, W] of one of the windows that follow from state t."""
        return self._spread(self.sights[t].y.filters[:, columns]), self._spread(self.sights[t].x.filters[:, columns])

    def _gamma(self, t: int, window: int) -> Tensor:
        return self._spread(self.sights[t].scales[:, window, GAMMA])[:, None, None]

    def _read(self, t: int) -> None:
        """r = gamma [F_Y x F_X^T, F_Y x^ F_X^T] (equation 27)."""
        filters_y, filters_x = self._filters(t, slice(self.optics.write, None))
        canvas = torch.sigmoid(self.canvases[t])
        rows = torch.bmm(filters_y, self.image), torch.bmm(filters_y, canvas)
        across = filters_x.transpose(1, 2)
        seen = torch.bmm(rows[0], across), torch.bmm(rows[1], across)
        gamma = self._gamma(t, 1)
        image = gamma * seen[0]
        both = [part.view(self.batch, -1) for part in (image, image - gamma * seen[1])]
        self.r_of[t].copy_(torch.cat(both, dim=1))
        self.glances.append(Glance(rows, seen))

    def _write(self, t: int) -> None:
        """c_t = c_{t-1} + F_Y^T w F_X / gamma (equation 29)."""
        count = self.optics.write
        filters_y, filters_x = self._filters(t + 1, slice(0, count))
        patch = self.found[t + 1, :, :-10].reshape(-1, count, count) / self._gamma(t + 1, 0)
        across = torch.bmm(patch, filters_x)  # [B C, N, W]
        torch.baddbmm(self.canvases[t], filters_y.transpose(1, 2), across, out=self.canvases[t + 1])
        self.strokes.append((patch, across))
