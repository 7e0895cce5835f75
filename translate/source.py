"""The source of sentence pairs: subwords learned from the training text, batches of pairs of similar length."""

import logging
from typing import NamedTuple

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers, permutation
from saccade.translate.config import TranslateData, TranslateFacts
from saccade.translate.lines import Corpora, Corpus, find_folder, load_lines
from saccade.translate.numbers import load_numbers
from saccade.translate.pairs import Pairs
from saccade.words.segmentation import Segmentations
from saccade.words.subwords import Subwords
from saccade.words.symbols import END, PAD

NUMBERS_SUBWORDS = 200
"""Symbols that numbers learn at most."""

POOL = 100
"""Batches among which pairs are sorted by length."""

log = logging.getLogger("saccade")


class Order(NamedTuple):
    """The batches of one epoch."""

    epoch: int
    size: int
    batches: list[list[int]]


class PairSource:
    """Sentence pairs; batches are a pure function of (seed, step)."""

    def __init__(self, data: TranslateData, seed: int, device: torch.device | str = "cpu") -> None:
        corpora = load(data)
        self.device, self._seed, self._corpora = torch.device(device), seed, corpora
        train, lower = corpora.train, data.lower
        limit = min(data.subwords, NUMBERS_SUBWORDS) if data.dataset == "numbers" else data.subwords
        sides = lowered(train.sources, lower in ("source", "both")), lowered(train.targets, lower == "both")
        self.subwords = Subwords.learn([*sides[0], *sides[1]], limit)
        self.facts = TranslateFacts(
            data.from_, data.to, lower, data.longest, self.subwords.alphabet, self.subwords.merges
        )
        ways = data.segmentations
        dropout = data.merge_dropout if ways > 1 else 0.0
        self._ways, self._sides = ways, sides
        self._cuts = [Segmentations(self.subwords, side, ways, dropout, seed) for side in sides] if ways > 1 else None
        encoded = [self.subwords.encode(side) for side in sides]
        fits = [1 <= len(a) < data.longest and 1 <= len(b) < data.longest for a, b in zip(*encoded, strict=True)]
        self._kept = [number for number, fit in enumerate(fits) if fit]
        self._encoded = encoded
        self.examples = len(self._kept)
        if not self._kept:
            found = f"{len(fits):,} pairs that are empty or longer"
            raise InputError(f"training pairs of 1 to {data.longest - 1} subwords", found, "raise --longest")
        if self.examples < len(fits):
            left_out = len(fits) - self.examples
            log.warning(
                "%s of %s training pairs are left out: empty, or of %s subwords or more (--longest)",
                f"{left_out:,}",
                f"{len(fits):,}",
                data.longest,
            )
        self._order: Order | None = None

    def batch(self, step: int, size: int) -> Pairs:
        """Return training batch number `step`: pairs of similar length.

        Raises:
            InputError: the batch is larger than the training set.
        """
        if size > self.examples:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} training pairs", found, "lower --batch-size")
        epoch, number = divmod(step, self.examples // size)
        if self._order is None or self._order[:2] != (epoch, size):
            self._order = Order(epoch, size, self._sorted(epoch, size))
        chosen = self._order.batches[number]
        return self._pairs([self._cut(side, chosen, step) for side in (0, 1)], chosen)

    def held_out(self, split: Split) -> Pairs:
        """Return all pairs of a split's files, one file after the other.

        Raises:
            InputError: the dataset has no such files, or a sentence that is empty or too long.
        """
        corpora = self.corpora(split)
        sources = [line for corpus in corpora for line in corpus.sources]
        targets = [line for corpus in corpora for line in corpus.targets]
        sides = [encode_source(self.facts, self.subwords, sources)]
        sides.append(self.subwords.encode(lowered(targets, self.facts.lower == "both")))
        return self._pairs(sides, list(range(len(sources))))

    def corpora(self, split: Split) -> list[Corpus]:
        """Return the held-out corpora of a split.

        Raises:
            InputError: the dataset has none.
        """
        found = self._corpora.validation if split == "validation" else self._corpora.test
        if not found:
            name = "val" if split == "validation" else "test"
            facts = self.facts
            expected = f"{name}.{facts.source} and {name}.{facts.target} for the {split} split"
            raise InputError(expected, "no such files", "add them to the folder")
        return found

    def _sorted(self, epoch: int, size: int) -> list[list[int]]:
        """Return the batches of an epoch: pools of random pairs, sorted by length, cut into batches, shuffled."""
        count = self.examples // size
        mixed = [self._kept[i] for i in permutation(self._seed, "pairs", epoch, self.examples).tolist()][: count * size]
        source, target = self._encoded
        batches: list[list[int]] = []
        for start in range(0, len(mixed), POOL * size):
            pool = sorted(mixed[start : start + POOL * size], key=lambda i: (len(target[i]), len(source[i])))
            batches += [pool[i : i + size] for i in range(0, len(pool), size)]
        return [batches[i] for i in permutation(self._seed, "batches", epoch, count).tolist()]

    def _cut(self, side: int, chosen: list[int], step: int) -> list[list[int]]:
        """Return the subwords of training sentences, each word cut in one of its ways."""
        if self._cuts is None:
            return [self._encoded[side][i] for i in chosen]
        cuts = self._cuts[side]
        words = [len(cuts.lines[i]) for i in chosen]
        ways = integers(self._seed, f"ways {side}", step, sum(words), [self._ways])[:, 0].split(words)
        return [cuts.draw(i, own.tolist()) for i, own in zip(chosen, ways, strict=True)]

    def _pairs(self, sides: list[list[list[int]]], numbers: list[int]) -> Pairs:
        source, target = (padded(side) for side in sides)
        leaves = (source[0], target[0], source[1], target[1], torch.tensor(numbers))
        return Pairs(*(leaf.to(self.device) for leaf in leaves))


def load(data: TranslateData) -> Corpora:
    """Load the pairs of a dataset."""
    if data.dataset == "numbers":
        return load_numbers(data.from_, data.to, data.epoch_examples)
    return load_lines(find_folder(data.dataset.removeprefix("lines:"), data.data_dir), data.from_, data.to)


def lowered(lines: list[str], lower: bool) -> list[str]:
    """Return the lines, in small letters if asked to."""
    return [line.lower() for line in lines] if lower else lines


def encode_source(facts: TranslateFacts, subwords: Subwords, sentences: list[str]) -> list[list[int]]:
    """Return the subwords of sentences to translate.

    Raises:
        InputError: a sentence that is empty or too long; the error names the first one.
    """
    encoded = subwords.encode(lowered(sentences, facts.lower != "none"))
    for number, (sentence, symbols) in enumerate(zip(sentences, encoded, strict=True), 1):
        if not symbols:
            raise InputError("a sentence", f"nothing in sentence {number:,}", "give some words")
        if len(symbols) >= facts.longest:
            found = f"{len(symbols):,} in sentence {number:,} ({sentence[:40]}...)"
            do = "give it sentence by sentence, a line each"
            raise InputError(f"fewer than {facts.longest} subwords in a sentence", found, do)
    return encoded


def padded(sentences: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Return sentences, END after each, as symbols [B, S] and their lengths [B]."""
    lengths = [len(sentence) + 1 for sentence in sentences]
    longest = max(lengths)
    rows = [[*s, END, *[PAD] * (longest - n)] for s, n in zip(sentences, lengths, strict=True)]
    return torch.tensor(rows), torch.tensor(lengths)
