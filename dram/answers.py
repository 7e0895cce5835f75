"""The texts that a network reads: the answers of an unroll, its stops, and distances between texts."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.dram.trace import Reading
from saccade.recurrent.sequence import lengths_until


class Answers(NamedTuple):
    """The texts that a network reads; S answers at most."""

    symbols: Int64[Tensor, "B S"]
    """The symbols read, then -1."""
    number: Int64[Tensor, " B"]
    """Number of symbols read."""
    spent: Int64[Tensor, " B"]
    """Glimpses spent, until it stops."""
    logits: Float[Tensor, "B S K1"]
    """Belief of every answer, those after the stop too."""


def at_answers(values: Tensor, glimpses: int) -> Tensor:
    """Return what holds after every N-th glimpse: [T, B, ...] to [S, B, ...]."""
    return values[glimpses - 1 :: glimpses]


def answers(outputs: Reading, glimpses: int) -> Answers:
    """Read the answers of an unroll, up to the first stop; an end symbol does not count."""
    logits = at_answers(outputs.logits, glimpses).transpose(0, 1)  # [B, S, K1]
    stops = at_answers(outputs.stops, glimpses)
    stop = lengths_until(stops)  # answers given, the last one included
    count = stop - at_answers(outputs.ends, glimpses).any(0).to(torch.int64)
    symbols = logits[:, :, :-1].argmax(2)
    at = torch.arange(symbols.shape[1], device=symbols.device)
    return Answers(symbols.masked_fill(at >= count[:, None], -1), count, stop * glimpses, logits)


def edit_distance(one: Int64[Tensor, "B S"], other: Int64[Tensor, "B R"]) -> Int64[Tensor, " B"]:
    """Return the least number of symbols to insert, delete or replace (Levenshtein 1966); -1 ends a text."""
    lengths = (one >= 0).sum(1), (other >= 0).sum(1)
    row = torch.arange(other.shape[1] + 1, device=one.device).expand(len(one), -1)
    rows = [row]
    for i in range(one.shape[1]):
        differs = (one[:, i : i + 1] != other).to(torch.int64)
        cells = [row[:, 0] + 1]
        for j in range(other.shape[1]):
            cells.append(torch.minimum(torch.minimum(row[:, j + 1], cells[-1]) + 1, row[:, j] + differs[:, j]))
        row = torch.stack(cells, dim=1)
        rows.append(row)
    table = torch.stack(rows, dim=1)  # [B, S + 1, R + 1]
    return table[torch.arange(len(one), device=one.device), lengths[0], lengths[1]]


def multiset_distance(one: Int64[Tensor, "B S"], other: Int64[Tensor, "B R"], classes: int) -> Int64[Tensor, " B"]:
    """Return the least number of symbols to insert, delete or replace where their order does not matter."""

    def counts(text: Tensor) -> Tensor:
        return torch.zeros(len(text), classes + 1, dtype=torch.int64, device=text.device).scatter_add_(
            1, text + 1, torch.ones_like(text)
        )[:, 1:]

    common = torch.minimum(counts(one), counts(other)).sum(1)
    return torch.maximum((one >= 0).sum(1), (other >= 0).sum(1)) - common
