"""The beginning of the command `saccade`, and of `python -m saccade`: Ctrl-C is heard from the first moment."""

import contextlib
import os
import signal
import sys
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    """End at once: while modules are imported nothing is begun, and an exception in an import may be lost."""
    os.write(2, b"saccade: stopped\n")
    os._exit(128 + number)


def main() -> None:
    """Run the command."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else: ignored, as nohup wants it
    if heard:
        signal.signal(signal.SIGINT, _end)
    from saccade import cli
    from saccade.pipeline import systems
    from saccade.terminal.verbs import verbs_of

    with contextlib.suppress(Exception):  # the command itself tells what is wrong
        if sys.argv[1:2] and sys.argv[1] in systems.names():
            verbs_of(sys.argv[1])  # imports its settings
    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()
