"""Digits that turn, drawn by a seeded generator: clips whose labels only motion tells.

One small digit moves through 32 x 32 pixels that wrap around at the edges. It goes left, right, up or
down for some frames, then another way. Its places at single frames say nothing, so that only motion does.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.errors import InputError
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers
from saccade.videos.config import VideoData, VideoFacts
from saccade.videos.moving import load_pool, painted
from saccade.videos.recordings import UNKNOWN, Clips

SMALL, SMALL_GLYPH = 32, 14
"""Height and width of the frames of digits that turn, and of the digit."""

DIRECTIONS = ("left", "right", "up", "down")
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Direction (x, y) of each of these words."""

REST = "rest"
SHORTEST, LONGEST = 3, 6
"""Frames for which a digit goes one way."""

MOST_TURNS = 4
"""Most ways of a sentence."""

FASTEST = 3
"""Pixels a frame; the slowest goes 1."""


def draw_turning(pool: Tensor, seed: int, purpose: str, step: int, count: int, turns: tuple[int, int]) -> Clips:
    """Draw clips of a digit that turns; the same arguments give the same clips.

    Args:
        pool: uint8 [P, 28, 28].
        seed: with the purpose and the step, decides the clips.
        purpose: what they are for.
        step: the batch's number.
        count: number of clips.
        turns: fewest and most ways that it goes; each differs from the one before.

    Returns:
        Clips with step labels (the way it went to reach this frame, "rest" at the first) and the ways as words.
    """
    low, most = turns
    columns = [len(pool), most - low + 1, SMALL, SMALL] + [len(MOVES) - 1, LONGEST - SHORTEST + 1, FASTEST] * most
    drawn = integers(seed, f"{purpose}: turns", step, count, columns)
    ways = low + drawn[:, 1]
    each = drawn[:, 4:].view(count, most, 3)
    words = torch.zeros(count, most, dtype=torch.int64)
    words[:, 0] = integers(seed, f"{purpose}: first way", step, count, [len(MOVES)])[:, 0]
    for n in range(1, most):  # one of the three others
        words[:, n] = (words[:, n - 1] + 1 + each[:, n, 0]) % len(MOVES)
    durations = (SHORTEST + each[:, :, 1]).masked_fill(torch.arange(most) >= ways[:, None], 0)
    lengths = 1 + durations.sum(1)
    time = torch.arange(int(lengths.max()) - 1)
    way = (time[None, :, None] >= durations.cumsum(1)[:, None]).sum(2).clamp(max=most - 1)  # [B, T - 1]
    speeds = 1 + each[:, :, 2].gather(1, way)
    moves = torch.tensor(MOVES)[words.gather(1, way)] * speeds[..., None]
    start = drawn[:, None, 2:4]
    corners = torch.cat([start, start + moves.cumsum(1)], dim=1) % SMALL
    steps = torch.cat([torch.full((count, 1), len(MOVES)), words.gather(1, way)], dim=1)
    padding = torch.arange(steps.shape[1]) >= lengths[:, None]
    frames = _wrapped(pool[drawn[:, 0]], corners)
    frames[padding] = 0
    words = words.masked_fill(torch.arange(most) >= ways[:, None], UNKNOWN)
    return Clips(frames, lengths, pair_label(words), steps.masked_fill(padding, UNKNOWN), words)


def pair_label(words: Tensor) -> Tensor:
    """Return the class of the first two ways [B, S]: 3 first + the number of the second among the three others."""
    first, second = words[:, 0], words[:, 1]
    return 3 * first + (second - first - 1) % len(MOVES)


def pair_names() -> tuple[str, ...]:
    """Return the names of these classes: "left, then right" and so on."""
    ways = range(len(DIRECTIONS))
    return tuple(f"{DIRECTIONS[a]}, then {DIRECTIONS[(a + 1 + n) % 4]}" for a in ways for n in range(3))


def _wrapped(glyphs: Tensor, corners: Tensor) -> Tensor:
    """Paint digits [B, 28, 28] at corners (x, y) [B, T, 2] on frames that wrap around: uint8 [B, T, 1, 32, 32]."""
    inner = glyphs[:, None, 4:24, 4:24].float()
    small = F.interpolate(inner, size=(SMALL_GLYPH, SMALL_GLYPH), mode="bilinear", antialias=True)
    small = small.round().clamp(0, 255).to(torch.uint8)
    wide = painted(small, corners[:, :, None], 2 * SMALL, 2 * SMALL)
    rows = torch.maximum(wide[..., :SMALL, :], wide[..., SMALL:, :])
    return torch.maximum(rows[..., :SMALL], rows[..., SMALL:])


class TurningSource:
    """New clips of a digit that turns for every batch, and held-out sets of other digits that never change."""

    device = torch.device("cpu")

    def __init__(self, data: VideoData, seed: int, *, sentences: bool) -> None:
        self._train, self._test = load_pool(data)
        self._turns = (2, MOST_TURNS) if sentences else (2, 2)
        self._seed, self._data, self.examples = seed, data, data.epoch_clips
        classes, silent = ((*DIRECTIONS, REST), 1) if sentences else (pair_names(), 0)
        task = "frames" if sentences else "clip"
        self.facts = VideoFacts(task, "pictures", 1, SMALL, SMALL, classes, silent)

    def batch(self, step: int, size: int) -> Clips:
        """Draw training batch number `step`.

        Raises:
            InputError: the batch is larger than an epoch.
        """
        if size > self.examples:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} clips of an epoch", found, "lower --batch-size")
        return draw_turning(self._train, self._seed, "turning: train", step, size, self._turns)

    def held_out(self, split: Split) -> Clips:
        """Return the held-out set; the same in every run."""
        return draw_turning(self._test, 0, f"turning: {split}", 0, self._data.held_out, self._turns)
