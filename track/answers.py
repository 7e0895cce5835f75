"""Results of a tracking for a user: the answers as a table, and which frames are lost."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline.checkpoint.atomic_files import write_whole
from saccade.pipeline.outputs import MARK
from saccade.track.follower import Answer, Picture

HEADINGS = ("frame", "x", "y", "width", "height", "confidence")


def part(frames: Iterable[Picture], first: int, last: int | None) -> Iterator[Picture]:
    """Yield frames `first` to `last`, counted from 1.

    Raises:
        InputError: `last` is not after `first`, or the video ends before `last`.
    """
    if last is not None and last <= first:
        raise InputError("a last frame after the first", f"--first {first} --last {last}", "change one of them")
    number = first - 1
    for number, frame in enumerate(islice(frames, first - 1, last), first):  # noqa: B007
        yield frame
    if number < (last or first):
        found = f"a video of {number} frames" if number >= first else "a shorter video"
        raise InputError(f"frames {first} to {last or 'the end'}", found, "choose other frames")


def write(found: Sequence[Answer], path: Path, first: int) -> Path:
    """Write a line for every frame: its number and the answer, in pixels; below a line with Saccade's mark."""
    text = io.StringIO()
    text.write(f"# {MARK.decode()}\n")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADINGS)
    for number, answer in enumerate(found, first):
        table.writerow([number, *(f"{value:.2f}" for value in answer.box), f"{answer.confidence:.4f}"])
    write_whole(path, text.getvalue().encode())
    return path


def summary(found: Sequence[Answer], first: int) -> Record:
    """Return the number of frames, the last box, and the spans of frames in which the target is lost."""
    lost: list[list[int]] = []
    for number, answer in enumerate(found, first):
        if answer.lost and lost and lost[-1][1] == number - 1:
            lost[-1][1] = number
        elif answer.lost:
            lost.append([number, number])
    return {
        "frames": len(found),
        "last_box": [round(value, 1) for value in found[-1].box],
        "mean_confidence": round(sum(answer.confidence for answer in found) / len(found), 3),
        "lost_in_frames": [f"{start} to {end}" if end > start else str(start) for start, end in lost],
    }
