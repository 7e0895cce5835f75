"""Collections of drawings by name: what `--dataset` means, and how each is split."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saccade.errors import InputError
from saccade.pipeline.data.seeded_random import permutation
from saccade.sketch.config import SketchData
from saccade.sketch.npz import read_npz
from saccade.sketch.strokes import Moves, check_moves, framed, to_moves
from saccade.sketch.unipen import read_unipen

PENDIGITS = ("pendigits-orig.tra", "pendigits-orig.tes")
HELD_OUT = 10
"""One drawing in so many is a test drawing, where the files name none."""


class Drawings(NamedTuple):
    """Drawings as moves, and the index of each one's class."""

    moves: list[Moves]
    labels: list[int]


class Collection(NamedTuple):
    """The splits of a set of drawings."""

    train: Drawings
    validation: Drawings
    test: Drawings
    classes: tuple[str, ...]


def load_collection(data: SketchData, seed: int) -> Collection:
    """Load the drawings that `data` names; validation drawings that files do not bring are chosen by the seed.

    Raises:
        InputError: missing or damaged files, drawings that are none, or more validation than training drawings.
    """
    kind, _, names = data.dataset.partition(":")
    files = [_resolve(name, data.data_dir) for name in names.split(",")] if names else []
    if kind == "npz":
        return _npz(files)
    if kind == "ndjson":
        from saccade.sketch.ndjson import load_ndjson

        train, test, classes = load_ndjson(files, data.simplify)
    elif kind == "digits":
        from saccade.sketch.skeletons import load_skeletons

        train, test, classes = load_skeletons(data.simplify)
    else:
        train, test, classes = _unipen(files or _pendigits(data.data_dir), data.simplify)
    return Collection(*_hold_out(train, data.validation, seed), test, classes)


def split_apart(drawings: Drawings) -> tuple[Drawings, Drawings]:
    """Split drawings whose files name no test set; the same in every run. Return training and test drawings."""
    order = permutation(0, "sketch: test split", 0, len(drawings.moves)).tolist()
    count = max(1, len(order) // HELD_OUT)
    return _chosen(drawings, sorted(order[count:])), _chosen(drawings, sorted(order[:count]))


def _hold_out(train: Drawings, count: int, seed: int) -> tuple[Drawings, Drawings]:
    if count >= len(train.moves):
        found = f"--validation {count}"
        raise InputError(f"fewer than the {len(train.moves)} training drawings", found, "lower it")
    order = permutation(seed, "sketch: validation split", 0, len(train.moves)).tolist()
    return _chosen(train, sorted(order[count:])), _chosen(train, sorted(order[:count]))


def _chosen(drawings: Drawings, indices: Sequence[int]) -> Drawings:
    return Drawings([drawings.moves[i] for i in indices], [drawings.labels[i] for i in indices])


def _resolve(name: str, data_dir: str | None) -> Path:
    path = Path(os.path.expanduser(name.strip()))
    return path if data_dir is None or path.is_absolute() else Path(os.path.expanduser(data_dir)) / path


def _npz(files: Sequence[Path]) -> Collection:
    """Return the drawings of sketch-rnn .npz files, a class for each file."""
    splits: dict[str, Drawings] = {name: Drawings([], []) for name in ("train", "valid", "test")}
    for label, path in enumerate(files):
        for name, arrays in read_npz(path).items():
            splits[name].moves.extend(
                check_moves(array, f"drawing {index} of {name} in {path}") for index, array in enumerate(arrays)
            )
            splits[name].labels.extend([label] * len(arrays))
    for name in ("train", "test"):
        if not splits[name].moves:
            raise InputError(f"drawings in {name}", f"none in {', '.join(map(str, files))}", "give another file")
    return Collection(splits["train"], splits["valid"], splits["test"], _names(files))


def _names(files: Sequence[Path]) -> tuple[str, ...]:
    names = tuple(path.name.partition(".")[0] for path in files)
    if len(set(names)) < len(names):
        raise InputError("files of different names, a class for each", ", ".join(names), "rename one")
    return names


def _pendigits(data_dir: str | None) -> list[Path]:
    """Return the two files of the UCI archive's pendigits, plain or .gz."""
    given = data_dir or os.environ.get("SACCADE_DATA")
    do = "get them from the UCI archive, and name their folder with --data-dir or SACCADE_DATA"
    if given is None:
        raise InputError(f"{' and '.join(PENDIGITS)}", "no folder named", do)
    root = Path(os.path.expanduser(given))
    for folder in (root / "pendigits", root):
        found = [next((f for f in (folder / n, folder / f"{n}.gz") if f.is_file()), None) for n in PENDIGITS]
        files = [file for file in found if file is not None]
        if len(files) == 2:
            return files
    raise InputError(f"{' and '.join(PENDIGITS)} in {root} or {root / 'pendigits'}", "not both", do)


def _unipen(files: Sequence[Path], tolerance: float) -> tuple[Drawings, Drawings, tuple[str, ...]]:
    """Return the training and test drawings of two UNIPEN files, and the labels of their segments as classes."""
    if len(files) != 2:
        raise InputError("two UNIPEN files, unipen:TRAIN,TEST", f"{len(files)}", "name both, with a comma between")
    segments = [read_unipen(path) for path in files]
    classes = tuple(sorted({segment.label for part in segments for segment in part}))
    parts: list[Drawings] = []
    for path, part in zip(files, segments, strict=True):
        moves = []
        for index, segment in enumerate(part):
            where = f"segment {index} of {path}"
            strokes = framed(segment.strokes, tolerance, where)
            moves.append(check_moves(to_moves(strokes), where))
        parts.append(Drawings(moves, [classes.index(segment.label) for segment in part]))
    return parts[0], parts[1], classes


def lengths_of(drawings: Drawings) -> np.ndarray:
    """Return the moves of each drawing, int64 [N]."""
    return np.array([len(moves) for moves in drawings.moves], np.int64)
