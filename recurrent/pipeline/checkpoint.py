"""Checkpoints: safetensors and JSON alone, written atomically, checked by a checksum when they are read.

A checkpoint is one safetensors file. Its metadata holds, under "saccade", a JSON text with the step, the trainer's
facts and the SHA-256 of the whole file (taken with the checksum's own 64 digits as zeros), so that any changed byte,
in a weight or in a name, is found. Nothing here can run code from a file.
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from recurrent.errors import InputError, shown
from recurrent.files import MAX_JSON_BYTES, lock, parse_json, write_json, write_whole
from recurrent.run_folder import RunFolder, create, open_log, open_run
from recurrent.shipped import WEIGHTS

__all__ = [
    "RunFolder",
    "Snapshot",
    "check_fits",
    "create",
    "load_into",
    "load_trained",
    "lock",
    "newest",
    "on_cpu",
    "open_log",
    "open_run",
    "read",
    "room_for",
    "save",
    "trained",
    "write",
    "write_json",
]

FORMAT = 1
"""The layout of the metadata; raised when an older Saccade could not read it."""

MOST_BYTES = 1 << 32
"""Of a checkpoint of a network that is not known yet."""

NO_CHECKSUM = "0" * 64
NAME = re.compile(r"checkpoint-(\d{1,15})\.safetensors")

log = logging.getLogger("saccade")


class Snapshot(NamedTuple):
    """All that a run needs to go on: tensors by flat name ("model/...", "optimizer/..."), and facts that JSON holds."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether it was taken after the last step of its training."""
        return self.step == self.facts.get("steps")


class Damaged(InputError):
    """A checkpoint that is not as it was written; an older one may be whole."""


def save(path: Path | str, snapshot: Snapshot, *, keep: int = 2) -> Path:
    """Write `checkpoint-<step>.safetensors` into a run folder and remove all but the last `keep`.

    Checkpoints of later steps are removed too: the run did not resume from them, because they were damaged.
    The process must hold the folder's `lock`.

    Raises:
        InputError: the disk is full or not writable; the checkpoints that were there stand.
    """
    assert keep >= 1
    assert snapshot.step >= 0
    folder = Path(path)
    for left_by_a_kill in folder.glob(".checkpoint-*.tmp"):
        left_by_a_kill.unlink(missing_ok=True)
    target = write(folder / f"checkpoint-{snapshot.step}.safetensors", snapshot)
    steps = _checkpoints(folder)
    kept = [step for step in sorted(steps) if step <= snapshot.step][-keep:]
    for step in steps.keys() - set(kept):
        steps[step].unlink(missing_ok=True)
    return target


