"""Sequences of different lengths in one padded batch: masks, and what losses compute through them.

`lengths` is int64 [B], the steps of each example, from 1 to T; None means that every example has all T. Values in the
padding are replaced, never multiplied by 0: a NaN there reaches neither a result nor a gradient.
"""

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.tree import Branch, map_tensors

Lengths = Int64[Tensor, " B"] | None


def check_lengths(lengths: Tensor, steps: int, batch_size: int) -> None:
    """Refuse lengths that do not fit a batch.

    Raises:
        InputError: not int64 [B], or a length below 1 or above `steps`.
    """
    if lengths.dtype != torch.int64 or lengths.shape != (batch_size,):
        found = f"{lengths.dtype} {list(lengths.shape)}"
        raise InputError(f"lengths as torch.int64 [{batch_size}]", found, "give one whole number for every example")
    outside = lengths[(lengths < 1) | (lengths > steps)]
    if len(outside):
        do = "leave out empty examples and cut longer ones"
        raise InputError(f"lengths from 1 to {steps}", f"a length of {int(outside[0])}", do)


def mask(lengths: Int64[Tensor, " B"], steps: int) -> Bool[Tensor, "T B"]:
    """Return which steps belong to each example: True before its end."""
    return torch.arange(steps, device=lengths.device)[:, None] < lengths


def clear_padding(tree: Branch, running: Bool[Tensor, "..."]) -> Branch:
    """Replace every value where `running` is False by 0 (False). `running` has the leading axes of every leaf."""

    def clear(leaf: Tensor) -> Tensor:
        assert leaf.shape[: running.ndim] == running.shape, "every leaf has the axes of the mask"
        return leaf.masked_fill(~_aligned(running, leaf), 0)

    return map_tensors(clear, tree)


def hold(running: Bool[Tensor, " B"], new: Branch, old: Branch) -> Branch:
    """Return the new values of the examples that are running, the old ones of the others; leaves [B, ...]."""
    return map_tensors(lambda a, b: torch.where(_aligned(running, a), a, b), new, old)


def masked_sum(values: Shaped[Tensor, "T B ..."], lengths: Lengths = None) -> Shaped[Tensor, "B ..."]:
    """Return each example's sum over its own steps [B, ...]."""
    if lengths is not None:
        values = clear_padding(values, mask(lengths, len(values)))
    return values.sum(0)


def masked_mean(values: Shaped[Tensor, "T B ..."], lengths: Lengths = None) -> Shaped[Tensor, "..."]:
    """Return the mean over all steps of all examples [...]: every step has the same weight, in long and short ones."""
    examples = values.shape[1]
    steps = len(values) * examples if lengths is None else lengths.sum()
    return masked_sum(values, lengths).sum(0) / steps


def last(tree: Branch, lengths: Lengths = None) -> Branch:
    """Return each example's own last step: leaves [T, B, ...] to [B, ...]."""
    if lengths is None:
        return map_tensors(lambda leaf: leaf[-1], tree)
    examples = torch.arange(len(lengths), device=lengths.device)
    return map_tensors(lambda leaf: leaf[lengths - 1, examples], tree)


def lengths_until(ended: Bool[Tensor, "T B"]) -> Int64[Tensor, " B"]:
    """Return the lengths of sequences that end with the first step at which `ended` is True; T where none does."""
    steps = len(ended)
    first = ended.to(torch.int64).argmax(0) + 1
    return torch.where(ended.any(0), first, steps)


def _aligned(running: Tensor, leaf: Tensor) -> Tensor:
    """Return the mask with as many axes as the leaf."""
    return running.reshape(running.shape + (1,) * (leaf.ndim - running.ndim))
