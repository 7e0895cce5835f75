"""The embedded dataset: whole numbers below a million, spelt in two languages by the library num2words."""

from saccade.errors import InputError, closest
from saccade.pipeline.data.seeded_random import integers
from saccade.translate.lines import Corpora, Corpus

DIGITS = 6
"""Most digits; every number of digits is equally likely."""

HELD_OUT = 500
"""Numbers in the test set, and in the validation set: numbers that no training set holds."""

ALWAYS_TRAINED = 100
"""Smaller numbers are never held out: without them a language's words are not known."""

MIXED = 2654435761
"""A multiplier that mixes the bits of a number (Knuth): a tenth of the numbers is held out by it."""


def load_numbers(source: str, target: str, count: int) -> Corpora:
    """Return `count` training numbers and held-out ones; the same at every call.

    Raises:
        InputError: a language that num2words does not spell, or the same twice.
    """
    if source == target:
        raise InputError("two languages", f"{source} twice", "change --from or --to")
    train = _draw("numbers: train", count, held_out=False)
    held = _draw("numbers: held out", 2 * HELD_OUT, held_out=True)
    made = [
        _spell(name, numbers, source, target)
        for name, numbers in (("train", train), ("validation", held[:HELD_OUT]), ("test", held[HELD_OUT:]))
    ]
    return Corpora(made[0], [made[1]], [made[2]])


def _draw(purpose: str, count: int, *, held_out: bool) -> list[int]:
    """Draw numbers of one part; held-out ones are different from one another."""
    found: list[int] = []
    step = 0
    while len(found) < count:
        drawn = integers(0, purpose, step, 4 * count, [DIGITS, 10**DIGITS])
        numbers = (drawn[:, 1] % 10 ** (drawn[:, 0] + 1)).tolist()
        found += [number for number in numbers if is_held_out(number) == held_out]
        if held_out:
            found = list(dict.fromkeys(found))
        step += 1
    return found[:count]


def is_held_out(number: int) -> bool:
    """Return True if no training set holds the number."""
    return number >= ALWAYS_TRAINED and (number * MIXED % 2**32) // 2**16 % 10 == 0


def _spell(name: str, numbers: list[int], source: str, target: str) -> Corpus:
    return Corpus(name, *([spelt(number, language) for number in numbers] for language in (source, target)))


def spelt(number: int, language: str) -> str:
    """Return a number in words.

    Raises:
        InputError: a language that num2words does not spell, or the package is not installed.
    """
    try:
        import num2words
    except ImportError:
        raise InputError("the package num2words", "none", "install it: pip install num2words") from None
    known = [code for code in num2words.CONVERTER_CLASSES if code.isalpha()]
    if language not in known:
        near = closest(language, known)
        do = f"did you mean {near}?" if near else "choose one of them"
        raise InputError(f"a language of num2words ({', '.join(known)})", repr(language), do)
    return str(num2words.num2words(number, lang=language))
