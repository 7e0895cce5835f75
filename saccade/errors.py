"""The exception for a user's errors, and helpers for its message: safe printing, short values, spelling suggestions."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 1000
"""Most characters of each part of a message; names in other people's files can be of any length."""


class InputError(Exception):
    """An error in the user's input. The command line prints it on one line and exits with code 2.

    `str(InputError("a PNG image", "text in digit.png", "give an image file"))` is
    "expected a PNG image, found text in digit.png; give an image file": `do` is an imperative phrase.
    """

    def __init__(self, expected: str, found: str, do: str) -> None:
        parts = (expected, found, do)
        expected, found, do = (part if len(part) <= LONGEST else f"{part[: LONGEST - 3]}..." for part in parts)
        self.expected, self.found, self.do = expected, found, do
        super().__init__(printable(" ".join(f"expected {expected}, found {found}; {do}".split())))


def printable(text: str) -> str:
    """Return a text with its control characters as escape sequences, so that it cannot control the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object, most: int = 80) -> str:
    """Return the repr of any value for an error message, of at most `most` characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply; an integer of thousands of digits
        text = f"a value of the type {type(value).__name__} that is too large to show"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to `word`, or None if none is similar."""
    matches = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
