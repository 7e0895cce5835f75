"""A GRU's gates as one differentiable function: a third of the small operations that autograd would run."""

# torch declares an autograd function's backward with *args:
# pyright: reportIncompatibleMethodOverride=false

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Gates(torch.autograd.Function):
    """h' = n + z (h - n), with r, z = sigmoid(x + y) and n = tanh(x + r y), each of its own third of x and y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, h: Tensor) -> Tensor:
        size = h.shape[1]
        gates = torch.add(x[:, : 2 * size], y[:, : 2 * size]).to(h.dtype).sigmoid_()
        r, z = gates.chunk(2, dim=1)
        y_n = y[:, 2 * size :].to(h.dtype)
        n = torch.addcmul(x[:, 2 * size :].to(h.dtype), r, y_n).tanh_()
        ctx.types = x.dtype, y.dtype
        ctx.save_for_backward(gates, n, y_n, h)
        return torch.addcmul(n, z, h - n)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates, n, y_n, h = ctx.saved_tensors
        size = h.shape[1]
        r, z = gates.chunk(2, dim=1)
        dz_h = dh * z
        dn = torch.ops.aten.tanh_backward(dh - dz_h, n)
        dgates = torch.addcmul(gates, gates, gates, value=-1)  # sigmoid' = s (1 - s)
        dgates[:, :size].mul_(y_n).mul_(dn)
        dgates[:, size:].mul_(h - n).mul_(dh)
        dx, dy = (h.new_empty(len(h), 3 * size, dtype=dtype) for dtype in ctx.types)
        dx[:, : 2 * size] = dgates
        dx[:, 2 * size :] = dn
        dy[:, : 2 * size] = dgates
        torch.mul(dn, r, out=dn)
        dy[:, 2 * size :] = dn
        return dx, dy, dz_h


def gru_gates(
    x: Float[Tensor, "B three_H"], y: Float[Tensor, "B three_H"], h: Float[Tensor, "B H"]
) -> Float[Tensor, "B H"]:
    """Return the new state h' = n + z (h - n) of a GRU in torch's form.

    Args:
        x: the inputs' part of the reset gate, the update gate and the candidate, in any floating type.
        y: the state's part of the same; the reset gate acts on its last third.
        h: the state before, whose type the gates are computed in.
    """
    return _Gates.apply(x, y, h)  # type: ignore[return-value]
