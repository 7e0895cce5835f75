"""Back-propagation through all steps of DRAW, written out, and the pair of both passes as autograd sees it."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from saccade.draw.fused_forward import Begin, Passage, Weights
from saccade.draw.fused_windows import Optics
from saccade.recurrent.lstm_gates import differentiate_gates
from saccade.recurrent.shared_weights import compute_type, sum_rows


class RoundTrip(Passage):
    """A passage, and its way back."""

    def backward(self, canvas: Tensor, mu: Tensor, log_sigma: Tensor, end: Begin) -> tuple[Begin, Weights]:
        """From the gradients of all canvases, posteriors and the last state, to those of `begin` and of the weights."""
        w, hidden = self.weights, self.hidden
        of_encoder, of_decoder = (self.rows.new_empty(*mu.shape[:2], 4 * hidden) for _ in range(2))
        of_posterior = self.rows.new_empty(*mu.shape[:2], 2 * mu.shape[2])
        of_found = torch.zeros_like(self.found)
        h_enc, c_enc, h_dec, c_dec, stroke = end
        stroke = stroke.clone()  # dL/dc_t so far
        reading = None
        for t in reversed(range(self.steps)):
            stroke += canvas[t]
            self._differentiate_heads(t + 1, of_found[t + 1], stroke, reading)
            h_dec = h_dec + of_found[t + 1] @ w.heads
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
        self._differentiate_heads(0, of_found[0], None, reading)
        h_dec = h_dec + of_found[0] @ w.heads
        return Begin(h_enc, c_enc, h_dec, c_dec, stroke), self._collect(of_encoder, of_posterior, of_decoder, of_found)

    def _differentiate_posterior(self, t: int, z: Tensor, mu: Tensor, log_sigma: Tensor, out: Tensor) -> None:
        latent = self.noise.shape[2]
        z = z.to(mu.dtype)
        out[:, :latent] = z + mu
        inside = self.log_sigma[t].abs() < self.limit
        out[:, latent:] = torch.addcmul(log_sigma, z * self.noise[t], self.log_sigma[t].exp()).mul_(inside)

    def _differentiate_heads(self, t: int, out: Tensor, stroke: Tensor | None, reading: Any) -> None:
        """From the canvas' gradient (what was written at step t - 1) and what was read at step t, to the heads'."""
        optics, sights = self.optics, self.sights[t]
        dy, dx = torch.zeros_like(sights.y.filters), torch.zeros_like(sights.x.filters)
        dlog_gamma = dy.new_zeros(self.batch, 2)
        if stroke is not None:
            count = optics.write
            patch, across = self.strokes[t - 1]
            filters_y, filters_x = self._filters(t, slice(0, count))
            stroke = stroke.view_as(self.image)
            down = torch.bmm(filters_y, stroke)  # [B C, N, W]
            dy[:, :count] = self._gather(torch.bmm(across, stroke.transpose(1, 2)))
            dx[:, :count] = self._gather(torch.bmm(patch.transpose(1, 2), down))
            of_patch = torch.bmm(down, filters_x.transpose(1, 2))
            dlog_gamma[:, 0] = -(of_patch * patch).view(self.batch, -1).sum(1)
            out[:, :-10] = (of_patch / self._gamma(t, 0)).view(self.batch, -1)
        if reading is not None:
            dy[:, optics.write :], dx[:, optics.write :], dlog_gamma[:, 1] = reading
        self.aims(out).copy_(optics.differentiate(self.aims(self.found[t]), sights, dy, dx, dlog_gamma))

    def _differentiate_read(self, t: int, r: Tensor, stroke: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From dL/dr to dL/dF_Y, dL/dF_X and dL/dlog gamma of the reading window; adds what the canvas gets."""
        filters_y, filters_x = self._filters(t, slice(self.optics.write, None))
        (image_rows, canvas_rows), seen = self.glances[t]
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
        return self._gather(dy), self._gather(dx), dlog_gamma

    def _collect(self, encoder: Tensor, posterior: Tensor, decoder: Tensor, found: Tensor) -> Weights:
        """The gradients of all weights and biases, each one product over all steps."""
        rows = self.rows
        pairs = [
            (encoder, rows[:-1, :, self.encodes]),
            (posterior, rows[1:, :, : self.hidden]),
            (decoder, rows[:-1, :, self.decodes]),
            (found, self.decoded),
        ]
        gradients = []
        for outputs, inputs in pairs:
            dy = outputs.flatten(0, 1)
            gradients += [dy.t() @ inputs.flatten(0, 1), sum_rows(dy)]
        return Weights(*gradients)


class _Pass(torch.autograd.Function):
    """`RoundTrip` as autograd sees it."""

    @staticmethod
    def forward(ctx: Any, settings: tuple[Any, ...], noise: Tensor, images: Tensor, label: Any, *given: Tensor) -> Any:
        begin, weights = Begin(*given[:5]), Weights(*given[5:])
        passage = RoundTrip(noise, images, label, begin, weights, *settings)
        passage.forward()
        ctx.passage, ctx.types = passage, [tensor.dtype for tensor in given]
        found = passage.aims(passage.found)
        ctx.mark_non_differentiable(found)
        end = (passage.h_enc, passage.c_enc[-1], passage.decoded[-1].clone(), passage.c_dec[-1])
        return passage.canvas[1:], passage.mu, passage.log_sigma, found, *end

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, canvas: Tensor, mu: Tensor, log_sigma: Tensor, _found: Tensor, *end: Tensor
    ) -> Any:
        passage, ctx.passage = ctx.passage, None  # frees what the steps kept
        if passage is None:
            raise RuntimeError("expected one backward pass through a passage, found a second time; unroll again")
        h_enc, c_enc, h_dec, c_dec = end
        last = Begin(h_enc, c_enc, h_dec, c_dec, torch.zeros_like(canvas[0]))
        with torch.autocast(canvas.device.type, enabled=False):
            begin, weights = passage.backward(canvas, mu, log_sigma, last)
        gradients = (gradient.to(dtype) for gradient, dtype in zip((*begin, *weights), ctx.types, strict=True))
        return (None,) * 4 + tuple(gradients)


def passage(
    optics: Optics, noise: Tensor, images: Tensor, label: Tensor | None, begin: Begin, weights: Weights, limit: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Begin]:
    """Every step of DRAW with attention and an LSTM.

    Args:
        noise: N(0, I) [T, B, Z].
        images: [B, C, H, W].
        label: what is told of the class [B, K], or None.
        limit: bound on |log sigma|.

    Returns:
        canvases [T, B, C, H, W]; mu and log sigma [T, B, Z]; the aims of writing and of reading, unbounded and without
        gradient, that followed from every state, the one before the first step included [T + 1, B, 2, 5]; the last
        state.
    """
    settings = (optics, compute_type(weights.encoder), limit, torch.is_grad_enabled())
    with torch.autocast(noise.device.type, enabled=False):
        found = _Pass.apply(settings, noise, images, label, *begin, *weights)
    canvas, mu, log_sigma, aims, h_enc, c_enc, h_dec, c_dec = found  # type: ignore[misc]
    return canvas, mu, log_sigma, aims, Begin(h_enc, c_enc, h_dec, c_dec, canvas[-1])
