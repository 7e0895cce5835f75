"""Gradient flow: how strongly a loss depends on the state at every step, the picture of vanishing gradients."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from saccade.recurrent.core import Context, Inputs, Output, RecurrentCore, State
from saccade.recurrent.tree import Tree, named_tensors
from saccade.recurrent.unroll import unroll


def gradient_flow(
    core: RecurrentCore[Inputs, State, Context, Output],
    inputs: Inputs,
    context: Tree,
    loss: Callable[[Output], Tensor],
    *,
    batch_size: int,
    lengths: Tensor | None = None,
    detach_every: int | None = None,
) -> dict[str, Tensor]:
    """Compute ||dL/ds_t||, the norm of the loss's gradient by the state after each step.

    Args:
        inputs: every leaf [T, B, ...].
        context: every leaf [B, ...], or None.
        loss: from the stacked outputs to a scalar.
        batch_size: B.
        lengths: int64 [B], see `unroll`; an example adds nothing to the steps after its end.
        detach_every: see `unroll`.

    Returns:
        State field -> norm over batch and units at each step [T]; 0 where no gradient arrives.
    """
    states: list[dict[str, Tensor]] = []
    outputs, _ = unroll(
        core,
        inputs,
        core.initial_state(batch_size),
        context,
        lengths=lengths,
        detach_every=detach_every,
        on_state=lambda state: states.append(named_tensors(state)),
    )
    wanted = [tensor for state in states for tensor in state.values() if tensor.requires_grad]
    found = torch.autograd.grad(loss(outputs), wanted, allow_unused=True) if wanted else ()
    gradients = {id(tensor): gradient for tensor, gradient in zip(wanted, found, strict=True)}

    def norm(tensor: Tensor) -> Tensor:
        gradient: Tensor | None = gradients.get(id(tensor))
        if gradient is None:
            return tensor.new_zeros(())
        return cast(Tensor, torch.norm(gradient))  # pyright: ignore[reportUnknownMemberType]

    return {field: torch.stack([norm(state[field]) for state in states]) for field in states[0]}
