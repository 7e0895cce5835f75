"""Files made to cost time or memory, or to lead out of the folder, each given to its reader: what came of it as JSON.

`python strangers.py FOLDER`, in a process of its own, whose memory is measured: for every file CPU seconds, growth of
the peak of resident memory in MB, and what the reader said.
"""

import gzip
import json
import os
import pickle
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import nn

from saccade.errors import InputError
from saccade.glimpse.config import SPEC
from saccade.images.config import Shape
from saccade.images.idx import read_idx
from saccade.images.mnist_framing import read_image
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.pipeline.config import default_run, to_dict
from saccade.pipeline.toml_config import read_run
from saccade.pipeline.trained import open_trained

Case = tuple[str, Callable[[], Any]]
SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds" / "image"


def sparse(path: Path, data: bytes, size: int) -> Path:
    """A file that begins with `data` and is zeros up to `size`, which take no room on the disk."""
    path.write_bytes(data)
    os.truncate(path, size)
    return path


class Evil:
    """What a pickle runs when it is loaded."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {FOLDER / 'owned'}",)


def sealed(path: Path, tensors: dict[str, Any], size: int | None = None) -> Path:
    """A checkpoint's header with its record, for tensors that need not be there."""
    record = {"format": 1, "sha256": "0" * 64, "step": 1, "facts": {}}
    text = json.dumps({"__metadata__": {"saccade": json.dumps(record)}, **tensors}).encode()
    data = struct.pack("<Q", len(text)) + text
    return sparse(path, data, len(data) if size is None else size)


def checkpoints() -> Iterator[Case]:
    """What claims to be a checkpoint."""
    network = nn.Linear(1, 2)
    read = lambda path: lambda: checkpoint.read(path, checkpoint.room_for(network))  # noqa: E731
    anyhow = lambda path: lambda: checkpoint.read(path)  # noqa: E731
    path = FOLDER / "pickle.safetensors"
    path.write_bytes(pickle.dumps(Evil()))
    yield "a pickle renamed to .safetensors", anyhow(path)
    path = FOLDER / "torch.safetensors"
    torch.save({"w": torch.zeros(3)}, path)
    yield "a file of torch.save renamed to .safetensors", anyhow(path)
    yield "a header of 2^63 bytes", anyhow(sparse(FOLDER / "a.safetensors", struct.pack("<Q", 1 << 63), 1000))
    yield (
        "a header of 4 GB in as large a file",
        anyhow(sparse(FOLDER / "b.safetensors", struct.pack("<Q", 1 << 32), 1 << 33)),
    )
    claim = {"w": {"dtype": "F32", "shape": [1 << 38], "data_offsets": [0, 1 << 40]}}
    yield "a tensor of 1 TB that is not there", anyhow(sealed(FOLDER / "c.safetensors", claim))
    small = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    yield "1 TB after a small tensor", anyhow(sealed(FOLDER / "d.safetensors", small, 1 << 40))
    yield "3 GB after a small tensor", anyhow(sealed(FOLDER / "e.safetensors", small, 3 << 30))
    path = sealed(FOLDER / "f.safetensors", {"w": {"dtype": "U8", "shape": [1 << 31], "data_offsets": [0, 1 << 31]}})
    os.truncate(path, path.stat().st_size + (1 << 31))
    yield "2 GB as claimed, for a network of 3 numbers", read(path)
    text = b"[" * 1_000_000
    yield (
        "a header of brackets",
        anyhow(sparse(FOLDER / "g.safetensors", struct.pack("<Q", len(text)) + text, 2_000_000)),
    )


