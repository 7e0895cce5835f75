"""Reading idx files, MNIST's format, plain or gzipped; every number in them is checked.

Layout: two zero bytes, a type (8 is uint8), the number of axes, each axis's length (32 bits, big-endian), the values.
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from saccade.errors import InputError

LIMIT = 2**27
"""Most bytes of values that a file may hold, 134 million; MNIST's largest holds 47 million."""


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Read a uint8 array with `axes` axes from a file, gzipped if its name ends in .gz.

    Nothing is allocated before the header is checked against the file's size (gzipped: against `LIMIT`), and no more
    is unpacked than the header claims.

    Raises:
        InputError: the file cannot be read, is no idx file of uint8 with that number of axes, or has a wrong length.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            sizes, header = _header(path, file.read(4 + 4 * axes), axes), 4 + 4 * axes
            total = math.prod(sizes)
            claimed = math.prod(max(size, 1) for size in sizes)  # an axis of 0 must not hide what the others claim
            if claimed > LIMIT:
                raise _bad(path, f"at most {LIMIT} bytes of data", f"a header that claims {claimed}")
            if path.suffix != ".gz" and path.stat().st_size != header + total:
                raise _bad(path, f"{header + total} bytes", f"{path.stat().st_size}")
            values = np.empty(total, np.uint8)
            held, more = _fill(cast(BinaryIO, file), values), bool(file.read(1))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _bad(path, "a file that can be read to its end", str(error)) from None
    if held < total or more:
        raise _bad(path, f"{header + total} bytes unpacked", "more" if more else f"{header + held}")
    return values.reshape(sizes)


def _fill(file: BinaryIO, values: np.ndarray) -> int:
    """Read into `values`, in pieces; return the number of bytes."""
    held = 0
    while held < len(values):
        piece = file.read(min(1 << 20, len(values) - held))
        if not piece:
            break
        values[held : held + len(piece)] = np.frombuffer(piece, np.uint8)
        held += len(piece)
    return held


def _header(path: Path, header: bytes, axes: int) -> tuple[int, ...]:
    """Return the lengths of the axes from a header."""
    magic = bytes((0, 0, 8, axes))
    if len(header) < 4 + 4 * axes:
        raise _bad(path, f"an idx header of {4 + 4 * axes} bytes", f"{len(header)} bytes")
    if header[:4] != magic:
        raise _bad(path, f"an idx file of uint8 with {axes} axes (first bytes {magic.hex()})", header[:4].hex())
    return tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))


def _bad(path: Path, expected: str, found: str) -> InputError:
    return InputError(f"{expected} in {path}", found, "delete the file and fetch it again")
