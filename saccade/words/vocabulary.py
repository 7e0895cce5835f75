"""A vocabulary of whole words: a list of strings, which run.json keeps. Torch-free."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from saccade.errors import InputError, shown
from saccade.words.symbols import SPECIAL, UNKNOWN

TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
"""A word, with the hyphens and apostrophes inside it; or one punctuation mark."""


def tidy(line: str) -> str:
    """Return a line with composed letters (Unicode's NFC) and single spaces."""
    return " ".join(unicodedata.normalize("NFC", line).split())


def split_words(line: str, *, lower: bool = True, punctuation: bool = True) -> list[str]:
    """Split a line into words and punctuation marks.

    Args:
        lower: make all letters small.
        punctuation: keep the marks; False leaves only words.
    """
    found = TOKEN.findall(tidy(line.lower() if lower else line))
    return found if punctuation else [token for token in found if token[0].isalnum() or token[0] == "_"]


class Vocabulary:
    """Words and their numbers: the special symbols first, then the words, the most frequent first.

    Raises:
        InputError: a word twice, an empty one, one with a space, or a special symbol.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._numbers = {word: number for number, word in enumerate((*SPECIAL, *self.words))}
        unfit = next((word for word in self.words if not word or word in SPECIAL or word.split() != [word]), None)
        if unfit is not None or len(self._numbers) != len(self):
            found = "a word that is there twice" if unfit is None else shown(unfit, 40)
            raise InputError("a vocabulary of different words", found, "give the list as it was written")

    @classmethod
    def learn(cls, sentences: Iterable[Sequence[str]], *, at_least: int = 1, most: int | None = None) -> Self:
        """Collect the words of split sentences.

        Args:
            at_least: least number of times that a word occurs.
            most: largest number of words, the most frequent ones; None: all.
        """
        counts = Counter(word for sentence in sentences for word in sentence)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls([word for word in ranked if counts[word] >= at_least][:most])

    def __len__(self) -> int:
        """Return the number of symbols, the special ones included."""
        return len(SPECIAL) + len(self.words)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Return the words' numbers; `UNKNOWN` for words that are not in the vocabulary."""
        return [self._numbers.get(word, UNKNOWN) for word in words]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Return the spellings of numbers, the special ones too.

        Raises:
            InputError: a number that no symbol has.
        """
        spelt = (*SPECIAL, *self.words)
        found = list(numbers)
        for number in found:
            if not 0 <= number < len(spelt):
                do = "give the vocabulary of this network"
                raise InputError(f"numbers of a vocabulary of {len(spelt)} symbols", str(number), do)
        return [spelt[number] for number in found]

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Return those of the words that are not in the vocabulary, each once, in their order."""
        return list(dict.fromkeys(word for word in words if word not in self._numbers or word in SPECIAL))


def join_words(words: Sequence[str]) -> str:
    """Return a sentence of words and punctuation marks: no space before a closing mark, none after an opening one."""
    text = ""
    for word in words:
        glued = not text or word in tuple(".,;:!?)]}%…”’") or text[-1] in "([{„“‘"
        text += word if glued else f" {word}"
    return text
