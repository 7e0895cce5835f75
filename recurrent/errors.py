"""The one exception that a user can cause, and the guess at the word that was meant."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(Exception):
    """Something a person gave cannot be used. The command line prints it on one line and exits with code 2.

    `str(InputError("a PNG image", "text in digit.png", "give an image file"))` is
    "expected a PNG image, found text in digit.png; give an image file": `do` is an imperative phrase.
    """

    def __init__(self, expected: str, found: str, do: str) -> None:
        self.expected, self.found, self.do = expected, found, do
        super().__init__(" ".join(f"expected {expected}, found {found}; {do}".split()))


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`, or None where none is near."""
    matches = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
