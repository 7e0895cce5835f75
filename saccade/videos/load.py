"""Video data by name: moving digits, GRID, skeletons, and the canonical Moving MNIST."""

import os
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.data.seeded_random import permutation
from saccade.videos import augment
from saccade.videos.archives import read_array
from saccade.videos.config import VideoData, VideoFacts
from saccade.videos.grid import SILENCE, SentenceSource, load_sentences, load_words
from saccade.videos.joints import JOINTS, load_joints
from saccade.videos.moving import SIDE, BouncingSource
from saccade.videos.recordings import Augment, Clips, RecordingSource, Timing, select
from saccade.videos.turning import TurningSource

Task = Literal["clip", "frames", "next"]
Source = RecordingSource[VideoFacts] | TurningSource | BouncingSource

TASKS: dict[str, tuple[Task, ...]] = {
    "moving": ("clip", "frames", "next"),
    "grid": ("clip", "frames"),
    "joints": ("clip",),
    "npy": ("next",),
}
"""Tasks for which each kind of data has targets."""

WORDS_PER_SENTENCE = 6
TRIM = 0.1
"""Augmentation of skeletons: most that is cut off each end, as a fraction of the clip."""


def load_videos(data: VideoData, task: Task, seed: int) -> Source:
    """Load the data of a run.

    Raises:
        InputError: data that have no targets for the task; missing, damaged or unfit files.
    """
    kind, _, name = data.dataset.partition(":")
    if task not in TASKS[kind]:
        fitting = ", ".join(known for known, tasks in TASKS.items() if task in tasks)
        raise InputError(f"data for the task {task}: {fitting}", data.dataset, "change --task or --dataset")
    if kind == "grid":
        return _grid(data, located(name, data.data_dir), task, seed)
    if kind == "joints":
        return _joints(data, located(name, data.data_dir), seed)
    if task == "next":
        canonical = _canonical(data, located(name, data.data_dir)) if kind == "npy" else None
        return BouncingSource(data, seed, canonical)
    return TurningSource(data, seed, sentences=task == "frames")


def located(name: str, data_dir: str | None) -> Path:
    """Return the path of a data file: as it is given, or in `data_dir`, or in the folder that SACCADE_DATA names."""
    given = Path(os.path.expanduser(name))
    folders = [folder for folder in (data_dir, os.environ.get("SACCADE_DATA")) if folder]
    places = [given, *(Path(os.path.expanduser(folder)) / given for folder in folders)]
    return next((place for place in places if place.exists()), given)


def _grid(data: VideoData, path: Path, task: Task, seed: int) -> RecordingSource[VideoFacts]:
    marked = data.mark and task == "clip"
    grid = load_words(path, data.context, marked) if task == "clip" else load_sentences(path)
    height, width = grid.train.frames.shape[2:]
    silent = 0 if task == "clip" else len(SILENCE)
    facts = VideoFacts(task, "pictures", 1, height, width, grid.classes, silent, marked=marked)
    each = WORDS_PER_SENTENCE if task == "clip" else 1
    sentences = len(grid.train.labels) // each
    held = _held_out(data.validation, sentences, "sentences", seed)
    mine = held.repeat_interleave(each)
    validation, train = (select(grid.train, chosen.nonzero()[:, 0]) for chosen in (mine, ~mine))
    timing = Timing(data.jitter if task == "clip" or data.parts else 0, data.speed) if data.augment else None
    parts, change = {"parts": data.parts, "margin": data.context}, _change_pictures(data)
    return SentenceSource(train, {"validation": validation, "test": grid.test}, facts, seed, timing, change, **parts)


def _change_pictures(data: VideoData) -> Augment | None:
    if not data.augment:
        return None
    return lambda clips, seed, step: augment.pictures(
        clips, seed, step, mirror=True, shift=data.shift, contrast=data.contrast
    )


def _change_skeletons(data: VideoData) -> Augment:
    def change(clips: Clips, seed: int, step: int) -> Clips:
        clips = augment.skeletons(clips, seed, step, turn=data.turn, stretch=data.stretch)
        return augment.mixed(clips, seed, step, strength=data.mixup) if data.mixup else clips

    return change


def _joints(data: VideoData, path: Path, seed: int) -> RecordingSource[VideoFacts]:
    found = load_joints(path, data.same_size)
    people = found.subjects.unique()
    held = _held_out(data.validation, len(people), "subjects", seed)
    mine = torch.isin(found.subjects, people[held])
    validation, train = (select(found.train, chosen.nonzero()[:, 0]) for chosen in (mine, ~mine))
    facts = VideoFacts("clip", "joints", JOINTS, 1, 3, found.classes)
    timing = Timing(0, data.speed, TRIM, data.frames) if data.augment else Timing(frames=data.frames)
    change = _change_skeletons(data) if data.augment else None
    source = RecordingSource(train, {"validation": validation, "test": found.test}, facts, seed, timing, change)
    source.remarks = found.left_out
    return source


def _held_out(number: int, of: int, what: str, seed: int) -> Tensor:
    """Choose `number` of `of` recordings to validate on, by the seed: bool [of]."""
    if number >= of:
        raise InputError(f"0 to {of - 1} validation {what} of {of}", str(number), "change --validation")
    held = torch.zeros(of, dtype=torch.bool)
    held[permutation(seed, "validation split", 0, of)[:number]] = True
    return held


def _canonical(data: VideoData, path: Path) -> Tensor:
    """Read Moving MNIST as it is distributed: uint8 [T, N, 64, 64]."""
    array = read_array(path, "Moving MNIST")
    frames = data.given + data.predicted
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[2:] != (SIDE, SIDE) or array.shape[1] == 0:
        found = f"{array.dtype} {list(array.shape)}"
        raise InputError(f"uint8 [frames, sequences, {SIDE}, {SIDE}] in {path}", found, "give mnist_test_seq.npy")
    if len(array) < frames:
        raise InputError(f"{frames} frames in {path}", str(len(array)), "lower --predicted or --given")
    return torch.from_numpy(np.ascontiguousarray(array[:frames, : data.held_out].transpose(1, 0, 2, 3)))
