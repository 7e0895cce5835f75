"""Sequences of the adding problem (Hochreiter & Schmidhuber 1997, section 5.4), drawn by a seeded generator.

The network reads a sequence of numbers, two of them marked, and answers at its end with their sum. This variant
(Arjovsky et al. 2016, section 5.2) draws the numbers from [0, 1] and marks one in each half, so that the answer needs a
memory of at least T / 2 steps. Always answering 1 has a mean squared error of 1/6 = 0.167, however long the sequence.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from saccade.adding.config import AddingData, AddingFacts
from saccade.errors import InputError
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers

BLIND_ERROR = 1 / 6
"""Mean squared error of always answering 1: the variance of a sum of two numbers uniform in [0, 1]."""

FINE = 1 << 24
"""Numbers are multiples of 1 / FINE, the resolution of float32 in [0.5, 1]."""


class Sequences(NamedTuple):
    """A padded batch of sequences."""

    numbers: Tensor
    """float32 [B, T] in [0, 1]; 0 in the padding."""
    marks: Tensor
    """1 at the two marked numbers of each sequence, else 0 [B, T]."""
    lengths: Tensor
    """Numbers in each sequence, int64 [B]."""
    sums: Tensor
    """The sum of the marked numbers [B]."""


def draw(seed: int, purpose: str, step: int, count: int, shortest: int, longest: int) -> Sequences:
    """Draw `count` sequences of `shortest` to `longest` numbers; the same arguments give the same sequences."""
    lengths = shortest + integers(seed, f"{purpose}: lengths", step, count, [longest - shortest + 1])[:, 0]
    drawn = integers(seed, f"{purpose}: numbers", step, count, [FINE] * longest + [FINE, FINE])
    numbers, marked = drawn[:, :longest].float() / FINE, drawn[:, longest:]
    half = lengths // 2
    first = marked[:, 0] * half // FINE  # one mark in each half of the sequence's own length
    second = half + marked[:, 1] * (lengths - half) // FINE
    numbers = numbers.masked_fill(torch.arange(longest) >= lengths[:, None], 0.0)
    marks = torch.zeros_like(numbers).scatter_(1, torch.stack([first, second], dim=1), 1.0)
    return Sequences(numbers, marks, lengths, (numbers * marks).sum(1))


class AddingSource:
    """New sequences for every batch, and held-out sets that never change."""

    def __init__(self, data: AddingData, seed: int, device: torch.device | str = "cpu") -> None:
        self.facts = AddingFacts(data.shortest, data.longest)
        self.examples, self.device = data.epoch_examples, torch.device(device)
        self._held_out, self._seed = data.held_out, seed

    def batch(self, step: int, size: int) -> Sequences:
        """Draw training batch number `step`.

        Raises:
            InputError: the batch is larger than an epoch.
        """
        if size > self.examples:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} sequences of an epoch", found, "lower --batch-size")
        return self._draw(self._seed, "adding: train", step, size)

    def held_out(self, split: Split) -> Sequences:
        """Draw a held-out set; the same in every run with these lengths."""
        return self._draw(0, f"adding: {split}", 0, self._held_out)

    def _draw(self, seed: int, purpose: str, step: int, count: int) -> Sequences:
        """Draw sequences onto the device."""
        sequences = draw(seed, purpose, step, count, self.facts.shortest, self.facts.longest)
        return Sequences(*(leaf.to(self.device) for leaf in sequences))
