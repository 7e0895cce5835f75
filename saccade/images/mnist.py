"""MNIST: read from a user's folder, or downloaded once to the cache."""

import contextlib
import io
import os
import socket
from pathlib import Path

import numpy as np
import torch

from saccade.errors import InputError
from saccade.images.idx import read_idx
from saccade.images.picture_files import Images

FILES = {"train": "train", "test": "t10k"}
SIDE = 28
"""Height and width of MNIST's images, pixels."""
TIMEOUT_SECONDS = 20.0


def load_mnist(data_dir: str | None) -> tuple[Images, Images]:
    """Load training and test images, uint8 [N, 1, 28, 28].

    From `data_dir` or else from the folder in SACCADE_DATA (with the four idx files, plain or .gz, in it or in its
    MNIST/raw); without both from ~/.cache/saccade, where they are downloaded on first use.

    Raises:
        InputError: files are missing, damaged, or cannot be downloaded.
    """
    given = data_dir or os.environ.get("SACCADE_DATA")
    folder = _given(Path(os.path.expanduser(given))) if given else _cached()
    return _read(folder, "train"), _read(folder, "test")


def cache() -> Path:
    """Return the folder of downloads: $XDG_CACHE_HOME/saccade or ~/.cache/saccade."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "saccade"


def _names() -> list[str]:
    return [f"{stem}-{kind}-ubyte" for stem in FILES.values() for kind in ("images-idx3", "labels-idx1")]


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _given(root: Path) -> Path:
    folders = [root / "MNIST" / "raw", root]
    held = [[name for name in _names() if _find(folder, name)] for folder in folders]
    for folder, found in zip(folders, held, strict=True):
        if len(found) == len(_names()):
            return folder
    missing = [name for name in _names() if name not in max(held, key=len)]
    found = f"no {', no '.join(missing)}" if any(held) else "none of them"
    raise InputError(
        f"MNIST's four files (train-images-idx3-ubyte, ...) in {folders[0]} or {root}",
        found if root.is_dir() else "no such folder",
        "name the folder that holds them with --data-dir or SACCADE_DATA, or give neither to download them",
    )


def _cached() -> Path:
    """Return the cache's folder; download the files that it lacks."""
    folder = cache() / "MNIST" / "raw"
    if not all((folder / name).is_file() for name in _names()):
        from torchvision.datasets import MNIST

        for name, md5 in MNIST.resources:
            _download(folder, MNIST.mirrors, name, md5)
    return folder


def _download(folder: Path, mirrors: list[str], name: str, md5: str) -> None:
    """Download a file from the first mirror that has it, unless it exists; check its MD5 sum."""
    from torchvision.datasets.utils import download_url

    timeout, failures = socket.getdefaulttimeout(), []
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        for mirror in mirrors:
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # the progress bar is on stderr
                    return download_url(f"{mirror}{name}", str(folder), md5=md5)
            except (OSError, RuntimeError) as error:
                failures.append(f"{mirror}: {error}")
    finally:
        socket.setdefaulttimeout(timeout)
    raise InputError(
        f"{name} in {folder} or on the network",
        f"neither ({', '.join(failures)})",
        "go online, or name a folder that holds MNIST with --data-dir or SACCADE_DATA",
    )


def _read(folder: Path, split: str) -> Images:
    paths = [_find(folder, f"{FILES[split]}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")]
    images_path, labels_path = (path or folder for path in paths)
    images, labels = read_idx(images_path, axes=3), read_idx(labels_path, axes=1)
    again = "delete the file and fetch it again"
    if images.shape[1:] != (SIDE, SIDE) or len(images) == 0:
        raise InputError(f"images of {SIDE}x{SIDE} in {images_path}", f"shape {images.shape}", again)
    if len(labels) != len(images):
        raise InputError(f"{len(images)} labels in {labels_path}", str(len(labels)), again)
    if labels.max() > 9:
        raise InputError(f"labels 0 to 9 in {labels_path}", str(labels.max()), again)
    return Images(torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64)))
