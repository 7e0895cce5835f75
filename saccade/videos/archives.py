"""Arrays of an .npz file, read without unpickling anything."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saccade.errors import InputError

MOST_BYTES = 2 << 30
"""Most bytes that the arrays of a file may take in memory."""


def read_arrays(path: Path, keys: Sequence[str], what: str) -> dict[str, np.ndarray]:
    """Read arrays of an .npz file.

    Args:
        path: the file.
        keys: names of the arrays.
        what: the data set, for error messages.

    Raises:
        InputError: no such file, no .npz file, a missing or a pickled array, or more than 2 GB.
    """
    do = f"give an .npz file with {', '.join(keys)}"
    if not path.is_file():
        raise InputError(f"{what} in {path}", "a folder" if path.is_dir() else "no such file", do)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            raise InputError(f"at most {MOST_BYTES:,} bytes of arrays in {path}", f"{size:,}", "give fewer clips")
        with np.load(path, allow_pickle=False) as arrays:
            if missing := [key for key in keys if key not in arrays]:
                raise InputError(f"the arrays {', '.join(keys)} in {path}", f"no {', no '.join(missing)}", do)
            return {key: arrays[key] for key in keys}
    except InputError:
        raise
    except Exception as error:  # damaged archives raise many types
        raise InputError(f"{what} as arrays in {path}", f"{error!s:.120}" or type(error).__name__, do) from None


def read_array(path: Path, what: str, most: int = MOST_BYTES) -> np.ndarray:
    """Open the array of an .npy file, memory-mapped.

    Raises:
        InputError: no such file, no .npy file, a pickled array, or more than `most` bytes.
    """
    do = "give an .npy file of numbers"
    if not path.is_file():
        raise InputError(f"{what} in {path}", "a folder" if path.is_dir() else "no such file", do)
    if (size := path.stat().st_size) > most:
        raise InputError(f"at most {most:,} bytes in {path}", f"{size:,}", "give fewer sequences")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise InputError(f"{what} as an array in {path}", f"{error!s:.120}", do) from None
