"""What every reader of a stranger's file promises, as functions of bytes that raise where the promise is broken.

The promise: the file is read, or refused by an InputError of one printable line; nothing else is raised, nothing hangs.
Some readers' first byte chooses how the rest is packed, so that a fuzzer also gets past checksums and compression.
"""

import gzip
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from saccade.errors import InputError
from saccade.glimpse.config import SPEC
from saccade.images.config import Shape
from saccade.images.idx import read_idx
from saccade.images.mnist_framing import read_image
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.checkpoint import snapshot
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.pipeline.toml_config import read_facts, read_run

NETWORK = {"weight": torch.zeros(2, 1), "bias": torch.zeros(2)}
SHAPES = (Shape(1, 28, 28, 10), Shape(3, 28, 28, 10), Shape(1, 12, 9, 10))


def promised(read: Callable[[], object]) -> None:
    """Call a reader; an InputError must be one line that a terminal only shows."""
    try:
        read()
    except InputError as error:
        text = str(error)
        assert text.startswith("expected ") and text.isprintable() and len(text) < 5000, text


def idx(data: bytes) -> None:
    """Byte 0: plain, gzipped, or gzipped here; its number of axes. Then the file."""
    how, rest = data[:1] or b"\0", data[1:]
    axes, packed = 1 + how[0] % 3, how[0] // 3 % 3
    path = FOLDER / ("images.gz" if packed else "images")
    path.write_bytes(gzip.compress(rest, 1, mtime=0) if packed == 2 else rest)
    promised(lambda: read_idx(path, axes))


def config(data: bytes) -> None:
    """A TOML file: its rows' facts, and the run of the file or of each of its first rows."""
    path = FOLDER / "run.toml"
    path.write_bytes(data)

    def read() -> None:
        rows = list(read_facts(path))[:3]
        for row in rows or [None]:
            promised(lambda: read_run(path, "glimpse", SPEC, row))  # noqa: B023

    promised(read)


def run_json(data: bytes) -> None:
    """A run folder's run.json."""
    folder = FOLDER / "run"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_bytes(data)
    promised(lambda: open_run(folder))


def sealed(data: bytes) -> bytes:
    """A safetensors file from the text of its header, a line feed and the tensors' bytes, with the right checksum."""
    header, _, tensors = data.partition(b"\n")
    file = struct.pack("<Q", len(header)) + header + tensors
    return file.replace(snapshot.NO_CHECKSUM.encode(), hashlib.sha256(file).hexdigest().encode(), 1)


def checkpoints(data: bytes) -> None:
    """Byte 0: the file as it is, or sealed here; then the file. What is read is loaded into a network."""
    path = FOLDER / "checkpoint-1.safetensors"
    path.write_bytes(sealed(data[1:]) if data[:1] == b"s" else data[1:])

    def read() -> None:
        core = nn.Linear(1, 2)
        checkpoint.load_trained(core, checkpoint.read(path, checkpoint.room_for(core)).tensors)

    promised(read)


def image(data: bytes) -> None:
    """Byte 0: for which network; then the picture file."""
    how, rest = data[:1] or b"\0", data[1:]
    path = FOLDER / "picture.png"
    path.write_bytes(rest)
    promised(lambda: read_image(path, SHAPES[how[0] % 3], digits=how[0] < 128))


READERS: dict[str, Callable[[bytes], None]] = {
    "idx": idx,
    "config": config,
    "run_json": run_json,
    "checkpoint": checkpoints,
    "image": image,
}
SEEDS = Path(__file__).parent / "seeds"


def seeds(reader: str) -> list[Path]:
    """Inputs that once broke a promise, and one or more that are read."""
    return sorted(path for path in (SEEDS / reader).iterdir() if path.is_file())


def header(**changes: object) -> bytes:
    """A checkpoint's header as `sealed` takes it; the fuzzer's beginning."""
    record = {"format": snapshot.FORMAT, "sha256": snapshot.NO_CHECKSUM, "step": 1, "facts": {}, **changes}
    tensors = {
        "model/weight": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
        "model/bias": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
    }
    return json.dumps({"__metadata__": {"saccade": json.dumps(record)}, **tensors}).encode()


FOLDER = Path(tempfile.mkdtemp(prefix="saccade-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
"""Where the files are written, in memory where there is such a place; `fuzz.py` and the tests remove it."""
