"""The sketch-rnn .npz layout, read without trusting it.

The file is a zip of train.npy, valid.npy and test.npy, each a NumPy array of objects, which NumPy stores as a pickle.
A pickle can run any code. The unpickler here can rebuild NumPy arrays of plain numbers and lists of them, and nothing
else: it calls no function of NumPy's or of anybody's that a pickle names; its own stand-ins check what they are given.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np

from saccade.errors import InputError

SPLITS = ("train", "valid", "test")
MOST_BYTES = 1 << 30
"""Largest unpacked size of a file."""

DO = "give a file of the sketch-rnn data, e.g. made by numpy.savez"
NUMBERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "f2", "f4", "f8")


class _Refused(Exception):
    """Something in a pickle that no array of numbers needs."""


class _Type:
    """Stands in for numpy.dtype."""

    def __init__(self, code: object, *_: object) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
        if not isinstance(text, str) or text not in (*NUMBERS, "O8", "O"):
            raise _Refused(f"the number type {text!r:.40}")
        self.code, self.order = text, "<"

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        order = order.decode("ascii", "replace") if isinstance(order, bytes) else order
        if order not in ("<", ">", "|", "="):
            raise _Refused(f"the byte order {order!r:.40}")
        self.order = "<" if order in ("|", "=") else str(order)


class _Array:
    """Stands in for numpy.ndarray: holds the array once its state is given."""

    value: np.ndarray | list[object] | None = None

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise _Refused("an array without a shape")
        _, shape, kind, fortran, data = state
        if not isinstance(shape, tuple) or not all(type(n) is int and 0 <= n < 1 << 32 for n in shape):
            raise _Refused(f"the shape {shape!r:.40}")
        if not isinstance(kind, _Type):
            raise _Refused("an array without a number type")
        size = math.prod(shape)
        if kind.code.startswith("O"):
            if not isinstance(data, list) or len(data) != size or len(shape) != 1:
                raise _Refused("an array of objects that is no list")
            self.value = data
            return
        if isinstance(data, str):  # Python 2's bytes
            data = data.encode("latin-1")
        bits = np.dtype(kind.order + kind.code)
        if not isinstance(data, bytes) or len(data) != size * bits.itemsize:
            raise _Refused("an array whose numbers do not fill its shape")
        self.value = np.frombuffer(data, bits).reshape(shape, order="F" if fortran else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _encode(text: object, *_: object) -> bytes:
    """Stand in for _codecs.encode, by which Python 3 writes bytes into pickles of protocol 2."""
    if not isinstance(text, str):
        raise _Refused("bytes that are no text")
    return text.encode("latin-1")


KNOWN: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that knows arrays."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) not in KNOWN:
            raise _Refused(f"a call of {module}.{name}")
        return KNOWN[module, name]

    def persistent_load(self, pid: object) -> NoReturn:
        raise _Refused("a reference to something outside of it")


def read_npz(path: Path) -> dict[str, list[np.ndarray]]:
    """Read the drawings of each split, rows as they are in the file.

    Raises:
        InputError: no such file, another layout, or a pickle that wants anything but arrays of numbers.
    """
    try:
        with zipfile.ZipFile(path) as file:
            sizes = {item.filename: item.file_size for item in file.infolist()}
            missing = [name for name in SPLITS if f"{name}.npy" not in sizes]
            if missing:
                found = f"no {', no '.join(missing)} among {', '.join(sizes) or 'nothing'} in {path}"
                raise InputError("arrays train, valid and test", found, DO)
            if sum(sizes.values()) > MOST_BYTES:
                raise InputError(f"at most {MOST_BYTES:,} bytes", f"{sum(sizes.values()):,} in {path}", "split it")
            return {name: _drawings(file.read(f"{name}.npy"), f"{name} of {path}") for name in SPLITS}
    except OSError as error:
        raise InputError(f"a file at {path}", error.strerror or "none that can be read", "name another") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise InputError(f"an .npz file at {path}", f"none: {error}", DO) from error


def _drawings(data: bytes, where: str) -> list[np.ndarray]:
    """Return the arrays of one .npy file of objects."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read_header(file)
    if kind.kind != "O" or len(shape) != 1:
        raise InputError("an array of drawings, each an array [N, 3]", f"{kind} {list(shape)} as {where}", DO)
    try:
        whole = _ArraysOnly(file, encoding="latin1").load()
    except _Refused as refused:
        found = f"a pickle with {refused} as {where}"
        raise InputError("arrays of numbers and nothing else", found, "do not trust this file") from None
    except Exception as error:  # a damaged pickle fails in a dozen ways
        raise InputError("a whole pickle of arrays", f"{type(error).__name__} as {where}", DO) from error
    items = whole.value if isinstance(whole, _Array) else None
    if not isinstance(items, list) or len(items) != shape[0]:
        raise InputError("an array of drawings", f"something else as {where}", DO)
    arrays = [item.value if isinstance(item, _Array) else None for item in items]
    if not all(isinstance(array, np.ndarray) for array in arrays):
        raise InputError("an array [N, 3] for every drawing", f"something else as {where}", DO)
    return [array for array in arrays if isinstance(array, np.ndarray)]
