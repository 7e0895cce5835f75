"""The summary of all states so far, as a core: the last one, their mean, or a mean weighted by soft attention.

The weights are a softmax over the steps so far. It is computed on line (Milakov & Gimelshein 2018): with m the largest
score so far, the sums of e^(s - m) h and e^(s - m) are rescaled when m grows. So a summary is there at every step.
Where a whole clip is given, the weights of all steps are one triangular matrix.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.sequence import Lengths, last
from saccade.recurrent.shared_weights import affine

LOWEST = -1e4
"""Score before the first step: e^(LOWEST - s) is 0 for every score that a network gives."""

MOST_AT_ONCE = 256
"""Most steps that are weighed by one matrix."""


class PoolState(NamedTuple):
    """Sums over the steps so far."""

    weighted: Float[Tensor, "B H"]
    weight: Float[Tensor, " B"]
    largest: Float[Tensor, " B"]


class Pool(RecurrentCore[Tensor, PoolState, object, Tensor]):
    """A state h_t [B, H] in, the summary of h_1 to h_t [B, H] out."""

    def __init__(self, kind: Literal["last", "mean", "attention"], size: int) -> None:
        super().__init__()
        self.kind, self.size = kind, size
        self.score = nn.Linear(size, 1) if kind == "attention" else None
        self.register_buffer("_like", torch.zeros(()), persistent=False)

    def initial_state(self, batch_size: int) -> PoolState:
        zeros = self.get_buffer("_like").new_zeros(batch_size)
        return PoolState(zeros.new_zeros(batch_size, self.size), zeros, zeros + LOWEST)

    def forward(
        self, inputs: Float[Tensor, "B H"], state: PoolState, context: object = None
    ) -> tuple[Float[Tensor, "B H"], PoolState]:
        if self.kind == "last":
            return inputs, state
        score = self._score(inputs, state)
        largest = torch.maximum(state.largest, score.detach())
        old, new = (state.largest - largest).exp(), (score - largest).exp()
        weighted = old[:, None] * state.weighted + new[:, None] * inputs
        weight = old * state.weight + new
        return weighted / weight[:, None], PoolState(weighted, weight, largest)

    def fused(
        self, inputs: Float[Tensor, "T B H"], state: PoolState, context: object = None, lengths: Lengths = None
    ) -> tuple[Float[Tensor, "T B H"], PoolState] | None:
        """Weigh all steps at once; None for a clip so long that the matrix of weights would be large."""
        steps, examples = inputs.shape[:2]
        if self.kind == "last":
            return inputs, state
        if steps > MOST_AT_ONCE:
            return None
        score = self._score(inputs.flatten(0, 1), state).view(steps, examples)
        largest = torch.cat([state.largest[None], score.detach()]).cummax(0).values[1:]
        later = torch.ones(steps, steps, dtype=torch.bool, device=score.device).triu(1)
        terms = (score.t()[:, None] - largest.t()[..., None]).masked_fill(later, -torch.inf).exp()  # [B, T, T]
        past = (state.largest - largest).exp()
        weight = past * state.weight + terms.sum(2).t()
        summary = ((terms / weight.t()[..., None]) @ inputs.transpose(0, 1)).transpose(0, 1).to(inputs.dtype)
        if bool((state.weight > 0).any()):  # an earlier part of the clip
            summary = summary + (past / weight)[..., None] * state.weighted
        ends, total, top = last((summary, weight, largest), lengths)
        return summary, PoolState(ends * total[:, None], total, top)

    def _score(self, inputs: Float[Tensor, "B H"], state: PoolState) -> Float[Tensor, " B"]:
        if self.score is None:  # the mean: all scores are equal
            return inputs.new_zeros(len(inputs))
        return affine((inputs,), (self.score.weight,), (self.score.bias,)).squeeze(1).to(state.largest.dtype)
