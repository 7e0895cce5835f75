"""Soft attention over a memory of N places, with an optional mask: additive and dot-product.

A core calls `prepare(memory, mask)` in its own `prepare`, once per unroll: the keys are the memory's projection. Every
step then asks with a query: `attended = attention(query, memory)`.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.recurrent.shared_weights import affine


class Memory(NamedTuple):
    """A memory as a step sees it. Masked places hold zeros."""

    values: Float[Tensor, "B N D"]
    keys: Float[Tensor, "B N A"]
    mask: Bool[Tensor, "B N"] | None
    """True where the memory holds something; None: everywhere."""


class Attended(NamedTuple):
    """The answer to a query."""

    context: Float[Tensor, "B D"]
    """The weighted sum of the values."""
    weights: Float[Tensor, "B N"]
    """Their sum is 1; exactly 0 at masked places, and everywhere where all places are masked."""


class AdditiveAttention(nn.Module):
    """Scores v^T tanh(W s + U m_j + b) (Bahdanau et al. 2015, appendix A.1.2), with a bias."""

    def __init__(self, memory_size: int, query_size: int, hidden_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory_size, hidden_size)  # U, b
        self.query = nn.Linear(query_size, hidden_size, bias=False)  # W
        self.score = nn.Linear(hidden_size, 1, bias=False)  # v

    def prepare(self, memory: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"] | None = None) -> Memory:
        """Project the keys, once per unroll."""
        return _prepared(memory, mask, self.key)

    def forward(self, query: Float[Tensor, "B Q"], memory: Memory) -> Attended:
        """Read the memory.

        `v` is multiplied without `affine`: a vector's gradient is small, and `affine` would keep a second [T, B, N, A].
        """
        asked = affine((query,), (self.query.weight,))  # [B, A]
        hidden = torch.tanh(memory.keys + asked[:, None])  # [B, N, A]
        return _attend(F.linear(hidden, self.score.weight).squeeze(2), memory)


class DotProductAttention(nn.Module):
    """Scores s^T W m_j, "general" (Luong et al. 2015, equation 8), or s^T m_j, "dot", without parameters.

    `scaled` divides the scores by the square root of the query's size (Vaswani et al. 2017, equation 1).

    Raises:
        InputError: "dot" of a memory and a query of different sizes.
    """

    def __init__(self, memory_size: int, query_size: int, *, projected: bool = True, scaled: bool = False) -> None:
        super().__init__()
        if not projected and memory_size != query_size:
            found = f"{memory_size} and {query_size}"
            raise InputError("a memory as wide as the query", found, "set projected=True, which learns W")
        self.key = nn.Linear(memory_size, query_size, bias=False) if projected else None  # W
        self.scale = 1 / math.sqrt(query_size) if scaled else 1.0

    def prepare(self, memory: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"] | None = None) -> Memory:
        """Project the keys, once per unroll."""
        return _prepared(memory, mask, self.key)

    def forward(self, query: Float[Tensor, "B Q"], memory: Memory) -> Attended:
        """Read the memory."""
        scores = torch.bmm(memory.keys, query.to(memory.keys.dtype)[:, :, None]).squeeze(2)
        return _attend(scores * self.scale, memory)


def _prepared(memory: Tensor, mask: Tensor | None, key: nn.Linear | None) -> Memory:
    """Return the memory with its keys, and zeros where it is masked: NaN there must not reach a gradient."""
    if mask is not None:
        memory = memory.masked_fill(~mask[:, :, None], 0)
    if key is None:
        return Memory(memory, memory, mask)
    biases = [bias for name, bias in key.named_parameters() if name == "bias"]
    keys = affine((memory.flatten(0, 1),), (key.weight,), biases)
    return Memory(memory, keys.view(*memory.shape[:2], -1), mask)


def _attend(scores: Tensor, memory: Memory) -> Attended:
    """Return the softmax of the scores [B, N] over the places that are not masked, and the mean of their values."""
    values, mask = memory.values, memory.mask
    scores = scores.to(values.dtype)
    if mask is None:
        weights = torch.softmax(scores, dim=1)
    else:
        lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax is NaN where all places are masked
        weights = torch.softmax(scores.masked_fill(~mask, lowest), dim=1).masked_fill(~mask, 0)
    context = torch.bmm(weights[:, None], values).squeeze(1)
    return Attended(context.to(values.dtype), weights)
