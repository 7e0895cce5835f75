"""Recorded clips: one tensor of all frames, a span of it for each clip, and batches by (seed, step)."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers, permutation
from saccade.pipeline.systems import Facts

FactsT = TypeVar("FactsT", bound=Facts)

UNKNOWN = -1
"""Label of a clip whose class is not known, and of a frame that is padding."""

FINE = 1 << 20
"""Steps of a random fraction."""


class Clips(NamedTuple):
    """A padded batch of clips."""

    frames: Tensor
    """uint8 [B, T, C, H, W] pictures, or float32 [B, T, J, 3] joints in metres; 0 in the padding."""
    lengths: Tensor
    """Frames of each clip, int64 [B]."""
    labels: Tensor
    """Class of each clip, int64 [B]; `UNKNOWN` if it is not known."""
    step_labels: Tensor | None = None
    """Class of each frame, int64 [B, T]; `UNKNOWN` in the padding."""
    words: Tensor | None = None
    """Sentence of each clip, int64 [B, S]; `UNKNOWN` after its end."""
    own: Tensor | None = None
    """The frames of a clip that are marked as its own, among frames around them, bool [B, T]."""
    others: Tensor | None = None
    """Class of the clip that was mixed into each clip, int64 [B]."""
    shares: Tensor | None = None
    """Part of each clip that is the other's, float32 [B]."""


class Recordings(NamedTuple):
    """Clips as spans of one tensor of frames. Spans may overlap: a word is a part of its sentence."""

    frames: Tensor
    """uint8 [F, C, H, W] or float32 [F, J, 3]."""
    spans: Tensor
    """First frame of each clip, and the one after its last, int64 [N, 2]."""
    labels: Tensor
    """int64 [N]."""
    limits: Tensor
    """Frames that a jittered span must not leave: those of its own recording, int64 [N, 2]."""
    step_labels: Tensor | None = None
    """int64 [F]."""
    words: Tensor | None = None
    """int64 [N, S]."""
    word_spans: Tensor | None = None
    """First frame of each word, and the one after its last, int64 [N, S, 2]."""
    own: Tensor | None = None
    """Inside a span, the first frame that is marked as the clip's own, and the one after its last, int64 [N, 2]."""


class Timing(NamedTuple):
    """Random changes of a clip's time in training."""

    jitter: int = 0
    """Most frames by which a clip's ends move, each on its own."""
    speed: float = 0.0
    """Most change of its speed: 0.2 plays it by up to 20% faster or slower."""
    trim: float = 0.0
    """Most that is cut off each end, as a fraction of the clip."""
    frames: int = 0
    """Frames to which every clip is resampled, held-out ones too; 0 leaves their number."""


Augment = Callable[[Clips, int, int], Clips]
"""From a batch, a seed and a step to the changed batch."""


def select(recordings: Recordings, chosen: Tensor) -> Recordings:
    """Return some of the clips; all frames stay."""
    pick = lambda leaf: None if leaf is None else leaf[chosen]  # noqa: E731
    spans, labels, limits = recordings.spans[chosen], recordings.labels[chosen], recordings.limits[chosen]
    words, word_spans, own = pick(recordings.words), pick(recordings.word_spans), pick(recordings.own)
    return recordings._replace(spans=spans, labels=labels, limits=limits, words=words, word_spans=word_spans, own=own)


def gather(recordings: Recordings, chosen: Tensor, positions: list[Tensor] | None = None) -> Clips:
    """Return clips as a padded batch.

    Args:
        recordings: where they are.
        chosen: their indices, int64 [B].
        positions: the frames to take for each clip, float64 [T_i]; by default its span. Between two frames pictures
            are taken from the nearest, and joints interpolated.
    """
    if positions is None:
        positions = [torch.arange(start, end).double() for start, end in recordings.spans[chosen].tolist()]
    lengths = torch.tensor([len(taken) for taken in positions])
    padded = torch.nn.utils.rnn.pad_sequence(positions, batch_first=True)
    padding = torch.arange(padded.shape[1]) >= lengths[:, None]
    nearest = padded.round().long()
    frames = recordings.frames[nearest]
    if frames.is_floating_point():
        below, above = padded.floor().long(), padded.ceil().long()
        part = (padded - below).to(frames.dtype)[..., None, None]
        frames = torch.lerp(recordings.frames[below], recordings.frames[above], part)
    frames[padding] = 0
    steps = None
    if recordings.step_labels is not None:
        steps = recordings.step_labels[nearest].masked_fill(padding, UNKNOWN)
    words = None if recordings.words is None else recordings.words[chosen]
    own = None if recordings.own is None else _within(recordings.own[chosen], padded, padding)
    return Clips(frames, lengths, recordings.labels[chosen], steps, words, own)


