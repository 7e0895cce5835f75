"""GRID: a talking face (Cooke et al. 2006), as cropped mouths in one .npz file; its words, or its whole sentences.

The file holds `frames` uint8 [N, 75, H, W], `frame_word` [N, 75] (indices into `vocab`), and `words`, `start`, `end`
[N, 6]: the six words of each sentence with their first frame and the frame after their last.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.errors import InputError
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import permutation
from saccade.videos.archives import read_arrays
from saccade.videos.config import VideoFacts
from saccade.videos.recordings import UNKNOWN, Augment, Recordings, RecordingSource, Timing, select

SILENCE = ("sil", "sp")
"""Entries of the vocabulary that are no words: silence, and a short pause."""

TEST = 120
"""Sentences held out for the test, chosen by a fixed seed: the same in every run and for words and sentences alike."""

WORDS_IN_PARTS = (1, 2, 3)
"""Words of the parts of sentences with which training may begin."""

KEYS = ("frames", "frame_word", "vocab", "words", "start", "end")


class Grid(NamedTuple):
    """Training clips, test clips, and the names of the classes."""

    train: Recordings
    test: Recordings
    classes: tuple[str, ...]


def load_words(path: Path, context: int, mark: bool = False) -> Grid:
    """Load GRID's single words, cut out by their given boundaries and `context` frames on both sides.

    With `mark` the word's own frames are marked, and every frame has a label, the word that is said at it.

    A word without a frame of its own (its start is its end) gets the frame at its start.

    Raises:
        InputError: no such file, or not in this layout.
    """
    arrays = _read(path)
    clips, frames, height, width = arrays["frames"].shape
    words = tuple(sorted({str(word) for word in arrays["vocab"]} - set(SILENCE)))
    starts, ends = (torch.from_numpy(arrays[key].astype(np.int64)) for key in ("start", "end"))
    ends = torch.maximum(ends, starts + 1)
    offsets = torch.arange(clips)[:, None] * frames
    limits = torch.stack([offsets, offsets + frames], dim=2).expand(-1, starts.shape[1], 2)
    spans = (
        torch.stack([(starts - context).clamp(min=0), (ends + context).clamp(max=frames)], dim=2) + offsets[..., None]
    )
    labels = _numbers(arrays["words"], words, path)
    pixels = torch.from_numpy(arrays["frames"]).view(clips * frames, 1, height, width)
    whole = Recordings(pixels, spans.flatten(0, 1), labels.flatten(), limits.flatten(0, 1))
    if mark:
        vocab = np.asarray([str(word) for word in arrays["vocab"]])
        said = _numbers(vocab[arrays["frame_word"].astype(np.int64)], (*words, *SILENCE), path).flatten()
        own = torch.stack([starts, ends], dim=2) + offsets[..., None]
        whole = whole._replace(step_labels=said.masked_fill(said >= len(words), UNKNOWN), own=own.flatten(0, 1))
    each = torch.arange(clips * starts.shape[1]).view(clips, -1)
    train, test = split(clips)
    return Grid(select(whole, each[train].flatten()), select(whole, each[test].flatten()), words)


def load_sentences(path: Path) -> Grid:
    """Load GRID's whole sentences: a class for each frame, silence included, and the words in their order.

    The classes begin with the words, so that a word has the same number in a sentence; silence comes last.

    Raises:
        InputError: no such file, or not in this layout.
    """
    arrays = _read(path)
    clips, frames, height, width = arrays["frames"].shape
    classes = (*sorted({str(word) for word in arrays["vocab"]} - set(SILENCE)), *SILENCE)
    vocab = np.asarray([str(word) for word in arrays["vocab"]])
    steps = _numbers(vocab[arrays["frame_word"].astype(np.int64)], classes, path)
    ends = (torch.arange(clips + 1) * frames)[:, None]
    spans = torch.cat([ends[:-1], ends[1:]], dim=1)
    pixels = torch.from_numpy(arrays["frames"]).view(clips * frames, 1, height, width)
    none = torch.full((clips,), -1)
    words = _numbers(arrays["words"], classes, path)
    inner = torch.stack([torch.from_numpy(arrays[key].astype(np.int64)) for key in ("start", "end")], dim=2)
    whole = Recordings(pixels, spans, none, spans, steps.flatten(), words, inner + spans[:, :1, None])
    train, test = split(clips)
    return Grid(select(whole, train), select(whole, test), classes)


class SentenceSource(RecordingSource[VideoFacts]):
    """Sentences to train on: for `parts` epochs their parts, then the whole.

    The first epochs are divided among single words, pairs and triples, each with `margin` frames on either side; every
    word is in one part (Assael et al. 2016, section 4.2, add single words to the sentences).
    """

    def __init__(
        self,
        train: Recordings,
        held: dict[Split, Recordings],
        facts: VideoFacts,
        seed: int,
        timing: Timing | None,
        augment: Augment | None,
        *,
        parts: int,
        margin: int,
    ) -> None:
        super().__init__(train, held, facts, seed, timing, augment)
        self._parts, self._margin = parts, margin

    def _clips(self, chosen: Tensor, epoch: int) -> Recordings:
        whole = super()._clips(chosen, epoch)
        if epoch >= self._parts or whole.word_spans is None:
            return whole
        return parted(whole, WORDS_IN_PARTS[epoch * len(WORDS_IN_PARTS) // self._parts], self._margin)


def parted(sentences: Recordings, words: int, margin: int) -> Recordings:
    """Return all parts of `words` words, with `margin` frames on either side; a remainder is the last part."""
    assert sentences.words is not None and sentences.word_spans is not None
    parts = []
    for first in range(0, sentences.words.shape[1], words):
        named, spans = sentences.words[:, first : first + words], sentences.word_spans[:, first : first + words]
        named = F.pad(named, (0, words - named.shape[1]), value=UNKNOWN)
        low, high = sentences.limits.unbind(1)
        start = torch.maximum(spans[:, 0, 0] - margin, low)
        end = torch.minimum(torch.maximum(spans[:, -1, 1], spans[:, 0, 0] + 1) + margin, high)
        spans = torch.stack([start, end], dim=1)
        parts.append((spans, sentences.labels, sentences.limits, named))
    spans, labels, limits, named = (torch.cat(leaves) for leaves in zip(*parts, strict=True))
    return sentences._replace(spans=spans, labels=labels, limits=limits, words=named, word_spans=None)


def split(clips: int) -> tuple[Tensor, Tensor]:
    """Return the sentences to train on and those to test on, by a fixed seed; at least one of each."""
    order = permutation(0, "grid: test sentences", 0, clips)
    held = min(TEST, max(1, clips // 5))
    return order[held:].sort().values, order[:held].sort().values


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays = read_arrays(path, KEYS, "GRID")
    frames, words = arrays["frames"], arrays["words"]
    shapes = {
        "frames": frames.dtype == np.uint8 and frames.ndim == 4 and min(frames.shape) > 0,
        "frame_word": arrays["frame_word"].shape == frames.shape[:2],
        "words": words.ndim == 2 and len(words) == len(frames),
        "start": arrays["start"].shape == words.shape,
        "end": arrays["end"].shape == words.shape,
    }
    for key, fits in shapes.items():
        if not fits:
            found = f"{arrays[key].dtype} {list(arrays[key].shape)}"
            do = "give a file in the layout of docs/systems/video.md"
            raise InputError(f"{key} that fits frames uint8 [N, T, H, W] in {path}", found, do)
    if len(frames) < 2:
        raise InputError(f"at least 2 clips in {path}", "1", "give more")
    _check_times(arrays, path)
    return arrays


def _check_times(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Check that the words lie inside their clip and that frame labels are in the vocabulary."""
    frames, vocab = arrays["frames"].shape[1], len(arrays["vocab"])
    start, end = arrays["start"].astype(np.int64), arrays["end"].astype(np.int64)
    if (start < 0).any() or (end < start).any() or (end > frames).any() or (start >= frames).any():
        raise InputError(f"words inside the {frames} frames of their clip in {path}", "others", "correct start and end")
    labels = arrays["frame_word"].astype(np.int64)
    if labels.min() < 0 or labels.max() >= vocab:
        raise InputError(f"frame labels 0 to {vocab - 1} in {path}", str(labels.max()), "correct frame_word")
    if bad := np.flatnonzero(~arrays["frames"].any(axis=(1, 2, 3))).tolist():
        raise InputError(f"clips with a picture in {path}", f"an all-zero clip, number {bad[0]}", "leave it out")


def _numbers(names: np.ndarray, classes: tuple[str, ...], path: Path) -> Tensor:
    """Return the classes' numbers for an array of names."""
    known = {name: number for number, name in enumerate(classes)}
    flat = [str(name) for name in names.ravel()]
    if strange := next((name for name in flat if name not in known), None):
        raise InputError(f"words of the vocabulary in {path}", repr(strange), "add it to vocab")
    return torch.tensor([known[name] for name in flat]).view(names.shape)