def tomls() -> Iterator[Case]:
    """What claims to be settings."""
    bombs = {
        "lists in lists on a line": b"[model]\nglimpses = " + b"[" * 60_000,
        "lists in lists, a line each": b"[model]\nglimpses = " + b"[\n" * 30_000,
        "a key of 30,000 parts": b"[model]\n" + b"a." * 30_000 + b"a = 1",
        "60 keys of 500 parts": b"[model]\n" + b"".join(b"a." * 490 + b"k%d = 1\n" % i for i in range(60)),
        "a number of 60,000 digits": b"[model]\nglimpses = " + b"9" * 60_000,
        "a hexadecimal number of 900 digits": b"[model]\nglimpses = 0x" + b"f" * 900,
        "20 MB of settings": b"[model]\n" + b"".join(b"k%07d = 1\n" % i for i in range(1_500_000)),
        "a row that would be a folder outside": b'[rows."../../outside".model]\nglimpses = 3\n',
        "a row that would be a folder at the root": b'[rows."/outside".model]\nglimpses = 3\n',
    }
    for name, data in bombs.items():
        path = FOLDER / f"{len(name)}.toml"
        path.write_bytes(data)
        row = "../../outside" if "outside" in name else None
        yield name, lambda path=path, row=row: read_run(path, "glimpse", SPEC, row)
    path = sparse(FOLDER / "sparse.toml", b"[model]\n", 1 << 40)
    yield "1 TB of settings", lambda: read_run(path, "glimpse", SPEC)


def run_folders() -> Iterator[Case]:
    """Bytes that claim to be a run, in both formats of run.json."""
    settings = to_dict(default_run("glimpse", SPEC))
    honest = {"format": 1, **settings, "facts": {}, "classes": ["a", "b"]}
    honest["shape"] = {"channels": 1, "height": 28, "width": 28, "classes": 2}
    facts = {"channels": 1, "height": 28, "width": 28, "classes": ["a", "b"]}
    current = {"format": 2, **settings, "facts": facts, "provenance": {}}

    def folder(name: str, text: str) -> Path:
        path = FOLDER / name
        path.mkdir()
        (path / "run.json").write_text(text)
        return path

    names = {"../../evil": "up", "/tmp/evil": "root", "os": "os", "cli": "cli", "saccade.pipeline": "dot"}
    for data in (honest, current):
        which = f"in format {data['format']}"
        for system, name in names.items():
            path = folder(f"system-{name} {which}", json.dumps({**data, "system": system}))
            yield f"the system {system} {which}", lambda path=path: open_run(path)
        path = folder(f"wide {which}", json.dumps({**data, "model": {**data["model"], "hidden": 1 << 40}}))
        yield f"a network of 2^40 units {which}", lambda path=path: open_run(path)
        large = {**data["model"], "hidden": 16384, "layers": 16}
        path = folder(f"claims {which}", json.dumps({**data, "model": large}))
        checkpoint.write(path / "checkpoint-1.safetensors", checkpoint.Snapshot(1, {"model/w": torch.zeros(2)}, {}))
        told = f"a network of 30 GB, whose checkpoint has two numbers {which}"
        yield told, lambda path=path: open_trained(path, "glimpse")
    deep = '{"a":' * 900 + "1" + "}" * 901
    for key, number in (("facts", 1), ("facts", 2), ("provenance", 2)):
        path = folder(f"deep {key} {number}", f'{{"format": {number}, "{key}": {deep}')
        yield f"tables in tables in {key} of format {number}", lambda path=path: open_run(path)
    path = folder("large", "{}")
    sparse(path / "run.json", b"{", 1 << 40)
    yield "a run.json of 1 TB", lambda path=path: open_run(path)
    escape = ["a", "\x1b[2Jb"]
    path = folder("escape 1", json.dumps({**honest, "classes": escape}))
    yield "a class whose name commands the terminal in format 1", lambda path=path: open_run(path)
    path = folder("escape 2", json.dumps({**current, "facts": facts | {"classes": escape}}))
    yield "a class whose name commands the terminal in format 2", lambda path=path: open_run(path)
    path = folder("images", json.dumps({**current, "facts": facts | {"height": 1 << 40}}))
    yield "images of 2^40 pixels", lambda path=path: open_trained(path)
    path = folder("nested", json.dumps({**current, "facts": facts | {"classes": [["a"] * 30_000]}}))
    yield "a class that is a list of 30,000", lambda path=path: open_run(path)


