"""Moving MNIST (Srivastava et al. 2015), drawn by a seeded generator.

Digits of 28 x 28 pixels fly through 64 x 64 pixels and bounce off its edges; each has a random place and
direction and moves 3.6 pixels a frame. Where digits overlap the brighter pixel is seen. A digit that would leave the
frame is put at its edge, and that component of its velocity changes its sign. Places are cut to whole pixels.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.images.canvas import place
from saccade.images.digits import load_digits
from saccade.images.mnist import load_mnist
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers
from saccade.videos.config import VideoData, VideoFacts
from saccade.videos.recordings import FINE

SIDE, GLYPH = 64, 28
"""Height and width of Moving MNIST's frames, and of its digits, in pixels."""

ROOM = SIDE - GLYPH
"""Pixels by which a digit can move along an axis."""

SPEED = 0.1
"""Distance that a digit moves in a frame, as a fraction of the room that it has."""

MOST_BYTES = 1 << 30
"""Most bytes of a test set, which is held in memory as a whole."""


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

        Raises:
            InputError: a test set that is too large, or no digits.
        """
        needed = data.held_out * (data.given + data.predicted) * SIDE * SIDE
        if needed > MOST_BYTES:
            do = "lower --held-out, --given or --predicted"
            raise InputError(f"a test set of at most {MOST_BYTES:,} bytes", f"{needed:,}", do)
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
