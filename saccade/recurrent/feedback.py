"""Sampling with the same loop as training: a core that is fed its own last choice.

Training unrolls a core on the true sequence; sampling unrolls `Feedback` of that core on noise.
"""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor

from saccade.recurrent.core import Context, Output, RecurrentCore, State
from saccade.recurrent.tree import Tree, map_tensors

Choice = TypeVar("Choice", bound=Tree)
Noise = TypeVar("Noise", bound=Tree)


class FeedbackState(NamedTuple):
    """The inner core's state, and the last choice."""

    core: Any
    choice: Any


class Fed(NamedTuple):
    """A step's output: the inner core's, and the choice made from it, which the next step is fed."""

    output: Any
    choice: Any


class Feedback(RecurrentCore[Noise, FeedbackState, Context, Fed], Generic[Noise, State, Context, Output, Choice]):
    """A core that takes its own last choice as input. Its inputs are the noise of `choose`, every leaf [T, B, ...].

    Greedy decoding ignores the noise, which then only counts the steps: `torch.zeros(T, B)`. An early end is seen
    afterwards, see `sequence.lengths_until`.
    """

    def __init__(
        self,
        core: RecurrentCore[Choice, State, Context, Output],
        choose: Callable[[Output, Noise], Choice],
        first: Callable[[int], Choice],
    ) -> None:
        """Wrap a core.

        Args:
            core: the core to sample from; its inputs are choices.
            choose: from the core's output at one step, before any `readout`, and that step's noise to a choice, every
                leaf [B, ...]. A pure function: the randomness is the noise. A module's parameters become this one's.
            first: from the batch size to the choice that the first step is fed (a start symbol), every leaf [B, ...].
        """
        super().__init__()
        self.core, self.choose, self.first = core, choose, first

    def initial_state(self, batch_size: int) -> FeedbackState:
        return FeedbackState(self.core.initial_state(batch_size), self.first(batch_size))

    def forward(self, inputs: Noise, state: FeedbackState, context: Context) -> tuple[Fed, FeedbackState]:
        output, after = self.core(state.choice, state.core, context)
        choice = self.choose(output, inputs)
        return Fed(output, choice), FeedbackState(after, choice)

    def prepare(self, context: Tree) -> Context:
        return self.core.prepare(context)

    def readout(self, outputs: Fed, state: FeedbackState) -> Fed:
        return Fed(self.core.readout(outputs.output, state.core), outputs.choice)

    def detach(self, state: FeedbackState) -> FeedbackState:
        return FeedbackState(self.core.detach(state.core), map_tensors(Tensor.detach, state.choice))
