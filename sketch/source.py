"""Batches of drawings, as pure functions of (seed, step, batch size): a resumed run sees what an unbroken one saw.

Drawings of a batch have about the same length: an epoch's random order is cut into pools of many batches, each pool is
sorted by length and cut into batches, and the batches are shuffled.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers, permutation
from saccade.sketch.collection import Collection, Drawings, lengths_of, load_collection
from saccade.sketch.config import SketchData, SketchFacts
from saccade.sketch.strokes import Moves

POOL = 20
"""Batches in a pool."""

FINE = 1 << 20
"""Random numbers in [0, 1) are multiples of 1 / FINE."""


class Strokes(NamedTuple):
    """A padded batch of drawings."""

    moves: Tensor
    """(dx, dy) in the network's unit of length, and 1 where the pen is lifted after the move [B, T, 3]; 0 in the
    padding."""
    lengths: Tensor
    """Moves of each drawing, int64 [B]."""
    labels: Tensor
    """Class of each drawing, int64 [B]; below 0: unknown."""
    longest: Tensor
    """Moves of the dataset's longest drawing, N_max, int64 [B]."""


def pad(moves: list[Moves], labels: list[int], facts: SketchFacts) -> Strokes:
    """Make a batch of drawings, which are in the data's own unit."""
    lengths = [len(drawing) for drawing in moves]
    padded = np.zeros((len(moves), max(lengths, default=0), 3), np.float32)
    for row, drawing in zip(padded, moves, strict=True):
        row[: len(drawing)] = drawing
    padded[:, :, :2] /= facts.unit
    longest = torch.full((len(moves),), facts.longest)
    return Strokes(torch.from_numpy(padded), torch.tensor(lengths).long(), torch.tensor(labels).long(), longest)


class SketchSource:
    """The drawings of one run."""

    def __init__(self, data: SketchData, seed: int, device: torch.device | str = "cpu") -> None:
        collection, left_out = _no_longer_than(load_collection(data, seed), data.longest)
        self._data, self._seed, self.device = data, seed, torch.device(device)
        self._train = collection.train
        self._lengths = torch.from_numpy(lengths_of(collection.train))
        self._held = {"validation": collection.validation, "test": collection.test}
        self.facts = facts_of(collection, left_out)
        self.examples = len(self._train.moves)
        self._epoch: tuple[int, int, list[Tensor]] = (-1, 0, [])

    def batch(self, step: int, size: int) -> Strokes:
        """Return training batch number `step`; an epoch has examples // size batches, each drawing in one at most.

        Raises:
            InputError: the batch is larger than the training set.
        """
        batches = self.examples // size
        if batches == 0:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} training drawings", found, "lower --batch-size")
        epoch, index = divmod(step, batches)
        chosen = self._batches(epoch, size)[index].tolist()
        moves = augmented([self._train.moves[i] for i in chosen], self._data, self._seed, step)
        return self._to_device(pad(moves, [self._train.labels[i] for i in chosen], self.facts))

    def held_out(self, split: Split) -> Strokes:
        """Return a whole held-out set, in the order of its file.

        Raises:
            InputError: no validation drawings were held out.
        """
        drawings = self._held[split]
        if not drawings.moves:
            raise InputError("validation drawings", "none held out", "train with --validation, e.g. 500")
        return self._to_device(pad(*drawings, self.facts))

    def _batches(self, epoch: int, size: int) -> list[Tensor]:
        """Return the drawings of each batch of an epoch."""
        if self._epoch[:2] != (epoch, size):
            order = permutation(self._seed, "sketch: order", epoch, self.examples)
            pools = [pool[self._lengths[pool].argsort(stable=True)] for pool in order.split(POOL * size)]
            whole = [part for pool in pools for part in pool.split(size) if len(part) == size]
            rest = torch.cat([part for pool in pools for part in pool.split(size) if len(part) < size] or [order[:0]])
            whole += [part for part in rest.split(size) if len(part) == size]
            shuffled = permutation(self._seed, "sketch: batches", epoch, len(whole)).tolist()
            self._epoch = (epoch, size, [whole[i] for i in shuffled])
        return self._epoch[2]

    def _to_device(self, strokes: Strokes) -> Strokes:
        return Strokes(*(leaf.to(self.device) for leaf in strokes))


def facts_of(collection: Collection, left_out: int) -> SketchFacts:
    """Return the facts of a collection."""
    train = collection.train.moves
    longest = max(
        len(moves) for part in (collection.train, collection.validation, collection.test) for moves in part.moves
    )
    unit = float(np.concatenate([moves[:, :2] for moves in train]).astype(np.float64).std())
    sizes = [float(np.ptp(np.cumsum(moves[:, :2], 0, dtype=np.float64), axis=0).max()) for moves in train]
    if not unit > 0:
        raise InputError("drawings with offsets that differ", "all the same", "give other drawings")
    return SketchFacts(longest, unit, float(np.median(sizes)), collection.classes, left_out)


def augmented(moves: list[Moves], data: SketchData, seed: int, step: int) -> list[Moves]:
    """Stretch, slant and thin out training drawings, each by its own random numbers of this step."""
    if data.scale or data.slant:
        drawn = integers(seed, "sketch: distortion", step, len(moves), [FINE] * 4).numpy() / FINE * 2 - 1
        moves = [_distorted(drawing, row, data) for drawing, row in zip(moves, drawn, strict=True)]
    if data.drop:
        longest = max(map(len, moves))
        drawn = integers(seed, "sketch: dropped points", step, len(moves), [FINE] * longest).numpy() / FINE
        moves = [_thinned(drawing, row[: len(drawing)] < data.drop) for drawing, row in zip(moves, drawn, strict=True)]
    return moves


def _distorted(moves: Moves, drawn: np.ndarray, data: SketchData) -> Moves:
    """Stretch a drawing along x and y, shear and rotate it; `drawn` are four numbers in [-1, 1)."""
    wide, high, angle, shear = drawn * (data.scale, data.scale, data.slant * np.pi / 4, data.slant)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.diag([1 + wide, 1 + high]) @ np.array([[1, 0], [shear, 1]]) @ turn
    return np.column_stack([moves[:, :2] @ matrix, moves[:, 2]]).astype(np.float32)


def _thinned(moves: Moves, dropped: np.ndarray) -> Moves:
    """Drop points between two others of a stroke: the move to such a point is added to the next one."""
    inside = np.zeros(len(moves), bool)
    inside[:-1] = moves[:-1, 2] == 0
    keep = ~(dropped & inside)
    if keep.all():
        return moves
    ends = np.cumsum(moves[:, :2], axis=0, dtype=np.float64)[keep]
    return np.column_stack([np.diff(ends, axis=0, prepend=0), moves[keep, 2]]).astype(np.float32)


def _no_longer_than(collection: Collection, longest: int) -> tuple[Collection, int]:
    """Leave out the drawings that are longer; return the rest, and how many were left out."""
    if not longest:
        return collection, 0
    count = 0

    def short(part: Drawings, name: str) -> Drawings:
        nonlocal count
        kept = [i for i, moves in enumerate(part.moves) if len(moves) <= longest]
        if part.moves and not kept:
            raise InputError(f"a {name} drawing of at most {longest} moves", "longer ones alone", "raise --longest")
        count += len(part.moves) - len(kept)
        return Drawings([part.moves[i] for i in kept], [part.labels[i] for i in kept])

    train, validation, test, classes = collection
    found = Collection(short(train, "training"), short(validation, "validation"), short(test, "test"), classes)
    return found, count
