"""Progress of long work on the terminal: a bar with the time left, elsewhere a line every ten seconds. Torch-free."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from saccade.pipeline.progress import Advance

QUIET_SECONDS = 2.0
"""Work that takes less shows nothing."""

PLAIN_EVERY_SECONDS = 10.0
"""Seconds from line to line where there is no terminal."""

LONG_SECONDS = 600.0
"""Work that takes longer is announced with its length, when its first part is done."""


def duration(seconds: float) -> str:
    """Return a time for people: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Bar:
    """A display of long work; see `saccade.pipeline.progress.Display`."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    @contextmanager
    def work(self, what: str, total: int) -> Iterator[Advance]:
        """Show work of `total` units while the context is open; its value is called with what is done."""
        state = _Work(self.console, what, total)
        watcher = threading.Thread(target=state.watch, daemon=True)
        watcher.start()
        try:
            yield state.advance
        finally:
            state.over.set()
            watcher.join()


class _Work:
    """One piece of work: what is done of it, since when, and what was said about it."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        self.console, self.what, self.total, self.done = console, what, total, 0
        self.began = time.monotonic()
        self.over, self.announced = threading.Event(), False

    def advance(self, units: int) -> None:
        self.done += units
        if not self.announced and (left := self.left()) is not None and left > LONG_SECONDS:
            self.console.print(f"{self.what}: this will take about {duration(left)}", soft_wrap=True)
        self.announced = True

    def left(self) -> float | None:
        """Return the estimated seconds that are left; None before any part is done."""
        spent = time.monotonic() - self.began
        return spent / self.done * (self.total - self.done) if self.done else None

    def watch(self) -> None:
        """Show the state until the work is over; in a thread of its own, so that a long part is no silence."""
        if self.over.wait(QUIET_SECONDS):
            return
        if self.console.is_terminal:
            self._bar()
            return
        wait = PLAIN_EVERY_SECONDS - QUIET_SECONDS
        while not self.over.wait(max(0.0, wait)):
            left = self.left()
            time_left = f"about {duration(left)} left" if left is not None else f"{duration(self._spent())} so far"
            self.console.print(f"{self.what}: {self.done}/{self.total}, {time_left}", soft_wrap=True)
            wait = PLAIN_EVERY_SECONDS

    def _spent(self) -> float:
        return time.monotonic() - self.began

    def _bar(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn())
        with Progress(
            *columns, TimeRemainingColumn(), console=self.console, transient=True, redirect_stdout=False
        ) as bar:
            task = bar.add_task(self.what, total=self.total)
            while not self.over.wait(0.1):
                bar.update(task, completed=self.done)
