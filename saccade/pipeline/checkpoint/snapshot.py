"""One checkpoint: a safetensors file, written whole or not at all, checked by a checksum when it is read.

Its metadata holds, under "saccade", a JSON text with the step, the trainer's facts and the SHA-256 of the whole file
(taken with the checksum's own 64 digits as zeros), so that any changed byte, in a weight or in a name, is found.
Nothing here can run code from a file.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from saccade.errors import InputError, shown
from saccade.json_types import Record
from saccade.pipeline.checkpoint.atomic_files import MAX_JSON_BYTES, parse_json, write_whole

FORMAT = 1
"""The layout of the metadata; raised when an older Saccade could not read it."""

MOST_BYTES = 1 << 32
"""Of a checkpoint of a network that is not known yet."""

NO_CHECKSUM = "0" * 64


class Snapshot(NamedTuple):
    """All that a run needs to go on: tensors by flat name ("model/...", "optimizer/..."), and facts that JSON holds."""

    step: int
    tensors: dict[str, Tensor]
    facts: Record

    @property
    def finished(self) -> bool:
        """True if it was taken after the last step of its training."""
        return self.step == self.facts.get("steps")


class Damaged(InputError):
    """A checkpoint that is not as it was written; an older one may be whole."""


def write(file: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot as one file that `read` reads; whole or not at all.

    Raises:
        InputError: the disk is full or not writable.
    """
    write_whole(file, *_encode(snapshot))
    return file


def on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors to main memory, for a snapshot."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def read(path: Path, most_bytes: int = MOST_BYTES) -> Snapshot:
    """Read one checkpoint, checked before a tensor is made of it.

    Raises:
        Damaged: not a checkpoint of Saccade, or not as it was written.
        InputError: a newer Saccade's checkpoint, or a file that may not be read.
    """
    try:
        with open(path, "rb") as file:
            header = _header(file, path, most_bytes)
            record = _record(header, path)
            _check_extent(header, path)
            _check(file, len(header), record, path)
            file.seek(0)
            tensors = safetensors.torch.load(file.read())
    except (SafetensorError, ValueError) as error:
        raise _damaged(f"{path}: {str(error)[:100]}") from error
    except (FileNotFoundError, PermissionError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise InputError("a checkpoint", f"{error.strerror} at {path}", "make the file readable") from error
    except OSError as error:
        raise _damaged(f"{error.strerror or error} at {path}") from error
    return Snapshot(record["step"], tensors, record["facts"])


def _encode(snapshot: Snapshot) -> tuple[bytes, memoryview]:
    """Return the file's bytes in two parts: the header, with the checksum written in, and the tensors."""
    tensors = {name: tensor.detach().to("cpu").clone() for name, tensor in snapshot.tensors.items()}
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    record = {"format": FORMAT, "sha256": NO_CHECKSUM, "step": snapshot.step, "facts": snapshot.facts}
    data = safetensors.torch.save(contiguous, {"saccade": json.dumps(record)})
    end = 8 + int.from_bytes(data[:8], "little")
    assert end <= MAX_JSON_BYTES, f"a header of {end} bytes: facts are for small things, tensors for the rest"
    checksum = hashlib.sha256(data).hexdigest()
    return data[:end].replace(NO_CHECKSUM.encode(), checksum.encode(), 1), memoryview(data)[end:]


def _header(file: BinaryIO, path: Path, most_bytes: int) -> bytes:
    """Read the first 8 bytes (the length, little-endian) and the JSON after them, of a length that fits."""
    start = file.read(8)
    size, claimed = path.stat().st_size, int.from_bytes(start, "little")
    if size > most_bytes:
        raise _damaged(f"{size:,} bytes in {path}, where this network needs less than {most_bytes:,}")
    if len(start) < 8 or claimed > min(MAX_JSON_BYTES, size - 8):
        raise _damaged(f"{path} of {size:,} bytes, no safetensors file or a part of one")
    return start + file.read(claimed)


def _record(header: bytes, path: Path) -> Record:
    """Read the metadata: format, sha256, step, facts, each of its type."""
    metadata = parse_json(header[8:]).get("__metadata__")
    text = metadata.get("saccade") if isinstance(metadata, dict) else None
    record = parse_json(text if isinstance(text, str) else "{}")
    if not isinstance(record.get("sha256"), str) or not re.fullmatch("[0-9a-f]{64}", record["sha256"]):
        raise _damaged(f"{path}, a file without Saccade's record and checksum")
    if record.get("format") != FORMAT:
        found = f"format {shown(record.get('format'), 40)} in {path}"
        raise InputError(f"a checkpoint of format {FORMAT}", found, "use the Saccade that wrote it")
    step, facts = record.get("step"), record.get("facts")
    if type(step) is not int or step < 0 or not isinstance(facts, dict):
        raise _damaged(f"{path}, whose record has no step or facts")
    return record


def _check_extent(header: bytes, path: Path) -> None:
    """Compare the size that the header claims for all tensors with the file's, before a byte of them is read."""
    end = 0
    for name, claim in parse_json(header[8:]).items():
        offsets = claim.get("data_offsets") if isinstance(claim, dict) and name != "__metadata__" else [0, 0]
        if not isinstance(offsets, list) or not all(type(offset) is int for offset in offsets):
            raise _damaged(f"{path}, whose header makes no sense")
        end = max(end, *offsets, 0)
    if len(header) + end != path.stat().st_size:
        raise _damaged(f"{path}, whose size is not what its header claims")


def _check(file: BinaryIO, start: int, record: Record, path: Path) -> None:
    """Compare the checksum, reading in pieces: a large file that is not ours never fills the memory."""
    file.seek(0)
    header = file.read(start)
    checksum = hashlib.sha256(header.replace(record["sha256"].encode(), NO_CHECKSUM.encode(), 1))
    while piece := file.read(1 << 20):
        checksum.update(piece)
    if checksum.hexdigest() != record["sha256"]:
        raise _damaged(f"{path}, whose bytes have changed since (wrong checksum)")


def _damaged(found: str) -> Damaged:
    return Damaged("a whole checkpoint", found, "delete it, and the one before it will be used")
