"""The one loop over time, for every system: training, truncation, gradient flow, evaluation, sampling, animation."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.recurrent.core import AnyCore, Context, Inputs, Output, RecurrentCore, State
from saccade.recurrent.sequence import check_lengths, clear_padding, hold, mask
from saccade.recurrent.shared_weights import shared_weights
from saccade.recurrent.tree import Tree, count, map_tensors, rows


def unroll(
    core: RecurrentCore[Inputs, State, Context, Output],
    inputs: Inputs,
    state: State,
    context: Tree = None,
    *,
    lengths: Tensor | None = None,
    detach_every: int | None = None,
    on_state: Callable[[State], None] | None = None,
) -> tuple[Output, State]:
    """Step `core` along the first axis of `inputs`.

    With `lengths`, an example of a padded batch gives what it gives alone: from its end on its state is held and its
    outputs are 0, and what its inputs hold there does not matter, NaN included.

    Args:
        inputs: every leaf [T, B, ...].
        state: the state before the first step; `core.initial_state(B)` to begin.
        context: given to every step, through `core.prepare` once (an image is context, not a sequence).
        lengths: steps of each example, int64 [B], from 1 to T. None: all T.
        detach_every: truncated BPTT: cut the state's graph every `detach_every` steps, as `core.detach` does.
        on_state: called with the state that each step computes, graph attached (before ended examples are held).

    Returns:
        The outputs, every leaf [T, B, ...], and each example's state after its own last step.

    Raises:
        InputError: no steps, lengths that do not fit, or `detach_every` below 1.
    """
    steps = count(inputs)
    if steps == 0:
        raise InputError("at least 1 step", "inputs of 0 steps", "give 1 or more")
    if detach_every is not None and detach_every < 1:
        raise InputError("detach_every of 1 or more", str(detach_every), "leave it out for full BPTT")
    running = None
    if lengths is not None:
        check_lengths(lengths, steps, count(inputs, axis=1))
        running = mask(lengths, steps)
        inputs = clear_padding(inputs, running)
    with shared_weights():
        prepared = core.prepare(context)
        fused = None
        if detach_every is None and on_state is None:
            fused = core.fused(inputs, state, prepared, lengths)
        outputs, state = fused or _stepped(core, inputs, state, prepared, running, detach_every, on_state)
        if running is None:
            return core.readout(outputs, state), state
        return clear_padding(core.readout(clear_padding(outputs, running), state), running), state


def _stepped(
    core: RecurrentCore[Inputs, State, Context, Output],
    inputs: Inputs,
    state: State,
    context: Context,
    running: Tensor | None,
    detach_every: int | None,
    on_state: Callable[[State], None] | None,
) -> tuple[Output, State]:
    """Return the stacked outputs and the last state, stepping; `running` [T, B] says whose state a step changes.

    An ended example is not cut either: its last state belongs to the window in which it ended.
    """
    outputs: list[Output] = []
    first_end = None if running is None else int(running.all(1).sum())  # before it, nothing is to be held
    for t, now in enumerate(rows(inputs)):
        active = None if running is None or first_end is None or t < first_end else running[t]
        if detach_every is not None and t > 0 and t % detach_every == 0:
            cut = core.detach(state)
            state = cut if active is None else hold(active, cut, state)
        after: State
        output, after = core(now, state, context)
        outputs.append(output)
        if on_state is not None:
            on_state(after)
        state = after if active is None else hold(active, after, state)
    return map_tensors(lambda *leaves: torch.stack(leaves), *outputs), state


class Unrolled(nn.Module):
    """A core and its unroll as one module: what autocast and data parallelism wrap."""

    def __init__(self, core: AnyCore, detach_every: int | None = None) -> None:
        super().__init__()
        self.core = core
        self.detach_every = detach_every

    def forward(self, inputs: Tree, context: Tree = None, lengths: Tensor | None = None) -> Tree:
        """Unroll from the initial state.

        Args:
            inputs: every leaf [T, B, ...].
            context: every leaf [B, ...], or None.
            lengths: int64 [B], see `unroll`.

        Returns:
            The outputs, every leaf [T, B, ...].
        """
        state = self.core.initial_state(count(inputs, axis=1))
        return unroll(self.core, inputs, state, context, lengths=lengths, detach_every=self.detach_every)[0]
