"""All steps of a GRU in one differentiable function, as `saccade.recurrent.fused_lstm` takes those of an LSTM.

The recurrent product is formed step by step; the gradients of the weights are formed once, over all steps.
"""

# torch declares an autograd function's backward with *args:
# pyright: reportIncompatibleMethodOverride=false

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from saccade.recurrent.shared_weights import sum_rows


class GRUWeights(NamedTuple):
    """A GRU's weights and biases, gates in torch's order, and its state before the first step."""

    inputs: Float[Tensor, "three_H I"]
    recurrent: Float[Tensor, "three_H H"]
    input_bias: Float[Tensor, " three_H"]
    recurrent_bias: Float[Tensor, " three_H"]
    h: Float[Tensor, "B H"]


def gru_steps(x: Float[Tensor, "T B I"], weights: GRUWeights, dtype: torch.dtype) -> Float[Tensor, "T B H"]:
    """Take all steps of a GRU in torch's form; return h after each.

    Args:
        x: the inputs.
        weights: of the products, and the state before the first step.
        dtype: type of the products; the state keeps its own.
    """
    return _AllSteps.apply(dtype, x, *weights)  # type: ignore[return-value]


class _AllSteps(torch.autograd.Function):
    """h' = n + z (h - n), with r, z = sigmoid(x + y) and n = tanh(x + r y), each of its own third of x and y."""

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, x: Tensor, *tensors: Tensor) -> Tensor:
        *parameters, h = tensors
        to_gates, weight, to_bias, bias = (parameter.to(dtype) for parameter in parameters)
        (steps, examples, _), size, cast = x.shape, h.shape[1], x.to(dtype)
        seen = h.new_empty(steps + 1, examples, size, dtype=dtype)  # h before each step, in the products' type
        hs, saved = h.new_empty(steps, *h.shape), h.new_empty(steps, examples, 4 * size)  # r, z, n, and n's part of y
        saved[..., : 3 * size] = F.linear(cast, to_gates, to_bias)
        seen[0] = h
        for t in range(steps):
            y = torch.addmm(bias, seen[t], weight.t()).to(h.dtype)
            gates, n, y_n = saved[t, :, : 2 * size], saved[t, :, 2 * size : 3 * size], saved[t, :, 3 * size :]
            r, z = gates.add_(y[:, : 2 * size]).sigmoid_().chunk(2, dim=1)
            y_n.copy_(y[:, 2 * size :])
            n.addcmul_(r, y_n).mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh(n) = 2 sigmoid(2 n) - 1, and faster
            h = torch.lerp(n, h, z, out=hs[t])
            seen[t + 1] = h
        ctx.save_for_backward(cast, to_gates, weight, seen, saved, hs, tensors[4])
        ctx.types = [tensor.dtype for tensor in (x, *tensors)]
        return hs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dhs: Tensor) -> tuple[Any, ...]:
        x, to_gates, weight, seen, saved, hs, start = ctx.saved_tensors
        size = start.shape[1]
        found = seen.new_empty(saved.shape)  # by n, r and z of x; the last three quarters by r, z and n of y
        dh = torch.zeros_like(start)
        for t in reversed(range(len(hs))):
            gates, n, y_n = saved[t, :, : 2 * size], saved[t, :, 2 * size : 3 * size], saved[t, :, 3 * size :]
            r, z = gates.chunk(2, dim=1)
            dh = dh + dhs[t]
            dz_h = dh * z
            dn = torch.ops.aten.tanh_backward(dh - dz_h, n)
            slopes = torch.addcmul(gates, gates, gates, value=-1)  # sigmoid' = s (1 - s)
            slopes[:, :size].mul_(y_n).mul_(dn)
            slopes[:, size:].mul_((hs[t - 1] if t else start) - n).mul_(dh)
            found[t, :, :size] = dn
            found[t, :, size : 3 * size] = slopes
            found[t, :, 3 * size :] = dn.mul_(r)
            dh = dz_h.add_(found[t, :, size:] @ weight)
        rows = found.flatten(0, 1)
        of_x, of_y = rows[:, : 3 * size], rows[:, size:]
        dx = of_x @ to_gates.roll(size, 0) if ctx.needs_input_grad[1] else None
        gradients: tuple[Tensor | None, ...] = (  # those of x in the order n, r, z, rolled to r, z, n
            None if dx is None else dx.view(x.shape),
            (of_x.t() @ x.flatten(0, 1)).roll(-size, 0),
            of_y.t() @ seen[:-1].flatten(0, 1),
            sum_rows(of_x).roll(-size, 0),
            sum_rows(of_y),
            dh,
        )
        return (None, *(None if g is None else g.to(dtype) for g, dtype in zip(gradients, ctx.types, strict=True)))
