"""Soft attention over a memory of N places, with an optional mask: additive and dot-product.

A core calls `prepare(memory, mask)` in its own `prepare`, once per unroll: the keys are the memory's projection. Every
step then asks with a query: `attended = attention(query, memory)`. Several queries may share a memory: G queries of B
memories are G B rows, those of a memory B apart.
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

    context: Float[Tensor, "R D"]
    """The weighted sum of the values."""
    weights: Float[Tensor, "R N"]
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

    def forward(self, query: Float[Tensor, "R Q"], memory: Memory) -> Attended:
        """Read the memory.

        `v` is multiplied without `affine`: a vector's gradient is small, and `affine` would keep a second [T, B, N, A].
        """
        asked = _grouped(affine((query,), (self.query.weight,)), memory)  # [B, G, A]
        hidden = torch.tanh(memory.keys[:, None] + asked[:, :, None])  # [B, G, N, A]
        return _attend(F.linear(hidden, self.score.weight).squeeze(3), memory)


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

    def forward(self, query: Float[Tensor, "R Q"], memory: Memory) -> Attended:
        """Read the memory."""
        asked = _grouped(query.to(memory.keys.dtype), memory)
        scores = torch.bmm(asked, memory.keys.transpose(1, 2))  # [B, G, N]
        return _attend(scores * self.scale, memory)


def read(weights: Float[Tensor, "R N"], memory: Memory) -> Float[Tensor, "R D"]:
    """Return the sum of the values with given weights."""
    values = memory.values
    return torch.bmm(_grouped(weights.to(values.dtype), memory), values).transpose(0, 1).flatten(0, 1).to(values.dtype)


def _grouped(rows: Tensor, memory: Memory) -> Tensor:
    """Return rows [G B, ...] as [B, G, ...]."""
    return rows.reshape(-1, len(memory.values), *rows.shape[1:]).transpose(0, 1)


def _prepared(memory: Tensor, mask: Tensor | None, key: nn.Linear | None) -> Memory:
    """Return the memory with its keys, and zeros where it is masked: NaN there must not reach a gradient."""
    if mask is not None:
        memory = memory.masked_fill(~mask[:, :, None], 0)
    if key is None:
        return Memory(memory, memory, mask)
    biases = [bias for name, bias in key.named_parameters() if name == "bias"]
    keys = affine((memory.flatten(0, 1),), (key.weight,), biases)
    return Memory(memory, keys.view(*memory.shape[:2], -1), mask)


def _attend(scores: Float[Tensor, "B G N"], memory: Memory) -> Attended:
    """Return the softmax of the scores over the places that are not masked, and the mean of their values.

    The softmax is in full precision, whatever the type of the values.
    """
    scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    if memory.mask is None:
        weights = torch.softmax(scores, dim=2)
    else:
        masked = ~memory.mask[:, None]
        lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax is NaN where all places are masked
        weights = torch.softmax(scores.masked_fill(masked, lowest), dim=2).masked_fill(masked, 0)
    weights = weights.transpose(0, 1).flatten(0, 1)
    return Attended(read(weights, memory), weights)
