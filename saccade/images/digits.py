"""The embedded digits: scikit-learn's 1,797 handwritten ones of 8x8 pixels, in MNIST's framing."""

import torch
from torch import Tensor
from torch.nn import functional

from saccade.images.picture_files import Images
from saccade.pipeline.data.seeded_random import permutation

TEST = 400
"""Number of test images."""


def load_digits() -> tuple[Images, Images]:
    """Load training (1,397) and test (400) images, uint8 [N, 1, 28, 28]; nothing is downloaded.

    Like MNIST's, a digit fills 20x20 pixels (bicubic) inside a border of 4. The test images are the same for every
    run, with the classes in equal proportion to the whole set.
    """
    from sklearn.datasets import load_digits as embedded

    images, classes = embedded(return_X_y=True)
    grey = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) * (255 / 16)
    large = functional.interpolate(grey, size=(20, 20), mode="bicubic", align_corners=False)
    pixels = functional.pad(large.round().clamp(0, 255), (4, 4, 4, 4)).to(torch.uint8)
    labels = torch.tensor(classes, dtype=torch.int64)
    held = held_out(labels, TEST)
    return Images(pixels[~held], labels[~held]), Images(pixels[held], labels[held])


def held_out(labels: Tensor, count: int) -> Tensor:
    """Choose `count` test examples, with the classes in the same proportion: return bool [N] for labels [N].

    Drawn by a fixed seed: the examples in random order, sorted by class, and every (N / count)-th of them.
    """
    order = permutation(0, "test split", 0, len(labels))
    order = order[labels[order].argsort(stable=True)]
    every = (torch.arange(count) * 2 + 1) * len(labels) // (2 * count)
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[order[every]] = True
    return held
