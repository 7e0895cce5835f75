"""The recurrent core: the contract that every cell and every recurrent system keeps.

A core is one step, `output, state = core(inputs, state, context)`; `unroll` is the loop. A step is a pure function of
its arguments: all randomness comes in with the inputs.
"""

from typing import Any, Generic, TypeAlias, TypeVar

from torch import Tensor, nn

from saccade.recurrent.sequence import Lengths
from saccade.recurrent.tree import Tree, map_tensors

Inputs = TypeVar("Inputs", bound=Tree)
State = TypeVar("State", bound=Tree)
Context = TypeVar("Context")
Output = TypeVar("Output", bound=Tree)


class RecurrentCore(nn.Module, Generic[Inputs, State, Context, Output]):
    """One step of a recurrent network, and the five other things that an unroll must know of it.

    Type parameters: the inputs of a step; the state; the context as a step sees it (see `prepare`); the output of a
    step and, stacked, of an unroll (Any for a core whose `readout` returns another type).
    """

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step, every leaf [B, ...]."""
        raise NotImplementedError

    def forward(self, inputs: Inputs, state: State, context: Context) -> tuple[Output, State]:
        """Take one step.

        Args:
            inputs: of this step, every leaf [B, ...].
            state: after the step before, every leaf [B, ...].
            context: as `prepare` returned it.

        Returns:
            The output, every leaf [B, ...], and the new state, of the old one's structure, shapes and types.
        """
        raise NotImplementedError

    def prepare(self, context: Any) -> Context:
        """Compute once per unroll what every step needs of the context (e.g. padded images, an attention's keys).

        The context itself by default.
        """
        return context

    def fused(
        self, inputs: Inputs, state: State, context: Context, lengths: Lengths = None
    ) -> tuple[Output, State] | None:
        """Take all steps at once, if the core has a faster way than stepping; the same result up to rounding.

        Args:
            inputs: every leaf [T, B, ...].
            state: before the first step.
            context: as `prepare` returned it.
            lengths: steps of each example, int64 [B]; the inputs are 0 from its end on. None: all T.

        Returns:
            The stacked outputs [T, B, ...], whatever they are after an example's end, and each example's state after
            its own last step; None, the default, where the core must be stepped.
        """
        return None

    def readout(self, outputs: Output, state: State) -> Output:
        """Compute for all steps at once what follows from them and does not feed back. The outputs by default.

        Args:
            outputs: what `forward` returned, stacked, every leaf [T, B, ...]; 0 after an example's end.
            state: the last state; each example's own last.

        Returns:
            The outputs of the unroll, every leaf [T, B, ...].
        """
        return outputs

    def detach(self, state: State) -> State:
        """Cut the state's graph, at a truncation point of truncated BPTT.

        All of it by default. A core that sums over steps keeps its accumulator: else the loss loses the earlier terms.
        """
        return map_tensors(Tensor.detach, state)


AnyCore: TypeAlias = RecurrentCore[Any, Any, Any, Any]
"""A core whose types are known only where it runs."""
