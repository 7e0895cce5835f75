"""Files that are whole or absent: atomic writing, JSON of bounded size, and the lock on a folder. Torch-free."""

import contextlib
import errno
import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.json_types import Record

MAX_JSON_BYTES = 1 << 20
"""No JSON that Saccade writes comes near this size (1 MB); a larger file is refused unread."""

MAX_JSON_DEPTH = 32
"""Levels of tables and lists; Saccade writes five."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Busy(InputError):
    """Another process is at work in the folder."""


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file so that at every moment, a crash included, it holds all of the old bytes or all of the new.

    A temporary file in the same folder, flushed to the disk, takes the name; then the folder is flushed too.

    Raises:
        InputError: the disk is full or the folder cannot be written to; the old file stands, no temporary file is left.
    """
    temporary = path.with_name(f".{path.name[-40:]}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error, sum(len(part) for part in parts)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def unwritable(path: Path, error: OSError, size: int = 0) -> InputError:
    """Return the error for a write of `size` bytes at `path` that the operating system refused."""
    reason = f"{error.strerror or error} at {path}"
    if error.errno in FULL:
        return InputError(f"room for {size:,} bytes", reason, "free some space; what was saved before is whole")
    return InputError("a folder that can be written to", reason, "give another --out")


def write_json(path: Path | str, data: Any) -> Path:
    """Write JSON atomically, indented, for people to read; JSON has no NaN or infinity, so they become null."""
    path = Path(path)
    text = json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(path, text.encode() + b"\n")
    return path


def read_json(path: Path, what: str) -> Record:
    """Read the JSON object in a file; `what` names its kind in the error ("a run folder's run.json").

    Raises:
        InputError: no such file, too large, truncated, or no JSON object.
    """
    again = "give a folder whose files are as they were written"
    try:
        if not path.is_file():
            raise InputError(what, f"no file {path}", again)
        with open(path, "rb") as file:
            text = file.read(MAX_JSON_BYTES + 1)
        if len(text) > MAX_JSON_BYTES:
            raise InputError(f"{what} of at most {MAX_JSON_BYTES:,} bytes", f"more in {path}", again)
        return parse_json(text)
    except OSError as error:
        raise InputError(what, f"{error.strerror or error} at {path}", "make the file readable") from error
    except ValueError as error:
        raise InputError(what, f"{error} in {path}", again) from error


def parse_json(text: bytes | str) -> Record:
    """Parse a JSON object from untrusted text; ValueError, and no other exception, if it is none."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"no JSON ({str(error)[:80]})") from None
    if not isinstance(data, dict):
        raise ValueError("JSON that is no object")
    if not nested_at_most(MAX_JSON_DEPTH, data):
        raise ValueError("JSON nested too deeply")
    return data


def nested_at_most(levels: int, data: Any) -> bool:
    """Return True if dicts and lists are nested at most `levels` deep."""
    if not isinstance(data, dict | list):
        return True
    inside = data.values() if isinstance(data, dict) else data
    return levels > 0 and all(nested_at_most(levels - 1, item) for item in inside)


@contextlib.contextmanager
def lock(folder: Path | str) -> Iterator[None]:
    """Hold a folder for this process alone; the system lets go of it however the process ends.

    Raises:
        Busy: another process holds it.
    """
    path = Path(folder) / ".lock"
    try:
        # appending keeps the holder's number until the lock is ours; a link would lead out of the folder
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666), "a+")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = f"process {file.read(20).strip()} at work in it"
            raise Busy(f"{folder} to be free", holder, "wait for it to end, or give another --out") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut. Some network file systems refuse this; the file is whole there too."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
