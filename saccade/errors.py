"""The one exception that a user can cause, how strangers' words are quoted, and the guess at what was meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

LONGEST = 1000
"""Characters of a part of a message; a stranger's file may have names of any length."""


class InputError(Exception):
    """Something a person gave cannot be used. The command line prints it on one line and exits with code 2.

    `str(InputError("a PNG image", "text in digit.png", "give an image file"))` is
    "expected a PNG image, found text in digit.png; give an image file": `do` is an imperative phrase.
    """

    def __init__(self, expected: str, found: str, do: str) -> None:
        parts = (expected, found, do)
        expected, found, do = (part if len(part) <= LONGEST else f"{part[: LONGEST - 3]}..." for part in parts)
        self.expected, self.found, self.do = expected, found, do
        super().__init__(plain(" ".join(f"expected {expected}, found {found}; {do}".split())))


def plain(text: str) -> str:
    """A text that a terminal only shows: control characters, which could command it, are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: Any, most: int = 80) -> str:
    """A stranger's value for an error message: short, whatever it is."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply; an integer of thousands of digits
        text = f"a value of the type {type(value).__name__} that is too large to show"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`, or None where none is near."""
    matches = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
