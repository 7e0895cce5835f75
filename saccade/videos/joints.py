"""MSR-Action3D (Li et al. 2010): people acting in front of a depth camera, as the 3-D places of 20 joints.

The file holds `X` [F, 60] (20 joints of x, y, z in metres, all frames of all clips), `lengths` (frames), `action` and
`subject` [N], both from 1. The published cross-subject split trains on the odd subjects and tests on the even ones.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.videos.archives import read_arrays
from saccade.videos.recordings import Recordings, select

JOINTS = 20
ROOT = 3
"""Joint to which places are relative: the lower spine."""

BONES = (
    (3, 6), (3, 2), (2, 19), (2, 0), (2, 1), (0, 7), (7, 9), (9, 11), (1, 8), (8, 10), (10, 12),
    (6, 4), (6, 5), (4, 13), (13, 15), (15, 17), (5, 14), (14, 16), (16, 18),
)  # fmt: skip
"""Pairs of joints, the one nearer to the root first; every joint but the root ends one bone."""

PARABOLA = (-3 / 35, 12 / 35, 17 / 35, 12 / 35, -3 / 35)
"""Weights of five frames: the value, at the middle one, of the parabola that fits them best."""

TINY = 1e-6
"""Least sum of bones that is divided by, in metres."""

BODY = 4.0
"""Sum of the lengths of all bones, in metres, of bodies that are given one size."""

LONGEST = 500
"""Most frames of a clip; a longer one is left out."""

ACTIONS = (
    "high arm wave", "horizontal arm wave", "hammer", "hand catch", "forward punch", "high throw", "draw x",
    "draw tick", "draw circle", "hand clap", "two hand wave", "side boxing", "bend", "forward kick", "side kick",
    "jogging", "tennis swing", "tennis serve", "golf swing", "pickup throw",
)  # fmt: skip


class Joints(NamedTuple):
    """Training clips, their subjects, test clips, the classes' names, and the clips that were left out."""

    train: Recordings
    subjects: Tensor
    """Of the training clips, int64 [N]."""
    test: Recordings
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    """The reason for each clip that was left out, in words."""


def load_joints(path: Path, same_size: bool = False) -> Joints:
    """Load the clips: odd subjects to train, even ones to test.

    Clips without any measurement, and longer than 500 frames, are left out. Frames without a measurement (all zeros)
    are dropped from a clip that has others. The joints' paths are smoothed. With `same_size` all bodies get one size.

    Raises:
        InputError: no such file, another layout, or numbers that are not finite.
    """
    arrays = read_arrays(path, ("X", "lengths", "action", "subject"), "MSR-Action3D")
    lengths, action, subject = (arrays[key].astype(np.int64) for key in ("lengths", "action", "subject"))
    places = arrays["X"].astype(np.float32)
    _check(places, lengths, action, subject, path)
    frames: list[Tensor] = []
    kept: list[int] = []
    left_out: list[str] = []
    for number, clip in enumerate(np.split(places, np.cumsum(lengths)[:-1])):
        measured = clip[clip.any(axis=1)]
        if len(measured) == 0 or len(clip) > LONGEST:
            why = "all its frames are zeros" if len(measured) == 0 else f"{len(clip)} frames, more than {LONGEST}"
            left_out.append(f"clip {number}: {why}")
            continue
        kept.append(number)
        joints = smoothed(torch.from_numpy(measured).view(-1, JOINTS, 3))
        frames.append(sized(joints) if same_size else joints)
    ends = torch.tensor([len(clip) for clip in frames]).cumsum(0)
    spans = torch.stack([torch.cat([ends.new_zeros(1), ends[:-1]]), ends], dim=1)
    whole = Recordings(torch.cat(frames), spans, torch.from_numpy(action)[kept] - 1, spans)
    people = torch.from_numpy(subject)[kept]
    odd = people % 2 == 1
    classes = ACTIONS if action.max() <= len(ACTIONS) else tuple(str(n) for n in range(1, int(action.max()) + 1))
    train, test = (select(whole, mask.nonzero()[:, 0]) for mask in (odd, ~odd))
    if min(len(train.labels), len(test.labels)) == 0:
        raise InputError(f"odd and even subjects in {path}", "only one kind", "give clips of both")
    return Joints(train, people[odd], test, classes, tuple(left_out))


def smoothed(joints: Tensor) -> Tensor:
    """Smooth the paths of joints [T, J, 3] over five frames by a parabola (Savitzky & Golay 1964; Du et al. 2015).

    The ends are continued by their last frames.
    """
    padded = torch.cat([joints[:1], joints[:1], joints, joints[-1:], joints[-1:]])
    return sum((weight * padded[k : k + len(joints)] for k, weight in enumerate(PARABOLA)), torch.zeros_like(joints))


def sized(joints: Tensor) -> Tensor:
    """Scale a clip of joints [T, J, 3] so that the mean lengths of its bones sum to `BODY`."""
    starts, ends = (joints[:, [bone[end] for bone in BONES]] for end in (0, 1))
    return joints * (BODY / (ends - starts).norm(dim=2).mean(0).sum().clamp(min=TINY))


def _check(places: np.ndarray, lengths: np.ndarray, action: np.ndarray, subject: np.ndarray, path: Path) -> None:
    """Check the arrays' shapes and values."""
    do = "give a file in the layout of docs/systems/video.md"
    if places.ndim != 2 or places.shape[1] != 3 * JOINTS:
        raise InputError(f"X [frames, {3 * JOINTS}] in {path}", str(list(places.shape)), do)
    if not (lengths.ndim == 1 and len(lengths) == len(action) == len(subject) > 0):
        found = f"{len(lengths)}, {len(action)}, {len(subject)}"
        raise InputError(f"a length, an action and a subject for every clip in {path}", found, do)
    if lengths.min() < 1 or lengths.sum() != len(places):
        found = f"{lengths.sum()}" if lengths.min() >= 1 else "a length below 1"
        raise InputError(f"lengths that sum up to the {len(places)} frames of {path}", found, "correct lengths")
    if action.min() < 1 or action.max() > 1000:
        raise InputError(f"actions from 1 in {path}", str(int(action.min())), "correct action")
    if not np.isfinite(places).all():
        frame = int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])
        raise InputError(f"finite joints in {path}", f"NaN or infinity in frame {frame}", "leave that clip out")
