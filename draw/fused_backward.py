"""Back-propagation through all steps of DRAW, written out, and both passes as one autograd function.

In names, `of_` marks a gradient: `of_row` is dL/drow.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from saccade.draw.fused_forward import RAW, FusedForward, FusedState, Settings, Weights
from saccade.draw.fused_windows import FusedWindows
from saccade.recurrent.lstm_gates import differentiate_gates
from saccade.recurrent.shared_weights import compute_type, sum_rows


class ReadGradients(NamedTuple):
    """Gradients of the reading window: of F_Y [B, N, H], F_X [B, N, W] and log gamma [B]."""

    filters_y: Tensor
    filters_x: Tensor
    log_gamma: Tensor


class FusedBackward(FusedForward):
    """The forward pass with its backward pass."""

    def backward(self, canvas: Tensor, mu: Tensor, log_sigma: Tensor, end: FusedState) -> tuple[FusedState, Weights]:
        """Return the gradients of the initial state and of the weights.

        Args:
            canvas, mu, log_sigma: the gradients of all steps' outputs [T, B, ...].
            end: the gradient of the last state.
        """
        w, hidden = self.weights, self.hidden
        of_encoder, of_decoder = (self.rows.new_empty(*mu.shape[:2], 4 * hidden) for _ in range(2))
        of_posterior = self.rows.new_empty(*mu.shape[:2], 2 * mu.shape[2])
        of_heads = torch.zeros_like(self.heads)
        h_enc, c_enc, h_dec, c_dec, stroke = end
        stroke = stroke.clone()  # dL/dc_t so far
        reading = None
        for t in reversed(range(self.steps)):
            stroke += canvas[t]
            self._differentiate_heads(t + 1, of_heads[t + 1], stroke, reading)
            h_dec = h_dec + of_heads[t + 1] @ w.heads
            c_dec = differentiate_gates(h_dec, c_dec, self.c_dec[t], self.decoder_gates[t], of_decoder[t])
            of_row = of_decoder[t] @ w.decoder
            h_dec, z = of_row[:, :hidden].to(h_dec.dtype), of_row[:, self.z.start - self.h_dec.start :]
            self._differentiate_posterior(t, z, mu[t], log_sigma[t], of_posterior[t])
            h_enc = h_enc + of_posterior[t] @ w.posterior
            c_enc = differentiate_gates(h_enc, c_enc, self.c_enc[t], self.encoder_gates[t], of_encoder[t])
            of_row = of_encoder[t] @ w.encoder
            h_enc = of_row[:, :hidden].to(h_enc.dtype)
            h_dec += of_row[:, self.h_dec]
            reading = self._differentiate_read(t, of_row[:, self.r].to(stroke.dtype), stroke)
        self._differentiate_heads(0, of_heads[0], None, reading)
        h_dec = h_dec + of_heads[0] @ w.heads
        return FusedState(h_enc, c_enc, h_dec, c_dec, stroke), self._collect(
            of_encoder, of_posterior, of_decoder, of_heads
        )

    def _differentiate_posterior(self, t: int, z: Tensor, mu: Tensor, log_sigma: Tensor, out: Tensor) -> None:
        """Write the gradient of mu and log sigma (equations 1, 2, 6) into `out`, from dL/dz and their own."""
        latent = self.noise.shape[2]
        z = z.to(mu.dtype)
        out[:, :latent] = z + mu
        inside = self.log_sigma[t].abs() < self.limit
        out[:, latent:] = torch.addcmul(log_sigma, z * self.noise[t], self.log_sigma[t].exp()).mul_(inside)

    def _differentiate_heads(self, t: int, out: Tensor, stroke: Tensor | None, reading: ReadGradients | None) -> None:
        """Write dL/dheads of state t into `out`.

        Args:
            stroke: dL/dc_t, for the write of step t - 1; None for the initial state.
            reading: the gradients of the read of step t; None for the last state.
        """
        windows, banks = self.windows, self.filterbanks[t]
        dy, dx = torch.zeros_like(banks.y.filters), torch.zeros_like(banks.x.filters)
        dlog_gamma = dy.new_zeros(self.batch, 2)
        if stroke is not None:
            count = windows.write
            patch, across = self.strokes[t - 1]
            filters_y, filters_x = self._filters(t, slice(0, count))
            stroke = stroke.view_as(self.image)
            down = torch.bmm(filters_y, stroke)  # [B C, N, W]
            dy[:, :count] = self._gather(torch.bmm(across, stroke.transpose(1, 2)))
            dx[:, :count] = self._gather(torch.bmm(patch.transpose(1, 2), down))
            of_patch = torch.bmm(down, filters_x.transpose(1, 2))
            dlog_gamma[:, 0] = -(of_patch * patch).view(self.batch, -1).sum(1)
            out[:, :-RAW] = (of_patch / self._gamma(t, 0)).view(self.batch, -1)
        if reading is not None:
            dy[:, windows.write :], dx[:, windows.write :], dlog_gamma[:, 1] = reading
        self.raw(out).copy_(windows.differentiate(self.raw(self.heads[t]), banks, dy, dx, dlog_gamma))

    def _differentiate_read(self, t: int, r: Tensor, stroke: Tensor) -> ReadGradients:
        """Return the gradients of the reading window from dL/dr; add the read's part of dL/dc to `stroke`."""
        filters_y, filters_x = self._filters(t, slice(self.windows.write, None))
        (image_rows, canvas_rows), seen = self.saved_reads[t]
        of_image, of_error = r.chunk(2, dim=1)
        gamma = self._gamma(t, 1)
        image = (of_image + of_error).reshape(seen[0].shape) * gamma
        canvas = of_error.reshape(seen[1].shape) * -gamma
        dlog_gamma = torch.addcmul(image * seen[0], canvas, seen[1]).view(self.batch, -1).sum(1)
        dx = torch.bmm(image.transpose(1, 2), image_rows).baddbmm_(canvas.transpose(1, 2), canvas_rows)
        of_rows = torch.bmm(image, filters_x), torch.bmm(canvas, filters_x)  # [B C, N, W]
        painted = torch.sigmoid(self.canvases[t])
        dy = torch.bmm(of_rows[0], self.image.transpose(1, 2)).baddbmm_(of_rows[1], painted.transpose(1, 2))
        of_canvas = torch.bmm(filters_y.transpose(1, 2), of_rows[1])
        stroke.view_as(self.image).add_(torch.ops.aten.sigmoid_backward(of_canvas, painted))
        return ReadGradients(self._gather(dy), self._gather(dx), dlog_gamma)

    def _collect(self, encoder: Tensor, posterior: Tensor, decoder: Tensor, heads: Tensor) -> Weights:
        """Return the gradients of all weights and biases, each one product over all steps."""
        rows = self.rows
        pairs = [
            (encoder, rows[:-1, :, self.encodes]),
            (posterior, rows[1:, :, : self.hidden]),
            (decoder, rows[:-1, :, self.decodes]),
            (heads, self.decoded),
        ]
        gradients = []
        for outputs, inputs in pairs:
            dy = outputs.flatten(0, 1)
            gradients += [dy.t() @ inputs.flatten(0, 1), sum_rows(dy)]
        return Weights(*gradients)


