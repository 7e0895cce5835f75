"""Subwords by byte-pair encoding (Sennrich et al. 2016): the alphabet and the merges, which run.json keeps. Torch-free.

The library `tokenizers` learns and applies the merges. A space is written as ▁, at the beginning of a word.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Self

from saccade.errors import InputError, shown
from saccade.words.symbols import SPECIAL, UNKNOWN
from saccade.words.vocabulary import tidy

SPACE = "▁"
PIECE_BREAK = rf"[^\w{SPACE}]"
"""Every mark that is no letter or digit is a piece of its own."""

_second = itemgetter(1)

MOST_LETTERS = 400
"""Largest alphabet; rarer letters are unknown."""


class Subwords:
    """A subword vocabulary: the special symbols, the alphabet's letters, and the merges in the order they were learned.

    Any text can be encoded; letters that are not in the alphabet become `UNKNOWN`, see `unknown`. Text in letters of
    the alphabet is decoded as it was, up to `tidy`.

    Attributes:
        numbers: the number of each symbol by its spelling.

    Raises:
        InputError: a letter twice, or a merge of pieces that are not known before it.
    """

    def __init__(self, alphabet: str, merges: Sequence[str]) -> None:
        self.alphabet, self.merges = alphabet, tuple(merges)
        self._spelt = [*SPECIAL, *alphabet]
        numbers = {piece: number for number, piece in enumerate(self._spelt)}
        if len(numbers) != len(self._spelt):
            raise _unfit("an alphabet with a letter twice")
        pairs = []
        for merge in self.merges:
            pair = tuple(merge.split(" "))
            if len(pair) != 2 or not all(part in numbers and part not in SPECIAL for part in pair):
                raise _unfit(f"the merge {shown(merge, 40)}")
            pairs.append(pair)
            if numbers.setdefault("".join(pair), len(self._spelt)) == len(self._spelt):
                self._spelt.append("".join(pair))
        self.numbers = numbers
        self._letters = frozenset(alphabet) | {" "}
        self._tokenizer = _tokenizer(numbers, pairs)

    @classmethod
    def learn(cls, lines: Iterable[str], size: int) -> Self:
        """Learn merges until there are `size` symbols, or nothing is left to merge. The same lines give the same."""
        import json

        from tokenizers import trainers

        tokenizer = _tokenizer({}, [])
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(SPECIAL), limit_alphabet=MOST_LETTERS, show_progress=False
        )
        tokenizer.train_from_iterator((_prepared(line) for line in lines), trainer)
        learned = json.loads(tokenizer.to_str())["model"]
        letters = [piece for piece in learned["vocab"] if len(piece) == 1]
        alphabet = "".join(sorted(letters, key=learned["vocab"].get))
        return cls(alphabet, [" ".join(pair) for pair in learned["merges"]])

    def __len__(self) -> int:
        """Return the number of symbols, the special ones included."""
        return len(self._spelt)

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """Return the numbers of each line's pieces."""
        return [found.ids for found in self._tokenizer.encode_batch([_prepared(line) for line in lines])]

    def encode_words(self, lines: Sequence[str]) -> list[list[tuple[int, ...]]]:
        """Return the numbers of each line's pieces, grouped by the words and marks within which merges are made."""
        found = self._tokenizer.encode_batch([_prepared(line) for line in lines])
        return [
            [tuple(number for number, _ in group) for _, group in groupby(zip(e.ids, e.word_ids, strict=True), _second)]
            for e in found
        ]

    def pieces(self, numbers: Iterable[int]) -> list[str]:
        """Return the pieces of numbers; the first piece of a word begins with ▁.

        Raises:
            InputError: a number that no symbol has.
        """
        found = list(numbers)
        for number in found:
            if not 0 <= number < len(self._spelt):
                do = "give the subwords of this network"
                raise InputError(f"numbers of {len(self._spelt)} subwords", str(number), do)
        return [self._spelt[number] for number in found]

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of numbers."""
        return "".join(self.pieces(numbers)).replace(SPACE, " ").strip()

    def unknown(self, line: str) -> list[str]:
        """Return the words of a line that hold a letter which is not in the alphabet, each once."""
        words = tidy(line).split()
        return list(dict.fromkeys(word for word in words if not self._letters.issuperset(word)))

    def words_of(self, numbers: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return the words that pieces form, each with the range [first, last) of its pieces; marks stand alone."""
        pieces = self.pieces(numbers)
        starts = [i for i, piece in enumerate(pieces) if i == 0 or self._begins(pieces[i - 1], piece, numbers[i])]
        return [
            ("".join(pieces[a:b]).replace(SPACE, ""), a, b)
            for a, b in pairwise([*starts, len(pieces)])
            if "".join(pieces[a:b]) != SPACE or b == len(pieces)
        ]

    @staticmethod
    def _begins(before: str, piece: str, number: int) -> bool:
        """Return True if a piece begins a word, after the piece `before`."""
        if before == SPACE:
            return False
        return piece.startswith(SPACE) or number == UNKNOWN or bool(re.search(PIECE_BREAK, before[-1] + piece[0]))


def _prepared(line: str) -> str:
    """Return a tidy line; a ▁ in it would be read as a space."""
    return tidy(line).replace(SPACE, "_")


def _tokenizer(numbers: dict[str, int], pairs: list[Any]) -> Any:
    """Return the library's tokenizer.

    Raises:
        InputError: `tokenizers` is not installed.
    """
    try:
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    except ImportError:
        raise InputError("the package tokenizers", "none", "install it: pip install tokenizers") from None
    tokenizer = Tokenizer(models.BPE(numbers, pairs, unk_token=SPECIAL[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(SPACE, prepend_scheme="always"), pre_tokenizers.Split(Regex(PIECE_BREAK), "isolated")]
    )
    return tokenizer


def _unfit(found: str) -> InputError:
    return InputError("an alphabet and merges as they were learned", found, "give them as they were written")
