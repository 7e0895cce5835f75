"""Ctrl-C and SIGTERM as requests: the current step is finished and saved first. Torch-free."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """The work was ended by a signal, and what was done is saved; the command's exit code is 128 + signal."""

    def __init__(self, number: int, saved: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; {saved}")
        self.code = 128 + number


class Stop:
    """Context manager: the first SIGINT or SIGTERM sets a flag, the second has its usual effect.

    Calling the object returns the flag; `number` is the signal. In a thread other than the main one it does nothing.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self.number is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup's wish
            self._before = {number: signal.signal(number, self._heard) for number in handled}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self.__exit__(None, None, None)