class _Fused(torch.autograd.Function):
    """`FusedBackward` as an autograd function."""

    @staticmethod
    def forward(
        ctx: Any, settings: Settings, noise: Tensor, images: Tensor, label: Tensor | None, *given: Tensor
    ) -> tuple[Tensor, ...]:
        initial, weights = FusedState(*given[:5]), Weights(*given[5:])
        passes = FusedBackward(noise, images, label, initial, weights, settings)
        passes.forward()
        ctx.passes, ctx.types = passes, [tensor.dtype for tensor in given]
        raw = passes.raw(passes.heads)
        ctx.mark_non_differentiable(raw)
        end = (passes.h_enc, passes.c_enc[-1], passes.decoded[-1].clone(), passes.c_dec[-1])
        return passes.canvas[1:], passes.mu, passes.log_sigma, raw, *end

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, canvas: Tensor, mu: Tensor, log_sigma: Tensor, _raw: Tensor, *end: Tensor
    ) -> tuple[Tensor | None, ...]:
        passes, ctx.passes = ctx.passes, None  # frees what the steps kept
        if passes is None:
            raise RuntimeError("expected one backward pass through a fused unroll, found a second one; unroll again")
        h_enc, c_enc, h_dec, c_dec = end
        last = FusedState(h_enc, c_enc, h_dec, c_dec, torch.zeros_like(canvas[0]))
        with torch.autocast(canvas.device.type, enabled=False):
            initial, weights = passes.backward(canvas, mu, log_sigma, last)
        gradients = (gradient.to(dtype) for gradient, dtype in zip((*initial, *weights), ctx.types, strict=True))
        return (None,) * 4 + tuple(gradients)


def fused_unroll(
    windows: FusedWindows,
    noise: Tensor,
    images: Tensor,
    label: Tensor | None,
    initial: FusedState,
    weights: Weights,
    limit: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, FusedState]:
    """Take all steps of DRAW with attention and an LSTM as encoder and decoder.

    Args:
        noise: N(0, I) [T, B, Z].
        images: [B, C, H, W].
        label: one-hot labels [B, K], or None.
        limit: bound on |log sigma|.

    Returns:
        The canvases [T, B, C, H, W]; mu and log sigma [T, B, Z]; the last state; before the last state the raw
        parameters of both windows that follow from every state, the initial one included, without gradient
        [T + 1, B, 2, 5].
    """
    settings = Settings(windows, compute_type(weights.encoder), limit, torch.is_grad_enabled())
    with torch.autocast(noise.device.type, enabled=False):
        outputs = _Fused.apply(settings, noise, images, label, *initial, *weights)
    canvas, mu, log_sigma, raw, h_enc, c_enc, h_dec, c_dec = outputs  # type: ignore[misc]
    return canvas, mu, log_sigma, raw, FusedState(h_enc, c_enc, h_dec, c_dec, canvas[-1])
