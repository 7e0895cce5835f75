"""Small files and batches for the tests of sketch."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saccade.sketch.source import Strokes


def write_npz(path: Path, **splits: Any) -> Path:
    """Write a file of the sketch-rnn layout as numpy.savez does: arrays of objects."""
    arrays = {}
    for name, drawings in splits.items():
        arrays[name] = np.empty(len(drawings), object)
        arrays[name][:] = drawings
    np.savez_compressed(path, **arrays)
    return path


def write_pickles(path: Path, pickles: dict[str, bytes], count: int = 1) -> Path:
    """Write a file of the sketch-rnn layout around pickles of any kind."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (count,)})
    with zipfile.ZipFile(path, "w") as file:
        for name, data in pickles.items():
            file.writestr(f"{name}.npy", header.getvalue() + data)
    return path


def zigzag(count: int, seed: int = 0) -> np.ndarray:
    """A drawing of `count` moves in the .npz layout, its last move lifted."""
    moves = np.random.default_rng(seed).integers(-30, 31, (count, 3)).astype(np.int16)
    moves[:, 2] = np.arange(count) % 4 == 3
    moves[0, 0], moves[-1, 2] = 7, 1
    return moves


def batch_of(*counts: int, seed: int = 0) -> Strokes:
    """A batch of drawings with so many moves."""
    generator = torch.Generator().manual_seed(seed)
    moves = torch.zeros(len(counts), max(counts), 3)
    for row, count in zip(moves, counts, strict=True):
        row[:count, :2] = torch.randn(count, 2, generator=generator)
        row[:count, 2] = (torch.arange(count) % 3 == 2).float()
    lengths = torch.tensor(counts)
    return Strokes(moves, lengths, torch.arange(len(counts)) % 2, torch.full_like(lengths, max(counts) + 3))
