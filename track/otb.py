"""Sequences of the OTB tracking benchmark (Wu, Lim & Yang 2013): img/*.jpg and groundtruth_rect.txt."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.track.curves import Boxes
from saccade.videos.files import read_frames

TRUTH = "groundtruth_rect.txt"
LARGEST = 16 << 20
"""Most bytes of a file of boxes."""


class Sequence(NamedTuple):
    """A sequence with the true box in every frame."""

    name: str
    folder: Path
    truth: Boxes
    """Left, top, width, height in pixels, from 0 [T, 4]."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames [H, W, 3].

        Raises:
            InputError: a damaged picture, frames of different sizes, or not as many frames as boxes.
        """
        number = 0
        for number, frame in enumerate(read_frames(self.folder / "img"), 1):
            if number > len(self.truth):
                break
            yield frame
        if number != len(self.truth):
            found = f"{len(self.truth)} boxes and {'more' if number > len(self.truth) else number} frames"
            raise InputError(f"a frame in {self.folder}/img for every box", found, "use a whole sequence")


def open_sequence(folder: Path) -> Sequence:
    """Open the sequence in a folder.

    Raises:
        InputError: no such folder, no `groundtruth_rect.txt`, or one without a box of four numbers on every line.
    """
    do = f"give a folder with img/*.jpg and {TRUTH}"
    file = folder / TRUTH
    if not (folder / "img").is_dir():
        raise InputError(
            f"a sequence of OTB in {folder}", "no folder img in it" if folder.is_dir() else "no folder", do
        )
    if not file.is_file():
        raise InputError(f"the true boxes in {file}", "no such file", do)
    if file.stat().st_size > LARGEST:
        raise InputError(f"at most {LARGEST:,} bytes in {file}", f"{file.stat().st_size:,}", do)
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    boxes = [_box(line, file, number) for number, line in enumerate(lines, 1) if line.strip()]
    if len(boxes) < 2:
        raise InputError(f"two boxes or more in {file}", str(len(boxes)), do)
    truth = np.array(boxes, np.float64)
    truth[:, :2] -= 1  # the benchmark counts pixels from 1
    return Sequence(folder.resolve().name, folder, truth)


def _box(line: str, file: Path, number: int) -> list[float]:
    """Read four numbers, separated by commas, tabs or blanks.

    Raises:
        InputError: anything else.
    """
    try:
        box = [float(word) for word in re.split(r"[,\s]+", line.strip())]
    except ValueError:
        box = []
    if len(box) != 4 or not np.isfinite(box).all() or min(box[2:]) <= 0:
        expected = f"left, top, width and height, above 0, on line {number} of {file}"
        raise InputError(expected, repr(line[:60]), "use the benchmark's file, or write one such line for every frame")
    return box