def write(file: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot as one file that `read` reads; whole or not at all.

    Raises:
        InputError: the disk is full or not writable.
    """
    write_whole(file, *_encode(snapshot))
    return file


def on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in main memory, for a snapshot."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def newest(path: Path | str, most_bytes: int = MOST_BYTES) -> Snapshot | None:
    """The last whole checkpoint of a run folder, or None where none was written.

    A damaged one is passed over with a warning to the log "saccade", and the one before it is used. One larger than
    `most_bytes` is taken for damaged, unread: see `room_for`.

    Raises:
        InputError: there are checkpoints, and none is whole.
    """
    steps = _checkpoints(Path(path))
    damaged: Damaged | None = None
    for step in sorted(steps, reverse=True):
        try:
            return read(steps[step], most_bytes)
        except FileNotFoundError:  # a training that goes on meanwhile has replaced it
            return newest(path, most_bytes)
        except Damaged as error:
            damaged = error
            log.warning("%s", InputError(error.expected, error.found, "the checkpoint before it is used"))
    if damaged is None:
        return None
    raise InputError("a whole checkpoint", f"{damaged.found}, and none before it", "begin anew with --fresh")


def trained(path: Path | str, most_bytes: int = MOST_BYTES) -> Snapshot | None:
    """The weights of a run folder, for use: of its last whole checkpoint, or of a shipped network's one file.

    Raises:
        InputError: there are some, and none is whole.
    """
    if (snapshot := newest(path, most_bytes)) is not None:
        return snapshot
    file = Path(path) / WEIGHTS
    return read(file, most_bytes) if file.exists() else None


def room_for(core: nn.Module) -> int:
    """More bytes than a checkpoint of this network has: weights, their average, the optimizer's moments, names."""
    return 8 * sum(tensor.nbytes for tensor in core.state_dict().values()) + (1 << 20)


def read(path: Path, most_bytes: int = MOST_BYTES) -> Snapshot:
    """One checkpoint, checked before a tensor is made of it.

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


def load_trained(core: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load a snapshot's weights into `core` for use: the averaged ones, where an average was kept."""
    load_into(core, tensors, _trained(tensors))


def check_fits(core: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Whether `load_trained` can load them; the core may be on the device "meta", without memory.

    Raises:
        InputError: as `load_into`.
    """
    _group(core, tensors, _trained(tensors))


def load_into(core: nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Copy the tensors of a group ("model", "ema") into the core's parameters and buffers: all of them, or none.

    Raises:
        InputError: a name missing or unknown, another shape or number format (a checkpoint of another network), or a
            number that is not finite.
    """
    given = _group(core, tensors, prefix)
    with torch.no_grad():
        for name, tensor in core.state_dict().items():
            tensor.copy_(given[name])


def _trained(tensors: Mapping[str, Tensor]) -> str:
    return "ema" if any(name.startswith("ema/") for name in tensors) else "model"


def _group(core: nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of a group by the core's names, which they must fit."""
    do = "give a checkpoint of this network with these settings"
    prefix = prefix.removesuffix("/") + "/"
    given = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    own = core.state_dict()
    for name in (*own, *given):
        expected = f"{prefix}{name} {_form(own[name])}" if name in own else f"no tensor but {type(core).__name__}'s"
        found = f"{prefix + name!r:.80} {_form(given[name])}" if name in given else "no tensor of that name"
        if name not in own or name not in given or _form(own[name]) != _form(given[name]):
            raise InputError(expected, found, do)
        if not given[name].isfinite().all():
            raise InputError(f"finite numbers in {prefix}{name}", "NaN or infinity", "give another checkpoint")
    return given


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoint files of a folder by step."""
    named = ((NAME.fullmatch(file.name), file) for file in folder.glob("checkpoint-*.safetensors") if file.is_file())
    return {int(match[1]): file for match, file in named if match}


def _encode(snapshot: Snapshot) -> tuple[bytes, memoryview]:
    """The file's bytes in two parts: the header, with the checksum written in, and the tensors."""
    tensors = {name: tensor.detach().to("cpu").clone() for name, tensor in snapshot.tensors.items()}
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    record = {"format": FORMAT, "sha256": NO_CHECKSUM, "step": snapshot.step, "facts": snapshot.facts}
    data = safetensors.torch.save(contiguous, {"saccade": json.dumps(record)})
    end = 8 + int.from_bytes(data[:8], "little")
    assert end <= MAX_JSON_BYTES, f"a header of {end} bytes: facts are for small things, tensors for the rest"
    checksum = hashlib.sha256(data).hexdigest()
    return data[:end].replace(NO_CHECKSUM.encode(), checksum.encode(), 1), memoryview(data)[end:]


def _header(file: BinaryIO, path: Path, most_bytes: int) -> bytes:
    """The first 8 bytes (the length, little-endian) and the JSON after them, of a length that the file can hold."""
    start = file.read(8)
    size, claimed = path.stat().st_size, int.from_bytes(start, "little")
    if size > most_bytes:
        raise _damaged(f"{size:,} bytes in {path}, where this network needs less than {most_bytes:,}")
    if len(start) < 8 or claimed > min(MAX_JSON_BYTES, size - 8):
        raise _damaged(f"{path} of {size:,} bytes, no safetensors file or a part of one")
    return start + file.read(claimed)


def _record(header: bytes, path: Path) -> dict[str, Any]:
    """What the metadata say: format, sha256, step, facts, each of its type."""
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


def _check(file: BinaryIO, start: int, record: dict[str, Any], path: Path) -> None:
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
