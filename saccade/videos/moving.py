"""Digits that move, drawn by a seeded generator: Moving MNIST (Srivastava et al. 2015), and digits that turn.

Moving MNIST: digits of 28 x 28 pixels fly through 64 x 64 pixels and bounce off its edges; each has a random place and
direction and moves 3.6 pixels a frame. Where digits overlap the brighter pixel is seen. A digit that would leave the
frame is put at its edge, and that component of its velocity changes its sign. Places are cut to whole pixels.

Digits that turn: one small digit moves through 32 x 32 pixels that wrap around at the edges. It goes left, right, up or
down for some frames, then another way. Its places at single frames say nothing, so that only motion does.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.errors import InputError
from saccade.images.canvas import place
from saccade.images.digits import load_digits
from saccade.images.mnist import load_mnist
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers
from saccade.videos.config import VideoData, VideoFacts
from saccade.videos.recordings import FINE, UNKNOWN, Clips

SIDE, GLYPH = 64, 28
"""Height and width of Moving MNIST's frames, and of its digits, in pixels."""

ROOM = SIDE - GLYPH
"""Pixels by which a digit can move along an axis."""

SPEED = 0.1
"""Distance that a digit moves in a frame, as a fraction of the room that it has."""

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


class Sequences(NamedTuple):
    """Moving digits: all frames of each sequence, and the places of its digits."""

    frames: Tensor
    """uint8 [B, T, 1, 64, 64]."""
    places: Tensor
    """Middle (x, y) of each digit's box in [-1, 1], float32 [B, T, N, 2]; NaN if it is not known."""
    given: Tensor
    """Number of frames that a forecaster may see, int64 [B]."""


def load_pool(data: VideoData) -> tuple[Tensor, Tensor]:
    """Load the digits to move: uint8 [P, 28, 28] for training, and others for testing.

    Raises:
        InputError: MNIST's files are missing or damaged.
    """
    train, test = load_digits() if data.digits == "digits" else load_mnist(data.data_dir)
    return train.pixels[:, 0], test.pixels[:, 0]


def starts(seed: int, purpose: str, step: int, count: int) -> tuple[Tensor, Tensor]:
    """Draw places and velocities (x, y) of digits, in units of the room that a digit has: float64 [count, 2] each."""
    drawn = integers(seed, f"{purpose}: motion", step, count, [FINE] * 3).double() / FINE
    angle = 2 * math.pi * drawn[:, 2]
    return drawn[:, :2], SPEED * torch.stack([angle.cos(), angle.sin()], dim=1)


def moved(places: Tensor, velocities: Tensor) -> tuple[Tensor, Tensor]:
    """Return places and velocities a frame later: a digit that would leave the frame is put at its edge, and turns."""
    places = places + velocities
    velocities = torch.where((places <= 0) | (places >= 1), -velocities, velocities)
    return places.clamp(0, 1), velocities


def trajectories(seed: int, purpose: str, step: int, count: int, frames: int, objects: int) -> Tensor:
    """Draw the upper left corners (x, y) of digits that bounce, in whole pixels: int64 [count, frames, objects, 2]."""
    places, velocities = starts(seed, purpose, step, count * objects)
    found = []
    for _ in range(frames):
        places, velocities = moved(places, velocities)
        found.append((ROOM * places).long())
    return torch.stack(found, dim=1).view(count, objects, frames, 2).transpose(1, 2)


def painted(glyphs: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """Paint digits [B, N, h, w] at their corners (x, y) [B, T, N, 2]; the brighter pixel is seen: [B, T, 1, H, W]."""
    count, frames, objects = corners.shape[:3]
    canvas = glyphs.new_zeros(count * frames, 1, height, width)
    for n in range(objects):
        repeated = glyphs[:, None, n].expand(-1, frames, -1, -1).reshape(count * frames, 1, *glyphs.shape[2:])
        left, top = corners[:, :, n].reshape(-1, 2).unbind(1)
        canvas = torch.maximum(canvas, place(repeated, top, left, height, width))
    return canvas.view(count, frames, 1, height, width)


def draw_bouncing(
    pool: Tensor, seed: int, purpose: str, step: int, count: int, frames: int, objects: int
) -> tuple[Tensor, Tensor]:
    """Draw sequences of bouncing digits, the same by the same arguments: the frames and places of `Sequences`."""
    chosen = integers(seed, f"{purpose}: digits", step, count, [len(pool)] * objects)
    corners = trajectories(seed, purpose, step, count, frames, objects)
    middle = (corners + GLYPH / 2) * (2 / SIDE) - 1
    return painted(pool[chosen], corners, SIDE, SIDE), middle.float()


class BouncingSource:
    """New sequences of bouncing digits for every batch, and held-out sets of other digits that never change."""

    device = torch.device("cpu")

    def __init__(self, data: VideoData, seed: int, canonical: Tensor | None = None) -> None:
        """Prepare the digits.

        Args:
            data: the settings.
            seed: the run's.
            canonical: test sequences uint8 [N, T, 64, 64] to use in place of the generator's.
        """
        self._train, self._test = load_pool(data)
        self._data, self._seed, self._canonical = data, seed, canonical
        self._steps, self.examples = data.given + data.predicted, data.epoch_clips
        self.facts = VideoFacts("next", "pictures", 1, SIDE, SIDE, (), given=data.given)

    def batch(self, step: int, size: int) -> Sequences:
        """Draw training batch number `step`.

        Raises:
            InputError: the batch is larger than an epoch.
        """
        if size > self.examples:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} clips of an epoch", found, "lower --batch-size")
        return self._draw(self._train, self._seed, "moving: train", step, size)

    def held_out(self, split: Split) -> Sequences:
        """Return the held-out set; the same in every run with as many frames and digits."""
        if split == "test" and self._canonical is not None:
            frames = self._canonical[: self._data.held_out, : self._steps, None]
            unknown = torch.full((*frames.shape[:2], self._data.objects, 2), math.nan)
            return Sequences(frames, unknown, torch.full((len(frames),), self._data.given))
        return self._draw(self._test, 0, f"moving: {split}", 0, self._data.held_out)

    def _draw(self, pool: Tensor, seed: int, purpose: str, step: int, count: int) -> Sequences:
        frames, places = draw_bouncing(pool, seed, purpose, step, count, self._steps, self._data.objects)
        return Sequences(frames, places, torch.full((count,), self._data.given))


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
