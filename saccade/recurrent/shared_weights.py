"""Affine maps whose weights are the same at every step of an unroll.

Autograd would form each weight's gradient step by step, T small matrix products and T - 1 sums. The gradient is one
product over all steps: dL/dW = sum_t dy_t^T x_t = [dy_1; ...; dy_T]^T [x_1; ...; x_T]. Inside `shared_weights()`, which
`unroll` opens, `affine` keeps each step's x_t and dy_t and forms that product once; it also casts the weights to the
compute type once (bf16 under autocast, with the parameters as the fp32 master copy). Results equal plain autograd up
to the order of summation. Outside the scope, and without gradients, `affine` is the plain formula.
"""

# torch declares an autograd function's backward with *args:
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Tape:
    """One affine map during one unroll: its weights in the compute type, and every step's inputs and gradients."""

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor], relu: bool, dtype: torch.dtype) -> None:
        self.weights = [weight.detach().to(dtype) for weight in weights]
        self.bias = _sum([bias.detach() for bias in biases]).to(dtype) if biases else None
        self.relu = relu
        self.dtype = dtype
        self.inputs: list[tuple[Tensor, ...]] = []  # detached: a tape in a reference cycle with its graph would leak
        self.gradients = torch.empty(0)  # dL/dy of every step [T, B, O]
        self.steps: set[int] = set()  # whose gradient has arrived
        self.backward_pass = -1

    def product(self, inputs: Sequence[Tensor]) -> Tensor:
        y = F.linear(inputs[0], self.weights[0], self.bias)
        for x, weight in zip(inputs[1:], self.weights[1:], strict=True):
            y.addmm_(x, weight.t())
        return y.relu_() if self.relu else y

    def place(self, step: int, like: Tensor) -> Tensor:
        """Return the place of a step's gradient until `_Collect`; drop what an earlier backward pass left unused."""
        backward_pass = torch._C._current_graph_task_id()  # pyright: ignore[reportPrivateUsage]
        if backward_pass != self.backward_pass:
            self.backward_pass = backward_pass
            self.gradients = like.new_empty(len(self.inputs), *like.shape)
            self.steps.clear()
        self.steps.add(step)
        return self.gradients[step]

    def collect(self) -> tuple[list[Tensor], Tensor]:
        """Return dL/dW for each weight, and dL/db, over all steps at once."""
        steps = sorted(self.steps)
        gradients = self.gradients if len(steps) == len(self.inputs) else self.gradients[steps]
        dy = gradients.flatten(0, 1)  # [T*B, O]
        columns = zip(*(self.inputs[step] for step in steps), strict=True)
        weight_gradients = [
            dy.t() @ (torch.cat(column) if len(steps) > 1 else next(iter(column))) for column in columns
        ]
        self.gradients, self.backward_pass = torch.empty(0), -1
        self.steps.clear()
        return weight_gradients, sum_rows(dy)


class _Collect(torch.autograd.Function):
    """A token that every step depends on, made from the parameters: its backward runs after all steps' backward."""

    @staticmethod
    def forward(ctx: Any, tape: _Tape, count: int, *parameters: Tensor) -> Tensor:
        ctx.tape, ctx.count = tape, count
        ctx.types = [parameter.dtype for parameter in parameters]
        return parameters[0].new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _token: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.tape.steps:
            return (None,) * (2 + len(ctx.types))
        weight_gradients, bias_gradient = ctx.tape.collect()
        gradients = weight_gradients + [bias_gradient] * (len(ctx.types) - ctx.count)
        return (None, None, *(g.to(dtype) for g, dtype in zip(gradients, ctx.types, strict=True)))


class _Step(torch.autograd.Function):
    """One step's y = f(sum_i x_i W_i^T + b): gradients flow to the inputs now, to the weights through the tape."""

    @staticmethod
    def forward(ctx: Any, tape: _Tape, _token: Tensor, *inputs: Tensor) -> Tensor:
        cast = tuple(x.detach().to(tape.dtype) for x in inputs)
        y = tape.product(cast)
        ctx.tape, ctx.step = tape, len(tape.inputs)
        ctx.types = [x.dtype for x in inputs]
        tape.inputs.append(cast)
        if tape.relu:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        tape: _Tape = ctx.tape
        place = tape.place(ctx.step, dy) if ctx.needs_input_grad[1] else torch.empty_like(dy)
        if tape.relu:
            (y,) = ctx.saved_tensors
            dy = torch.ops.aten.threshold_backward.grad_input(dy, y, 0, grad_input=place)
        else:
            dy = place.copy_(dy)
        input_gradients = (
            (dy @ weight).to(dtype) if needed else None
            for weight, dtype, needed in zip(tape.weights, ctx.types, ctx.needs_input_grad[2:], strict=True)
        )
        return (None, None, *input_gradients)


def _sum(terms: Sequence[Tensor]) -> Tensor:
    """Return the sum of one or more tensors."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def compute_type(weight: Tensor) -> torch.dtype:
    """Return the type in which a product with a weight is computed: autocast's where it is on, else the weight's."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


def sum_rows(y: Float[Tensor, "R O"]) -> Float[Tensor, " O"]:
    """Sum over the rows, as a product: in bf16 several times faster than `sum`."""
    return (y.new_ones(1, len(y)) @ y).squeeze(0)


_Tapes = dict[tuple[object, ...], tuple[_Tape, Tensor | None, tuple[Tensor, ...]]]
_scope: ContextVar[_Tapes | None] = ContextVar("shared_weights", default=None)


@contextmanager
def shared_weights() -> Generator[None]:
    """Open the scope of one unroll, in which the weights of affine maps do not change."""
    token = _scope.set({})
    try:
        yield
    finally:
        _scope.reset(token)


def affine(
    inputs: Sequence[Float[Tensor, "B _"]],
    weights: Sequence[Float[Tensor, "O _"]],
    biases: Sequence[Float[Tensor, " O"]] = (),
    *,
    relu: bool = False,
) -> Float[Tensor, "B O"]:
    """Return y = sum_i x_i W_i^T + sum_j b_j, rectified where `relu`.

    Args:
        inputs: one or more x_i [B, I_i].
        weights: a W_i [O, I_i] for each input.
        biases: any number of b_j [O].

    Returns:
        [B, O], in the autocast type where autocast is on, else in the weights' type.
    """
    dtype = compute_type(weights[0])
    scope = _scope.get()
    if scope is None:
        y = _sum([F.linear(x.to(dtype), weight.to(dtype)) for x, weight in zip(inputs, weights, strict=True)])
        y = y + _sum(biases).to(dtype) if biases else y
        return torch.relu(y) if relu else y
    learns = torch.is_grad_enabled()
    key = (*map(id, weights), *map(id, biases), relu, dtype, learns)
    if key not in scope:
        tape = _Tape(weights, biases, relu, dtype)
        token = _Collect.apply(tape, len(weights), *weights, *biases) if learns else None
        # weights and biases are kept alive: another tensor must not get their ids in this scope
        scope[key] = (tape, token, (*weights, *biases))
    tape, token, _ = scope[key]
    if token is None:
        return tape.product([x.to(dtype) for x in inputs])
    return _Step.apply(tape, token, *inputs)  # type: ignore[return-value]
