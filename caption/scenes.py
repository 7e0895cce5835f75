"""The embedded dataset: scenes of two embedded digits with the sentence that describes them.

The grammar: a SIZE DIGIT RELATION a SIZE DIGIT, e.g. "a large seven below a small three". The larger digit comes first;
of two of one size the upper or the left one. So each scene has one true sentence. The digits of held-out scenes are
never in training scenes.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from saccade.caption.config import SCENES, CaptionData, CaptionFacts
from saccade.caption.source import Captioned, encoded
from saccade.errors import InputError
from saccade.images.digits import load_digits
from saccade.images.picture_files import Images
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers
from saccade.words.vocabulary import Vocabulary

SIDE = 56
"""Height and width of a scene in pixels."""

PLACES, WIDTH = 7, 64
"""Rows and columns of the annotation vectors, and their channels."""

SIZES = {"small": 14, "large": 26}
"""Height and width of the digits in pixels."""

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RELATIONS = (("above", "below"), ("left of", "right of"))
"""Of the first to the second digit along each axis, y and x, and the reverse."""

VOCABULARY = Vocabulary(("a", *SIZES, *NUMBERS, "above", "below", "left", "right", "of"))


class Scenes(NamedTuple):
    """Scenes and their sentences."""

    pixels: Tensor
    """uint8 [B, 1, SIDE, SIDE]."""
    sentences: list[str]
    """The true sentence of each."""


class Digits:
    """Embedded digits, cut out and scaled to both sizes."""

    def __init__(self, images: Images) -> None:
        cropped = images.pixels[:, :, 4:24, 4:24].float()  # without the border
        self.labels = images.labels.numpy()
        self.scaled = [_scaled(cropped, side) for side in SIZES.values()]

    def draw(self, seed: int, purpose: str, step: int, count: int) -> Scenes:
        """Draw scenes; the same arguments give the same scenes."""
        fine = 1 << 16
        drawn = integers(seed, purpose, step, count, [len(self.labels)] * 2 + [2] * 3 + [fine] * 4).numpy()
        pixels = np.zeros((count, 1, SIDE, SIDE), np.uint8)
        sentences = []
        for scene, (first, second, size, other, axis, *chances) in zip(pixels, drawn, strict=True):
            digits, sizes = (first, second), (size, other)
            for which, (top, left) in enumerate(_places(sizes, axis, [chance / fine for chance in chances])):
                image = self.scaled[sizes[which]][digits[which]]
                side = len(image)
                place = scene[0, top : top + side, left : left + side]
                np.maximum(place, image, out=place)
            names = [f"a {list(SIZES)[s]} {NUMBERS[self.labels[d]]}" for d, s in zip(digits, sizes, strict=True)]
            forth, back = RELATIONS[axis]
            larger = other > size
            sentences.append(f"{names[1]} {back} {names[0]}" if larger else f"{names[0]} {forth} {names[1]}")
        return Scenes(torch.from_numpy(pixels), sentences)


def _scaled(images: Tensor, side: int) -> np.ndarray:
    """Return images [N, 1, h, w] as uint8 [N, side, side]."""
    size = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return size.round().clamp(0, 255).to(torch.uint8)[:, 0].numpy()


def _places(sizes: tuple[int, int], axis: int, chances: list[float]) -> list[tuple[int, int]]:
    """Return the upper left corners of both digits: apart along the axis, and nearly level across it."""
    sides = [list(SIZES.values())[size] for size in sizes]
    slack = SIDE - sum(sides)
    first = round(chances[0] * slack)
    second = first + sides[0] + round(chances[1] * (slack - first))
    level = sides[0] / 2 + chances[2] * (SIDE - sides[0])
    other = level + (chances[3] - 0.5) * 10 - sides[1] / 2
    across = [round(level - sides[0] / 2), round(min(max(other, 0), SIDE - sides[1]))]
    along = [first, second]
    return [(along[i], across[i]) if axis == 0 else (across[i], along[i]) for i in (0, 1)]


class SceneSource:
    """New scenes for every batch, and held-out sets that never change."""

    def __init__(self, data: CaptionData, seed: int, device: torch.device | str = "cpu") -> None:
        self.facts = CaptionFacts(SCENES, "", PLACES, PLACES, WIDTH, VOCABULARY.words)
        self.examples, self.device = data.scenes, torch.device(device)
        self._held_out, self._seed = data.held_out, seed
        train, test = load_digits()
        half = torch.arange(len(test.labels)) % 2 == 0
        self._train = Digits(train)
        self._held: dict[str, Digits] = {
            "validation": Digits(Images(test.pixels[half], test.labels[half])),
            "test": Digits(Images(test.pixels[~half], test.labels[~half])),
        }

    def batch(self, step: int, size: int) -> Captioned:
        """Draw training batch number `step`.

        Raises:
            InputError: the batch is larger than an epoch.
        """
        if size > self.examples:
            raise InputError(
                f"at most the {self.examples} scenes of an epoch", f"a batch of {size}", "lower --batch-size"
            )
        return self._captioned(self._train.draw(self._seed, "caption: train", step, size))

    def held_out(self, split: Split) -> Captioned:
        """Draw a held-out set; the same in every run."""
        return self._captioned(self._scenes(split))

    def references(self, split: Split) -> list[list[list[str]]]:
        """Return the words of the true sentence of each held-out scene."""
        return [[sentence.split()] for sentence in self._scenes(split).sentences]

    def pixels(self, batch: Captioned, split: Split) -> Tensor:
        """Return a batch's pictures, uint8 [B, S, S, 3]."""
        return batch.vectors.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).cpu()

    def _scenes(self, split: Split) -> Scenes:
        return self._held[split].draw(0, f"caption: {split}", 0, self._held_out)

    def _captioned(self, scenes: Scenes) -> Captioned:
        words = encoded([[VOCABULARY.encode(sentence.split())] for sentence in scenes.sentences])
        numbers = torch.arange(len(scenes.pixels))
        return Captioned(scenes.pixels.to(self.device), words.to(self.device), numbers.to(self.device), None)
