"""Random whole numbers that depend on a seed, a purpose and a step alone: not on a device, a thread or an earlier draw.

The bits come from NumPy's PCG64, whose raw output is promised never to change, and are brought into range here: a
frozen test set stays the same under every version of NumPy and torch.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor


def _bits(seed: int, purpose: str, step: int, count: int) -> np.ndarray:
    """Return 64 random bits for each of `count` draws: uint64 [count]."""
    digest = hashlib.sha256(f"{purpose} {seed} {step}".encode()).digest()
    return np.random.PCG64(int.from_bytes(digest[:16], "little")).random_raw(count)


def integers(seed: int, purpose: str, step: int, count: int, below: list[int]) -> Tensor:
    """Draw uniform int64 [count, len(below)]; those of column j lie in [0, below[j]), below[j] < 2**32.

    A draw is the upper 32 bits, scaled (Lemire's multiply and shift): biased by less than below[j] / 2**32.
    """
    bits = _bits(seed, purpose, step, count * len(below)).reshape(count, len(below))
    drawn = ((bits >> np.uint64(32)) * np.array(below, np.uint64)) >> np.uint64(32)
    return torch.from_numpy(drawn.astype(np.int64))


def permutation(seed: int, purpose: str, step: int, count: int) -> Tensor:
    """Return the numbers 0 ... count - 1 in random order: int64 [count]."""
    return torch.from_numpy(np.argsort(_bits(seed, purpose, step, count), kind="stable"))