def idx_files() -> Iterator[Case]:
    """What claims to be MNIST."""
    claims = struct.pack(">BBBB3I", 0, 0, 8, 3, 1 << 31, 28, 28)
    for name, data in (("plain", claims), ("images.gz", gzip.compress(claims))):
        path = FOLDER / name
        path.write_bytes(data)
        yield f"2^31 images in {name}", lambda path=path: read_idx(path, 3)
    path = sparse(FOLDER / "honest", claims, 16 + (28 * 28 << 31))
    yield "2^31 images that are there", lambda path=path: read_idx(path, 3)
    path = FOLDER / "bomb.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(struct.pack(">BBBB3I", 0, 0, 8, 3, 100_000, 28, 28))
        for _ in range(400):
            file.write(bytes(1 << 20))
    yield (
        f"400 MB zipped into {path.stat().st_size >> 10} KB, of which 78 are claimed",
        lambda path=path: read_idx(path, 3),
    )
    path = FOLDER / "no-images"
    path.write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 1 << 31, 1 << 31))
    yield "no images of 2^31 x 2^31", lambda path=path: read_idx(path, 3)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pictures() -> Iterator[Case]:
    """What claims to be a picture."""
    sign, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    header = lambda width, height: chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))  # noqa: E731
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    wide, tall = struct.pack("<2H", 65535, 65535), struct.pack("<2i", 31623, 31623)
    told = zlib.compress(bytes(300 << 20), 9)
    files = {
        "a PNG of 10^9 pixels": sign + header(31_623, 31_623) + body + end,
        "a PNG of 2^62 pixels": sign + header((1 << 31) - 1, (1 << 31) - 1) + body + end,
        "a PNG with a text of 300 MB": sign + header(5, 5) + chunk(b"zTXt", b"a\0\0" + told) + body + end,
        "a PNG with a colour profile of 300 MB": sign + header(5, 5) + chunk(b"iCCP", b"a\0\0" + told) + body + end,
        "a PNG of 10^7 pixels in 60 bytes": sign + header(3200, 3200) + chunk(b"IDAT", zlib.compress(bytes(9))) + end,
        "a GIF of 65535 x 65535": b"GIF89a" + wide + bytes(3) + b",\0\0\0\0" + wide + b"\0\x02\0;",
        "a GIF of 8204 x 3072 in 78 bytes": (SEEDS / "large-gif-of-78-bytes").read_bytes()[1:],
        "a PPM of 10^9 pixels": b"P5 31623 31623 255\n",
        "a BMP of 10^9 pixels": b"BM" + struct.pack("<4I", 54, 0, 54, 40) + tall + b"\1\0\x18\0" + bytes(24),
        "a pickle named .png": pickle.dumps(Evil()),
        "PostScript, which would start a program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }
    for name, data in files.items():
        path = FOLDER / f"{len(list(FOLDER.iterdir()))}.png"
        path.write_bytes(data)
        yield name, lambda path=path: read_image(path, Shape(1, 28, 28, 10))
    os.mkfifo(FOLDER / "pipe.png")
    yield "a pipe that nobody writes to", lambda: read_image(FOLDER / "pipe.png", Shape(1, 28, 28, 10))


def peak_mb(field: str = "VmHWM") -> float:
    """Resident memory of this process, MB: its peak, or (VmRSS) what it is now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000


def measured(name: str, read: Callable[[], Any]) -> dict[str, Any]:
    """Give one file to its reader."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began, said = peak_mb("VmRSS"), time.process_time(), "nothing: it was read"
    try:
        read()
    except InputError as error:
        said = str(error)
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    return {"name": name, "seconds": time.process_time() - began, "mb": peak_mb() - before, "said": said}


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    torch.set_num_threads(1)
    makers = (checkpoints, tomls, run_folders, idx_files, pictures)
    print(json.dumps([measured(name, read) for maker in makers for name, read in maker()]))
