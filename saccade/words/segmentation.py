"""Several ways to cut a word into subwords, for training: BPE dropout (Provilkov et al. 2020, section 3.2).

At each step of the segmentation every possible merge is left out with a probability. The ways to cut a word are drawn
once, from the seed and the word alone, when it is first asked for; a training draws among them.
"""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from saccade.words.subwords import Subwords


def cut(letters: Sequence[str], ranks: dict[tuple[str, str], int], dropout: float, generator: Generator) -> list[str]:
    """Return the pieces of a word by the merges of `ranks`, the lowest first, each left out with a probability."""
    pieces = list(letters)
    while len(pieces) > 1:
        places = [(rank, place) for place, pair in enumerate(pairwise(pieces)) if (rank := ranks.get(pair)) is not None]
        if dropout:
            kept = generator.random(len(places)) >= dropout
            places = [found for found, there in zip(places, kept.tolist(), strict=True) if there]
        if not places:
            break
        place = min(places)[1]
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
    return pieces


class Segmentations:
    """The words of a corpus, each with several ways to cut it."""

    def __init__(self, subwords: Subwords, lines: Sequence[str], ways: int, dropout: float, seed: int) -> None:
        self._ways, self._dropout, self._seed = ways, dropout, seed
        merges = [tuple(merge.split(" ")) for merge in subwords.merges]
        self._ranks = {(pair[0], pair[1]): rank for rank, pair in reversed(list(enumerate(merges)))}
        self._numbers = subwords.numbers
        self._words: list[tuple[int, ...]] = []
        found: dict[tuple[int, ...], int] = {}
        self.lines: list[list[int]] = []
        """Each line's words, as their numbers here."""
        for words in subwords.encode_words(lines):
            self.lines.append([found.setdefault(word, len(found)) for word in words])
        self._words, self._spelt = list(found), subwords
        self._cuts: dict[int, list[list[int]]] = {}

    def draw(self, line: int, ways: Sequence[int]) -> list[int]:
        """Return the numbers of a line's pieces; `ways` says how to cut each word, taken modulo their number."""
        words = zip(self.lines[line], ways, strict=True)
        return [number for word, way in words for number in self._of(word)[way % self._ways]]

    def _of(self, word: int) -> list[list[int]]:
        """Return the ways to cut a word."""
        if word not in self._cuts:
            usual = self._words[word]
            letters = "".join(self._spelt.pieces(usual))
            if any(number < 4 for number in usual):  # an unknown letter
                self._cuts[word] = [list(usual)] * self._ways
            else:
                digest = hashlib.sha256(f"segmentations {self._seed} {letters}".encode()).digest()
                generator = Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
                drawn = [cut(letters, self._ranks, self._dropout, generator) for _ in range(self._ways)]
                self._cuts[word] = [[self._numbers[piece] for piece in pieces] for pieces in drawn]
        return self._cuts[word]
