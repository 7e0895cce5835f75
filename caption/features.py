"""Annotation vectors on disk: computed once for a picture and an encoder, in a file that later runs map into memory.

A folder per encoder, named by its fingerprint, with two files that only grow: `vectors` has a row of bfloat16 [N, D]
for each picture; `index` has a line for each row, the picture's SHA-256 and the row's CRC-32. The line is written after
its row, so a process that is killed at any moment leaves rows without a line, which the next one overwrites.
"""

import hashlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saccade.caption.encoder import Encoder, square
from saccade.errors import InputError
from saccade.images.mnist import cache
from saccade.pipeline.checkpoint.atomic_files import lock, unwritable
from saccade.pipeline.progress import track

AT_ONCE = 32
"""Pictures encoded together."""

FLIPPED = "-flipped"
"""Mark of a row whose picture was mirrored left to right."""


class Row(NamedTuple):
    """A line of the index."""

    number: int
    checksum: int


class Features:
    """The annotation vectors of some pictures, read from the disk when they are asked for."""

    def __init__(self, file: Path, rows: Sequence[int], shape: tuple[int, int]) -> None:
        whole = file.stat().st_size // (2 * shape[0] * shape[1])
        self._mapped = np.memmap(file, np.int16, "r", shape=(whole, *shape))
        self._rows = np.array(rows, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, which: Sequence[int] | np.ndarray) -> Tensor:
        """Return the annotation vectors of the pictures at these positions, bfloat16 [B, N, D]."""
        return torch.from_numpy(self._mapped[self._rows[which]]).view(torch.bfloat16)


def features_of(files: Sequence[Path], encoder: Encoder, folder: Path | None = None, *, flipped: bool) -> Features:
    """Return the annotation vectors of pictures; compute those that no earlier run has.

    Args:
        files: the pictures.
        encoder: the network.
        folder: of the store; by default features/ in ~/.cache/saccade.
        flipped: also mirror each picture; the mirrored ones follow all others, in the same order.

    Raises:
        InputError: a file that is no picture; a disk that is full.
    """
    place = (folder or cache() / "features") / f"{encoder.name.replace(':', '-')}-{encoder.fingerprint}"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(place, error) from error
    keys = [_digest(file) for file in files]
    wanted = dict(zip(keys, files, strict=True))
    if flipped:
        wanted |= {key + FLIPPED: file for key, file in zip(keys, files, strict=True)}
        keys += [key + FLIPPED for key in keys]
    shape = encoder.rows * encoder.columns, encoder.width
    rows = _whole(place, shape, wanted.keys())
    if missing := wanted.keys() - rows.keys():
        with lock(place):
            rows |= _whole(place, shape, missing)  # another process may have added some meanwhile
            rows |= _extend(place, encoder, [(key, file) for key, file in wanted.items() if key not in rows], shape)
    return Features(place / "vectors", [rows[key].number for key in keys], shape)


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"a picture at {file}", error.strerror or str(error), "give the path of one") from None


def _lines(file: Path) -> list[bytes]:
    """Return the whole lines of the index; a cut or damaged one ends it."""
    lines = file.read_bytes().split(b"\n")[:-1] if file.is_file() else []
    ends = (number for number, line in enumerate(lines) if not line.partition(b" ")[2].isdigit())
    return lines[: next(ends, len(lines))]


def _index(place: Path) -> dict[str, Row]:
    """Return the last row of each picture."""
    rows = {}
    for number, line in enumerate(_lines(place / "index")):
        key, _, checksum = line.partition(b" ")
        rows[key.decode("ascii", "replace")] = Row(number, int(checksum))
    return rows


def _whole(place: Path, shape: tuple[int, int], wanted: object) -> dict[str, Row]:
    """Return the wanted rows whose vectors are those that were written; the others will be computed again."""
    size, rows = 2 * shape[0] * shape[1], _index(place)
    asked = {key: row for key, row in rows.items() if key in wanted}  # type: ignore[operator]
    if not asked or not (place / "vectors").is_file():
        return {}
    with open(place / "vectors", "rb") as file:

        def read(row: Row) -> bytes:
            file.seek(row.number * size)
            return file.read(size)

        return {
            key: row
            for key, row in sorted(asked.items(), key=lambda item: item[1].number)
            if zlib.crc32(read(row)) == row.checksum
        }


def _extend(
    place: Path, encoder: Encoder, missing: Sequence[tuple[str, Path]], shape: tuple[int, int]
) -> dict[str, Row]:
    """Encode pictures and add their rows; return these."""
    if not missing:
        return {}
    size, added = 2 * shape[0] * shape[1], {}
    index_file, vectors_file = place / "index", place / "vectors"
    lines = _lines(index_file)
    try:
        with open(vectors_file, "ab") as vectors, open(index_file, "ab") as index:
            vectors.truncate(len(lines) * size)
            index.truncate(sum(len(line) + 1 for line in lines))
            batches = range(0, len(missing), AT_ONCE)
            for start in track(batches, "looking at the pictures, once", len(batches)):
                batch = missing[start : start + AT_ONCE]
                pixels = [square(file)[:, :: -1 if key.endswith(FLIPPED) else 1] for key, file in batch]
                blocks = [vector.view(torch.int16).numpy().tobytes() for vector in encoder.encode(pixels)]
                for (key, _), block in zip(batch, blocks, strict=True):
                    vectors.write(block)
                    added[key] = Row(len(lines) + len(added), zlib.crc32(block))
                vectors.flush()
                os.fsync(vectors.fileno())
                index.write("".join(f"{key} {added[key].checksum}\n" for key, _ in batch).encode())
                index.flush()
    except OSError as error:
        raise unwritable(vectors_file, error, len(missing) * size) from error
    return added
