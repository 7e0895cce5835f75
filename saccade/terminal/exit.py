"""Failures of a command: one line on stderr (expected, found, do) and an exit code, without a traceback.

Code 2: the user's input. 130 and 143: Ctrl-C and SIGTERM. 1: anything else; with SACCADE_DEBUG=1 the traceback is
shown.
"""

import errno
import io
import logging
import os
import re
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import typer
from typer.core import TyperGroup

from saccade.errors import InputError, closest, printable
from saccade.pipeline import progress
from saccade.pipeline.interrupts import Stopped

if TYPE_CHECKING:
    from typer._click.core import Context


@runtime_checkable
class UsageError(Protocol):
    """An error of the argument parser."""

    def format_message(self) -> str:
        """Return the parser's message."""
        ...


class OneLineFailures(TyperGroup):
    """A typer group that reports a failure in one line: `typer.Typer(cls=OneLineFailures)`."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> object:
        """Parse the arguments and run the command; in standalone mode, exit with its code."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        if logging.lastResort is not None:  # warnings of the logger "saccade"
            logging.lastResort.setFormatter(logging.Formatter("saccade: %(message)s"))
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # in an ASCII locale: what it cannot show, it names
                stream.reconfigure(errors="backslashreplace")
        try:
            with progress.shown_by(_Bar()):
                code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
            if code == 130:  # typer has caught a KeyboardInterrupt
                typer.echo("saccade: stopped", err=True)
        except Exception as error:
            code = _report(error)
        sys.exit(code if isinstance(code, int) else 0)


class _Bar:
    """The display of long work; rich is imported when there is some."""

    def work(self, what: str, total: int) -> AbstractContextManager[progress.Advance]:
        """Show work of `total` units."""
        from saccade.terminal.progress_bar import Bar

        return Bar().work(what, total)


def _report(error: Exception) -> int:
    """Print the failure on stderr and return the exit code."""
    message, code = str(error), 2
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message)
        return 0
    if isinstance(error, UsageError):
        message = str(_usage(error))
    elif isinstance(error, typer.Abort):
        message, code = "stopped", 130
    elif isinstance(error, InputError | Stopped):
        code = getattr(error, "code", 2)
    elif isinstance(error, BrokenPipeError):  # `saccade ... | head`: the reader has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    elif isinstance(error, OSError) and error.errno in NO_PATH:
        found = f"{error.strerror} at {str(error.filename)[:80]}"
        message = str(InputError("a path that can be", found, "give another one"))
    elif isinstance(error, OSError):
        place = f" at {error.filename}" if error.filename else ""
        message, code = f"{error.strerror or error}{place}; fix that, then run the same command again", 1
    elif isinstance(error, MemoryError) or "can't allocate memory" in message or "out of memory" in message:
        do = "lower --batch-size or the size of the network"
        message, code = str(InputError("enough memory for this network and batch", message[:200], do)), 1
    else:
        if os.environ.get("SACCADE_DEBUG"):
            raise error
        message, code = f"{type(error).__name__}: {error}; {BUG}", 1
    typer.echo("saccade: " + printable(" ".join(message.split())), err=True)
    return code


NO_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)
"""Errors of the operating system about a path that nothing can have."""

BUG = "this is a bug in Saccade; set SACCADE_DEBUG=1 for the traceback"


def _usage(error: UsageError) -> InputError:
    """Return the parser's error in the form expected, found, do."""
    message = error.format_message()
    context: Context | None = getattr(error, "ctx", None)
    command = context.command_path if context else "saccade"
    see = f"see `{command} --help`"
    if type(error).__name__ == "NoSuchOption":
        option = str(getattr(error, "option_name", ""))
        known = [name for parameter in context.command.params for name in parameter.opts] if context else []
        near = closest(option, known)
        return InputError(f"an option of `{command}`", option, f"did you mean {near}?" if near else see)
    found = message[:1].lower() + message[1:].rstrip(".")
    if context and isinstance(context.command, TyperGroup) and (wrong := re.match("No such command '(.+?)'", message)):
        near = closest(wrong[1], context.command.list_commands(context))
        do = f"did you mean {near!r}?" if near else see
        return InputError(f"a command of `{command}`", f"no such command {wrong[1]!r}", do)
    return InputError(f"valid arguments for `{command}`", found, see)
