"""The beginning of the command `saccade`, and of `python -m saccade`: Ctrl-C is heard from the first moment."""

import os
import signal
from types import FrameType


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; while a module is imported, end at once, since an import may lose the exception."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"saccade: stopped\n")
            os._exit(128 + number)
        frame = frame.f_back
    raise KeyboardInterrupt


def main() -> None:
    """Run the command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else: ignored, as nohup wants it
        signal.signal(signal.SIGINT, _interrupt)
    from saccade import cli

    cli.main()


if __name__ == "__main__":
    main()
