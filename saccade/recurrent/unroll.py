"""The one loop over time, for every system: training, truncation, gradient flow, evaluation and animation use it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.shared_weights import shared_weights
from saccade.recurrent.tree import map_tensors, named_tensors


def unroll(
    core: RecurrentCore[Any, Any, Any, Any],
    inputs: Any,
    state: Any,
    context: Any = None,
    *,
    detach_every: int | None = None,
    on_state: Callable[[Any], None] | None = None,
) -> tuple[Any, Any]:
    """Step `core` along the first axis of `inputs`.

    Args:
        inputs: a tensor or (named) tuple of tensors, every leaf [T, B, ...].
        state: the state before the first step; `core.initial_state(B)` to begin.
        context: given to every step, through `core.prepare` once (an image is context, not a sequence).
        detach_every: truncated BPTT: cut the state's graph after every so many steps, where `core.detach` says.
        on_state: called with the state after each step, graph attached.

    Returns:
        The outputs, every leaf [T, B, ...], and the state after the last step.

    Raises:
        InputError: no steps, or `detach_every` below 1.
    """
    length = len(next(iter(named_tensors(inputs).values())))
    if length == 0:
        raise InputError("at least 1 step", "inputs of 0 steps", "ask for 1 or more")
    if detach_every is not None and detach_every < 1:
        raise InputError("detach_every of 1 or more", str(detach_every), "leave it out for full BPTT")
    outputs = []
    with shared_weights():
        prepared = core.prepare(context)
        if detach_every is None and on_state is None:
            at_once = core.passage(inputs, state, prepared)
            if at_once is not None:
                return core.readout(*at_once), at_once[1]
        for t in range(length):
            if detach_every is not None and t > 0 and t % detach_every == 0:
                state = core.detach(state)
            output, state = core(map_tensors(lambda leaf: leaf[t], inputs), state, prepared)  # noqa: B023
            outputs.append(output)
            if on_state is not None:
                on_state(state)
        return core.readout(map_tensors(lambda *leaves: torch.stack(leaves), *outputs), state), state


class Unrolled(nn.Module):
    """A core with its unroll as one module's `forward`: what autocast and data parallelism wrap."""

    def __init__(self, core: RecurrentCore[Any, Any, Any, Any], detach_every: int | None = None) -> None:
        super().__init__()
        self.core = core
        self.detach_every = detach_every

    def forward(self, inputs: Any, context: Any) -> Any:
        """From inputs [T, B, ...] and context [B, ...] to outputs [T, B, ...], from the initial state."""
        batch_size = next(iter(named_tensors(context).values())).shape[0]
        state = self.core.initial_state(batch_size)
        return unroll(self.core, inputs, state, context, detach_every=self.detach_every)[0]


def gradient_flow(
    core: RecurrentCore[Any, Any, Any, Any],
    inputs: Any,
    context: Any,
    loss: Callable[[Any], Tensor],
    *,
    batch_size: int,
    detach_every: int | None = None,
) -> dict[str, Tensor]:
    """How strongly the loss still feels each step's state: ||dL/ds_t||, the picture of vanishing gradients.

    Args:
        loss: from the stacked outputs to a scalar.

    Returns:
        State field -> norm over batch and units at each step [T]; 0 where no gradient arrives.
    """
    states: list[dict[str, Tensor]] = []
    outputs, _ = unroll(
        core,
        inputs,
        core.initial_state(batch_size),
        context,
        detach_every=detach_every,
        on_state=lambda state: states.append(named_tensors(state)),
    )
    leaves = [tensor for state in states for tensor in state.values()]
    wanted = [tensor for tensor in leaves if tensor.requires_grad]
    found = torch.autograd.grad(loss(outputs), wanted, allow_unused=True) if wanted else ()
    gradients = {id(tensor): gradient for tensor, gradient in zip(wanted, found, strict=True)}

    def norm(tensor: Tensor) -> Tensor:
        gradient = gradients.get(id(tensor))
        return tensor.new_zeros(()) if gradient is None else gradient.norm()

    return {field: torch.stack([norm(state[field]) for state in states]) for field in states[0]}
