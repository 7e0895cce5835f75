"""Batches of pictures with several symbols, as pure functions of (seed, step): a resumed run sees what an unbroken
one saw."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from saccade.dram.canvases import add_pieces, check_room, paint, random_count, random_layout
from saccade.dram.config import SequenceData, SequenceFacts
from saccade.errors import InputError
from saccade.images.digits import load_digits
from saccade.images.distortion import distorted, random_distortion
from saccade.images.mnist import load_mnist
from saccade.images.picture_files import Images
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers, permutation

UNKNOWN = -1
"""Target where there is no symbol, or an unknown one."""


class SequenceBatch(NamedTuple):
    """Pictures and their texts."""

    images: UInt8[Tensor, "B C H W"]
    targets: Int64[Tensor, "B S"]
    """The symbols, then the end symbol, then -1; S is one more than the longest text. All -1: unknown."""
    number: Int64[Tensor, " B"]
    """Number of symbols; 0: unknown."""
    places: Float[Tensor, "B L 2"]
    """Middle (x, y) of each symbol in image coordinates; NaN where there is none or it is unknown."""


def padded_targets(labels: Int64[Tensor, "B L"], count: Int64[Tensor, " B"], end: int) -> Int64[Tensor, "B S"]:
    """Return labels up to the count, the end symbol, and -1 after it; S = L + 1."""
    wide = torch.cat([labels, labels.new_zeros(len(labels), 1)], dim=1)
    at = torch.arange(wide.shape[1], device=labels.device)
    ended = wide.masked_fill(at == count[:, None], end)
    return ended.masked_fill(at > count[:, None], UNKNOWN)


class CanvasSource:
    """Canvases with several digits: new ones for every batch, and frozen held-out sets."""

    def __init__(self, data: SequenceData, train: Images, test: Images, seed: int, device: torch.device) -> None:
        check_room(data)
        if not 0 <= data.validation < len(train.labels):
            expected = f"0 to {len(train.labels) - 1} validation digits of {len(train.labels)}"
            raise InputError(expected, str(data.validation), "change --validation")
        order = permutation(seed, "validation split", 0, len(train.labels))
        self._pools = {
            "train": _rows(train, order[data.validation :]),
            "validation": _rows(train, order[: data.validation]),
            "test": test,
        }
        self._data, self._seed, self.device = data, seed, device
        self._sum = data.dataset == "addition"
        classes = tuple(str(number) for number in range(19 if self._sum else 10))
        fewest, most = (1, 1) if self._sum else data.digits
        self.facts = SequenceFacts(1, data.canvas, data.canvas, classes, fewest, most)
        self.examples = len(self._pools["train"].labels)
        self._epoch = (-1, torch.empty(0))

    def batch(self, step: int, size: int) -> SequenceBatch:
        """Return training batch number `step`; in an epoch each digit is the first of a canvas once at most.

        Raises:
            InputError: the batch is larger than the training set.
        """
        batches = self.examples // size
        if batches == 0:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} training digits", found, "lower --batch-size")
        epoch, index = divmod(step, batches)
        first = self._order(epoch)[index * size : (index + 1) * size]
        return self._compose(self._pools["train"], first, self._seed, "several", step, self._data.distort)

    def held_out(self, split: Split) -> SequenceBatch:
        """Return a held-out set, made of digits that no training canvas shows; the same in every run.

        Raises:
            InputError: no validation digits were held out.
        """
        pool = self._pools[split]
        if len(pool.labels) == 0:
            raise InputError("validation digits", "none held out", "train with --validation, e.g. --validation 5000")
        parts = []
        for start in range(0, self._data.held_out, 1000):
            chosen = torch.arange(start, min(start + 1000, self._data.held_out)) % len(pool.labels)
            parts.append(self._compose(pool, chosen, 0, f"several frozen {split}", start))
        return SequenceBatch(*(torch.cat(leaves) for leaves in zip(*parts, strict=True)))

    def _order(self, epoch: int) -> Tensor:
        """Return the order of an epoch; the last one asked for is kept."""
        known, order = self._epoch  # taken once: another thread may ask for another epoch meanwhile
        if known != epoch:
            order = permutation(self._seed, "epoch", epoch, self.examples)
            self._epoch = (epoch, order)
        return order

    def _compose(
        self, pool: Images, first: Tensor, seed: int, purpose: str, step: int, distort: float = 0.0
    ) -> SequenceBatch:
        """Compose canvases with `first` as one digit each, and random others of the pool."""
        data, size, most = self._data, len(first), self._data.digits[1]
        ahead = integers(seed, f"{purpose}: others", step, size, [len(pool.labels)] * most)
        turn = integers(seed, f"{purpose}: turn", step, size, [most])
        count = random_count(data, size, seed, purpose, step)
        which = ahead.scatter(1, turn % count[:, None], first[:, None])
        digits, labels = pool.pixels[which.flatten()], pool.labels[which]
        if distort:
            digits = distorted(digits, random_distortion(len(digits), distort, seed, step))
        digits = digits.view(size, most, *digits.shape[2:])
        layout = random_layout(digits, count, data, seed, purpose, step)
        images = paint(digits, layout, data.canvas)
        if data.pieces:
            images = add_pieces(images, pool, data, seed, purpose, step)
        places, count = layout.middles(data.canvas), layout.number
        if self._sum:
            labels, count = labels.sum(1, keepdim=True), torch.ones_like(count)
            places = torch.full_like(places[:, :1], torch.nan)  # the answer has no place
        targets = padded_targets(labels, count, len(self.facts.classes))
        return SequenceBatch(*(leaf.to(self.device) for leaf in (images, targets, count, places)))


def load_canvases(data: SequenceData, seed: int, device: torch.device) -> CanvasSource:
    """Load the digits of a canvas dataset.

    Raises:
        InputError: missing or damaged files, or digits that do not fit on the canvas.
    """
    train, test = load_mnist(data.data_dir) if data.pool == "mnist" else load_digits()
    return CanvasSource(data, train, test, seed, device)


def _rows(images: Images, rows: Tensor) -> Images:
    rows = rows.sort().values
    return Images(images.pixels[rows], images.labels[rows])
