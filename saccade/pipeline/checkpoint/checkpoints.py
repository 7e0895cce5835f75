"""The checkpoints of a run folder: the newest whole one, how many are kept, and weights loaded into a network."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.pipeline.checkpoint.locate import WEIGHTS
from saccade.pipeline.checkpoint.snapshot import MOST_BYTES, Damaged, Snapshot, read, write

NAME = re.compile(r"checkpoint-(\d{1,15})\.safetensors")

log = logging.getLogger("saccade")


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


def newest(path: Path | str, most_bytes: int = MOST_BYTES) -> Snapshot | None:
    """Return the last whole checkpoint of a run folder, or None if none was written.

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
    raise InputError("a whole checkpoint", f"{damaged.found}, and none before it", "start again with --fresh")


def trained(path: Path | str, most_bytes: int = MOST_BYTES) -> Snapshot | None:
    """Return the weights of a run folder, for use: of its last whole checkpoint, or of a shipped network's one file.

    A shipped network's weights may be stored in 16 bits; they are returned in 32.

    Raises:
        InputError: there are some, and none is whole.
    """
    if (snapshot := newest(path, most_bytes)) is not None:
        return snapshot
    file = Path(path) / WEIGHTS
    if not file.exists():
        return None
    shipped = read(file, most_bytes)
    return shipped._replace(tensors={name: widened(tensor) for name, tensor in shipped.tensors.items()})


def widened(tensor: Tensor) -> Tensor:
    """Return a tensor of 16-bit floating numbers in 32 bits, any other as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def room_for(core: nn.Module) -> int:
    """Return an upper bound on the bytes of a checkpoint: weights, their average, the optimizer's moments, names."""
    return 8 * sum(tensor.nbytes for tensor in core.state_dict().values()) + (1 << 20)


def load_trained(core: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load a snapshot's weights into `core` for use: the averaged ones, where an average was kept."""
    load_into(core, tensors, _trained(tensors))


def check_fits(core: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Check that `load_trained` can load them; the core may be on the device "meta", without memory.

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
    """Return the tensors of a group by the core's names, which they must fit."""
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
    """Return the checkpoint files of a folder by step."""
    named = ((NAME.fullmatch(file.name), file) for file in folder.glob("checkpoint-*.safetensors") if file.is_file())
    return {int(match[1]): file for match, file in named if match}
