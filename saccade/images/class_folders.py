"""A dataset from a user's own folder: a sub-folder of pictures for each class."""

import os
from pathlib import Path

import numpy as np
import torch

from saccade.errors import InputError, shown
from saccade.images.picture_files import Images, decode, is_grey, open_image
from saccade.pipeline.data.seeded_random import permutation

TEST_SHARE = 0.2
"""Fraction of each class that is held out for testing."""
LIMIT = 2**33
"""Most bytes of a dataset's pixels, which are all kept in memory: 8 GiB."""

Files = list[list[Path]]


def load_folder(path: str) -> tuple[Images, Images, tuple[str, ...]]:
    """Load training and test pictures, and the names of the classes: the sorted names of PATH's sub-folders.

    With PATH/train and PATH/test, each with a folder per class, those are the two sets; without, a fifth of each class,
    selected by a fixed seed, is for testing. All pictures have one size; they are grey (C = 1) if every file is,
    else RGB (C = 3). Names that start with a dot are ignored, and so are files next to the folders.

    Raises:
        InputError: fewer than two classes, a class with too few pictures, mixed sizes, a file that is no picture.
    """
    root = Path(os.path.expanduser(path))
    if not root.is_dir():
        raise InputError(f"a folder at {root}", "a file" if root.exists() else "nothing", "name a folder per class")
    if (root / "train").is_dir() and (root / "test").is_dir():
        train, test = _classes(root / "train"), _classes(root / "test")
        if train.keys() != test.keys():
            differ = ", ".join(sorted(train.keys() ^ test.keys()))
            raise InputError(f"the same classes in {root}/train and {root}/test", f"{differ} in one only", "add them")
        sets = list(train.values()), list(test.values())
    else:
        train = _classes(root)
        sets = _split(list(train.values()))
    channels, height, width = _common([file for files in (*sets[0], *sets[1]) for file in files])
    return _read(sets[0], channels, height, width), _read(sets[1], channels, height, width), tuple(train)


def _classes(root: Path) -> dict[str, list[Path]]:
    """Return the files of each class by its name, both sorted."""
    folders = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    if len(folders) < 2:
        found = f"only {folders[0].name}" if folders else "no folders"
        raise InputError(f"at least two folders of pictures, one per class, in {root}", found, "add a folder per class")
    classes = {}
    for folder in folders:
        if not folder.name.isprintable():
            raise InputError(f"printable names of the folders in {root}", shown(folder.name), "rename it")
        classes[folder.name] = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
        if not classes[folder.name]:
            raise InputError(f"pictures in {folder}", "an empty folder", "add some or delete the folder")
    return classes


def _split(classes: Files) -> tuple[Files, Files]:
    """Split the files of each class into training and test files."""
    train, test = [], []
    for label, files in enumerate(classes):
        if len(files) < 2:
            raise InputError(
                f"at least two pictures in {files[0].parent}", "one", "add one: one of them is for testing"
            )
        order = permutation(0, f"test split of class {label}", 0, len(files)).tolist()
        held = set(order[: max(1, round(TEST_SHARE * len(files)))])
        train.append([file for index, file in enumerate(files) if index not in held])
        test.append([file for index, file in enumerate(files) if index in held])
    return train, test


def _common(files: list[Path]) -> tuple[int, int, int]:
    """Return the channels, height and width of all these pictures, from their headers."""
    first, grey = None, True
    for file in files:
        with open_image(file) as image:
            size, grey = image.size, grey and is_grey(image)
        first = first or size
        if size != first:
            expected = f"pictures of one size ({first[0]}x{first[1]}, as in {files[0]})"
            raise InputError(expected, f"{size[0]}x{size[1]} in {file}", "bring all to one size")
    assert first is not None
    channels, (width, height) = 1 if grey else 3, first
    if len(files) * channels * height * width > LIMIT:
        found = f"{len(files)} of {width}x{height} in {files[0].parent.parent}"
        raise InputError(f"pictures that fill at most {LIMIT >> 30} GiB together", found, "make them smaller")
    return channels, height, width


def _read(classes: Files, channels: int, height: int, width: int) -> Images:
    """Read all pictures of all classes."""
    labels = [label for label, files in enumerate(classes) for _ in files]
    pixels = np.empty((len(labels), height, width, channels), np.uint8)
    for row, file in enumerate(file for files in classes for file in files):
        with open_image(file) as image:
            picture = decode(image, file, "L" if channels == 1 else "RGB")
        if picture.shape[:2] != (height, width):  # a rotated photograph
            found = f"{picture.shape[1]}x{picture.shape[0]}, turned upright, in {file}"
            raise InputError(f"pictures of one size ({width}x{height})", found, "bring all to one size")
        pixels[row] = picture.reshape(height, width, channels)
    return Images(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels))
