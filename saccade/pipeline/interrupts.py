"""Ctrl-C and SIGTERM as requests: the work at hand is finished and saved first. Torch-free."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

ASKING = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A person or the system ended the work, and what was done is saved; the command's exit code is 128 + signal."""

    def __init__(self, number: int, saved: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; {saved}")
        self.code = 128 + number


class Stop:
    """While it is entered, a first SIGINT or SIGTERM is only noted; a second one acts as if nobody listened.

    Calling it says whether one came; `number` is which. In a thread other than the main one it hears nothing.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self.number is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in ASKING if signal.getsignal(number) is not signal.SIG_IGN]  # nohup's wish
            self._before = {number: signal.signal(number, self._heard) for number in heeded}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self.__exit__(None, None, None)
