"""How a command ends when it fails: one line on stderr (expected, found, do) and an exit code. No tracebacks.

Code 2: the person can mend it. 130, 143: Ctrl-C, SIGTERM. 1: anything else; with SACCADE_DEBUG set, the traceback.
"""

import logging
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from saccade.errors import InputError, closest, plain
from saccade.pipeline.interrupts import Stopped


class PlainFailures(TyperGroup):
    """A typer app whose failures are said in one line: `typer.Typer(cls=PlainFailures)`."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        if logging.lastResort is not None:  # warnings of the log "saccade"
            logging.lastResort.setFormatter(logging.Formatter("saccade: %(message)s"))
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except Exception as error:
            code = _said(error)
        sys.exit(code if isinstance(code, int) else 0)


def _said(error: Exception) -> int:
    """Say what went wrong; the exit code."""
    message, code = str(error), 2
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message)
        return 0
    if hasattr(error, "format_message"):  # the parser's own complaint
        message = str(_usage(error))
    elif isinstance(error, typer.Abort):
        message, code = "stopped", 130
    elif isinstance(error, InputError | Stopped):
        code = getattr(error, "code", 2)
    elif isinstance(error, BrokenPipeError):  # `saccade ... | head`: nobody listens
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    elif isinstance(error, OSError):
        place = f" at {error.filename}" if error.filename else ""
        message, code = f"{error.strerror or error}{place}; see to that and run the same command again", 1
    elif isinstance(error, MemoryError) or "can't allocate memory" in message or "out of memory" in message:
        do = "lower --batch-size or the size of the network"
        message, code = str(InputError("room in memory for this network and batch", message[:200], do)), 1
    else:
        if os.environ.get("SACCADE_DEBUG"):
            raise error
        message, code = f"{type(error).__name__}: {error}; a fault of Saccade, SACCADE_DEBUG=1 shows where it is", 1
    typer.echo("saccade: " + plain(" ".join(message.split())), err=True)
    return code


def _usage(error: Any) -> InputError:
    message, context = error.format_message(), getattr(error, "ctx", None)
    command = context.command_path if context else "saccade"
    see = f"see `{command} --help`"
    if type(error).__name__ == "NoSuchOption":
        known = [name for parameter in context.command.params for name in parameter.opts] if context else []
        near = closest(error.option_name, known)
        return InputError(f"an option of `{command}`", error.option_name, f"did you mean {near}?" if near else see)
    found = message[:1].lower() + message[1:].rstrip(".")
    return InputError(f"arguments as `{command}` takes them", found, see)