def _within(spans: Tensor, positions: Tensor, padding: Tensor) -> Tensor:
    """Return which of the frames at positions [B, T] are in spans [B, 2]; the nearest one where none is."""
    middle = (spans.sum(1, keepdim=True) - 1).double() / 2
    away = (positions - middle).abs().masked_fill(padding, torch.inf)
    half = torch.maximum((spans[:, 1:] - spans[:, :1]).double() / 2, away.amin(1, keepdim=True))
    return away <= half


class RecordingSource(Generic[FactsT]):
    """The clips of one run: shuffled batches to train on, and held-out sets that never change.

    `remarks` says what of the data was left out, and why.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        train: Recordings,
        held: dict[Split, Recordings],
        facts: FactsT,
        seed: int,
        timing: Timing | None = None,
        augment: Augment | None = None,
    ) -> None:
        self.facts, self.examples = facts, len(train.labels)
        self._train, self._held, self._seed = train, held, seed
        self._timing, self._augment = timing or Timing(), augment
        self.remarks: tuple[str, ...] = ()
        self._epoch: tuple[int, Tensor] = (-1, torch.empty(0))

    def batch(self, step: int, size: int) -> Clips:
        """Return training batch number `step`; an epoch has examples // size batches.

        Raises:
            InputError: the batch is larger than the training set.
        """
        batches = self.examples // size
        if batches == 0:
            raise InputError(f"at most the {self.examples} training clips", f"a batch of {size}", "lower --batch-size")
        epoch, index = divmod(step, batches)
        clips = self._clips(self._order(epoch)[index * size : (index + 1) * size], epoch)
        clips = gather(clips, torch.arange(len(clips.spans)), self._positions(clips, step))
        return self._augment(clips, self._seed, step) if self._augment else clips

    def held_out(self, split: Split) -> Clips:
        """Return a whole held-out set.

        Raises:
            InputError: nothing was held out for that split.
        """
        held = self._held.get(split)
        if held is None or len(held.labels) == 0:
            raise InputError(f"clips for the split {split}", "none held out", "train with --validation, or use test")
        count = self._timing.frames
        ends = [(start, end - 1) for start, end in held.spans.tolist()]
        positions = [torch.linspace(*pair, count, dtype=torch.float64) for pair in ends] if count else None
        return gather(held, torch.arange(len(held.labels)), positions)

    def _order(self, epoch: int) -> Tensor:
        if self._epoch[0] != epoch:
            self._epoch = epoch, permutation(self._seed, "clip order", epoch, self.examples)
        return self._epoch[1]

    def _clips(self, chosen: Tensor, epoch: int) -> Recordings:
        """Return the clips that are made of the chosen recordings: the recordings themselves."""
        return select(self._train, chosen)

    def _positions(self, clips: Recordings, step: int) -> list[Tensor] | None:
        """Return the frames to take of each clip, its time changed at random; None to take all."""
        jitter, speed, trim, fixed = self._timing
        if not (jitter or speed or trim or fixed):
            return None
        drawn = integers(self._seed, "clip time", step, len(clips.spans), [2 * jitter + 1] * 2 + [FINE] * 3)
        moves = drawn[:, :2] - jitter
        fractions = drawn[:, 2:].double() / FINE
        taken = []
        for (start, end), (low, high), move, (a, b, c) in zip(
            clips.spans.tolist(), clips.limits.tolist(), moves.tolist(), fractions.tolist(), strict=True
        ):
            start, end = max(low, start + move[0]), min(high, end + move[1])
            end = max(end, start + 1)
            first, last = start + trim * a * (end - start), end - 1 - trim * b * (end - start)
            last = max(first, last)
            count = fixed or max(1, round((last - first + 1) * (1 + speed * (2 * c - 1))))
            taken.append(torch.linspace(first, last, count, dtype=torch.float64).clamp(low, high - 1))
        return taken
