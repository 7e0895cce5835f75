"""Progress of long work: the pipeline counts, and whoever started the work may show it. Torch-free.

    with shown_by(Bar()):          # the terminal, once for all verbs
        ...
            for batch in track(batches, "evaluating"):   # anywhere below
                ...

Without `shown_by` nothing is shown. Work inside other work is a part of it and is not shown.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")

Advance = Callable[[int], None]
"""Called with the units of work that were done since."""


class Display(Protocol):
    """Shows a user how long work stands; `saccade.terminal.progress_bar.Bar` is one."""

    def work(self, what: str, total: int) -> AbstractContextManager[Advance]:
        """Show work of `total` units while the context is open."""
        ...


_display: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def shown_by(display: Display | None) -> Iterator[None]:
    """Context manager: show the work inside by `display`; None shows nothing."""
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)


@contextmanager
def work(what: str, total: int) -> Iterator[Advance]:
    """Context manager: work of `total` units; its value is called with each number of units that is done."""
    display = _display.get()
    if display is None:
        yield _nothing
        return
    with shown_by(None), display.work(what, total) as advance:
        yield advance


def track(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """Yield `total` items, one unit of work each: it is done when the next one is asked for."""
    with work(what, total) as advance:
        for item in items:
            yield item
            advance(1)


def _nothing(done: int) -> None:
    """Show nothing."""
