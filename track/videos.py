"""Generated videos with the target's box in every frame: moving digits, bouncing balls, textured things, or all three.

Every batch is a pure function of the seed and the step; the held-out videos never change.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.images.digits import load_digits
from saccade.images.mnist import load_mnist
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import permutation
from saccade.track.config import FRAME, TrackData, TrackFacts
from saccade.track.scenes import Material, draw_scenes, load_material
from saccade.videos.moving import GLYPH, draw_bouncing


class Videos(NamedTuple):
    """A batch of videos of one size and length."""

    frames: Tensor
    """uint8 [B, T, C, H, W]."""
    boxes: Tensor
    """(x, y, w, h) of the target in every frame, see `saccade.track.window`: float32 [B, T, 4]."""
    visible: Tensor
    """False where something else hides the target: bool [B, T]."""


class VideoSource:
    """New videos for every batch, and held-out ones of other digits and textures that never change."""

    device = torch.device("cpu")

    def __init__(self, data: TrackData, seed: int) -> None:
        """Load the digits and photographs that the videos are made of.

        Raises:
            InputError: MNIST's files are missing or damaged.
        """
        train, test = load_digits() if data.digits == "digits" else load_mnist(data.data_dir)
        self._pools = {"train": train.pixels[:, 0], "test": test.pixels[:, 0]}
        self._material: dict[str, Material] = {}
        self._data, self._seed, self.examples = data, seed, data.epoch_videos
        self.facts = TrackFacts(1 if data.dataset == "moving" else 3, FRAME, FRAME)

    def batch(self, step: int, size: int) -> Videos:
        """Draw training batch number `step`.

        Raises:
            InputError: the batch is larger than an epoch.
        """
        if size > self.examples:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} videos of an epoch", found, "lower --batch-size")
        return self._draw("train", self._seed, "track: train", step, size)

    def held_out(self, split: Split) -> Videos:
        """Draw a held-out set; the same in every run with these settings."""
        return self._draw("test", 0, f"track: {split}", 0, self._data.held_out)

    def _draw(self, part: str, seed: int, purpose: str, step: int, count: int) -> Videos:
        data = self._data
        if data.dataset == "moving":
            return moving(self._pools[part], seed, purpose, step, count, data)
        if part not in self._material:
            self._material[part] = load_material(part)
        made = (seed, purpose, step)
        if data.dataset != "mixed":
            return Videos(
                *draw_scenes(self._material[part], *made, count, data.frames, data.dataset, data.hidden_percent)
            )
        quarter = count // 4
        kinds = []
        if quarter:
            digits = moving(self._pools[part], *made, quarter, data)
            kinds.append(digits._replace(frames=digits.frames.expand(-1, -1, 3, -1, -1)))
        for kind, share in (("balls", quarter), ("scenes", count - 2 * quarter)):
            if share:
                drawn = draw_scenes(self._material[part], *made, share, data.frames, kind, data.hidden_percent)
                kinds.append(Videos(*drawn))
        order = permutation(seed, f"{purpose}: order", step, count)
        return Videos(*(torch.cat(leaves)[order] for leaves in zip(*kinds, strict=True)))


def moving(pool: Tensor, seed: int, purpose: str, step: int, count: int, data: TrackData) -> Videos:
    """Draw digits that bounce; the target is the first one, its box the 28 x 28 pixels of its picture."""
    frames, places = draw_bouncing(pool, seed, purpose, step, count, data.frames, 1 + data.others)
    place = places[:, :, 0]
    half = torch.full_like(place, GLYPH / FRAME)
    visible = torch.ones(place.shape[:2], dtype=torch.bool)
    return Videos(frames, torch.cat([place, half], dim=2), visible)
