"""All steps of an LSTM in one differentiable function: teacher forcing, an encoder, anything whose inputs are known.

The recurrent product is formed step by step; the gradients of the weights are formed once, over all steps. The gates'
inputs and their values share one tensor. `saccade.recurrent.layer_norm_lstm` adds layer normalisation and dropout.
"""

# torch declares an autograd function's backward with *args:
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from saccade.recurrent.lstm_gates import Opened, differentiate_gates, open_in_place
from saccade.recurrent.shared_weights import sum_rows

NARROW = 16
"""Inputs of fewer features are multiplied in full precision: that costs nothing next to the recurrent product."""


@runtime_checkable
class Gating(Protocol):
    """The part of a step after the products, and its derivative. One instance is for one call of `lstm_steps`."""

    def open(self, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Take the next step: return h and the new c [B, H]; the gates' inputs [B, 4 H] may be overwritten."""
        ...

    def differentiate(self, dh: Tensor, dc: Tensor, c: Tensor, step: int, out: Tensor) -> Tensor:
        """Return dL/dc from dL/dh, dL/dc' and the c before the step; write dL/d(gates' inputs) [B, 4 H] into `out`."""
        ...

    def gradients(self) -> Sequence[Tensor | None]:
        """Return dL/dp for each parameter of the gating, when all steps are differentiated."""
        ...


class PlainGating:
    """The gates of Hochreiter & Schmidhuber's LSTM, `lstm_gates`."""

    def __init__(self) -> None:
        self.opened: list[Opened] = []

    def open(self, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        h, new, opened = open_in_place(gates, c)
        self.opened.append(opened)
        return h, new

    def differentiate(self, dh: Tensor, dc: Tensor, c: Tensor, step: int, out: Tensor) -> Tensor:
        return differentiate_gates(dh, dc, c, self.opened[step], out)

    def gradients(self) -> Sequence[Tensor | None]:
        return ()


class Weights(NamedTuple):
    """An LSTM's weights, gates in torch's order, and its state before the first step."""

    inputs: Float[Tensor, "four_H I"]
    recurrent: Float[Tensor, "four_H H"]
    constant: Float[Tensor, "_ four_H"]
    """Added to the gates' inputs at every step: the bias [1, 4 H], or what does not change in an example [B, 4 H]."""
    h: Float[Tensor, "B H"]
    c: Float[Tensor, "B H"]


def lstm_steps(
    x: Float[Tensor, "T B I"],
    weights: Weights,
    dtype: torch.dtype,
    gating: Gating | None = None,
    parameters: Sequence[Tensor] = (),
) -> tuple[Float[Tensor, "T B H"], Float[Tensor, "T B H"]]:
    """Take all steps of an LSTM; return h and c after each.

    Args:
        x: the inputs.
        weights: of the products, and the state before the first step.
        dtype: type of the recurrent products, and of the inputs' unless they are `NARROW`; the state keeps its own.
        gating: for another LSTM than the plain one.
        parameters: the gating's own.
    """
    learns = torch.is_grad_enabled()
    return _AllSteps.apply(gating or PlainGating(), dtype, learns, x, *weights, *parameters)  # type: ignore[return-value]


class _AllSteps(torch.autograd.Function):
    """`lstm_steps` with its derivative."""

    @staticmethod
    def forward(
        ctx: Any, gating: Gating, dtype: torch.dtype, learns: bool, x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, Tensor]:
        of_inputs, recurrent, constant, h, c = tensors[:5]
        steps, examples, features = x.shape
        in_type = constant.dtype if features < NARROW else dtype
        cast, to_gates, weight = x.to(in_type), of_inputs.to(in_type), recurrent.to(dtype)
        gates = c.new_empty(steps if learns else 1, examples, len(recurrent))
        hs, cs = c.new_empty(steps, *c.shape), c.new_empty(steps, *c.shape)
        seen = c.new_empty(steps + 1, *c.shape, dtype=dtype)  # h before each step, in the products' type
        seen[0] = h
        for t in range(steps):
            place = gates[t if learns else 0]
            _products(cast[t], to_gates, seen[t], weight, constant, place)
            h, c = gating.open(place, c)
            hs[t], cs[t], seen[t + 1] = h, c, h
        ctx.gating, ctx.x, ctx.seen, ctx.cs, ctx.start = gating, cast, seen, cs, tensors[4]
        ctx.weights, ctx.constant, ctx.types = (to_gates, weight), constant, [tensor.dtype for tensor in (x, *tensors)]
        ctx.set_materialize_grads(False)
        return hs, cs.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dhs: Tensor | None, dcs: Tensor | None) -> tuple[Any, ...]:
        (to_gates, weight), seen, cs = ctx.weights, ctx.seen, ctx.cs
        dgates = seen.new_empty(len(cs), cs.shape[1], len(weight))
        dh, dc = torch.zeros_like(ctx.start), torch.zeros_like(ctx.start)
        for t in reversed(range(len(cs))):
            dh = dh if dhs is None else dh + dhs[t]
            dc = dc if dcs is None else dc + dcs[t]
            dc = ctx.gating.differentiate(dh, dc, cs[t - 1] if t else ctx.start, t, dgates[t])
            dh = (dgates[t] @ weight).to(dc.dtype)
        rows, needed = dgates.flatten(0, 1), ctx.needs_input_grad[3:]
        dx = rows.to(to_gates.dtype) @ to_gates if needed[0] else None
        dconstant = sum_rows(rows)[None] if len(ctx.constant) == 1 else _sum_steps(dgates)
        found = (
            None if dx is None else dx.view(ctx.x.shape),
            (
                ctx.x.flatten(0, 1).to(rows.dtype).t() @ rows
            ).t(),  # with few features many times faster than the other way
            rows.t() @ seen[:-1].flatten(0, 1),
            dconstant,
            dh,
            dc,
            *ctx.gating.gradients(),
        )
        cast = (
            None if gradient is None else gradient.to(dtype) for gradient, dtype in zip(found, ctx.types, strict=True)
        )
        return (None, None, None, *cast)


def _products(x: Tensor, to_gates: Tensor, h: Tensor, weight: Tensor, constant: Tensor, out: Tensor) -> None:
    """Write x W_x^T + h W_h^T + constant into `out`, each product in its own type, the sum in full precision."""
    if to_gates.dtype == out.dtype:
        torch.addmm(constant, x, to_gates.t(), out=out)
    else:
        torch.add(constant, x @ to_gates.t(), out=out)
    if weight.dtype == out.dtype:
        out.addmm_(h, weight.t())
    else:
        out.add_(h @ weight.t())


def _sum_steps(dgates: Float[Tensor, "T B four_H"]) -> Float[Tensor, "B four_H"]:
    """Sum over the steps, as a product: in bf16 several times faster than `sum`."""
    return sum_rows(dgates.flatten(1)).view(dgates.shape[1:])
