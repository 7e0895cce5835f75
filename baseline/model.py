"""Networks that look once, as recurrent cores without memory: one step sees the whole image.

So they train, evaluate and draw through the same verbs as the networks that look again and again, with T = 1.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saccade.baseline.config import Config
from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.recurrent.core import RecurrentCore

FILTERS, FILTER, STRIDE = 8, 10, 5
"""Of the paper's convolution; sizes in pixels."""

FULL_SIZE = 28
"""Side in pixels to which the modern network first brings larger images."""

GROUPS = 8


class Look(NamedTuple):
    """What one look gives: the belief, logits [B, K]."""

    logits: Tensor


class OneLook(RecurrentCore[Any, tuple[()], Tensor, Look]):
    """A feed-forward network as a core; the state is empty, inputs count the one step. Context: images [B, C, H, W].

    Raises:
        InputError: the image is smaller than the filters of `conv`.
    """

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.network = NETWORKS[config.kind](config, shape)

    def initial_state(self, batch_size: int) -> tuple[()]:
        return ()

    def forward(self, inputs: Any, state: tuple[()], context: Tensor) -> tuple[Look, tuple[()]]:
        return Look(self.network(context).float()), state


def fully_connected(config: Config, shape: Shape) -> nn.Module:
    """Two rectified layers, then the classes: the rows "FC, 2 layers" of Mnih et al. 2014, tables 1 and 2."""
    pixels, hidden = shape.channels * shape.height * shape.width, config.hidden
    first, second = nn.Linear(pixels, hidden), nn.Linear(hidden, hidden)
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), nn.Linear(hidden, shape.classes))


def convolutional(config: Config, shape: Shape) -> nn.Module:
    """8 filters of 10 x 10 at stride 5, then 256 units, rectified: "Convolutional, 2 layers" of Mnih et al. 2014.

    The sizes are those of the caption of table 1, which speaks of 28 x 28 and 60 x 60 pixels alike. Whether the image
    is padded it does not say; here it is not: 4 x 4 places on 28 x 28 pixels, 11 x 11 on 60 x 60.
    """
    if min(shape.height, shape.width) < FILTER:
        small = f"{shape.width} x {shape.height} pixels"
        raise InputError(f"images of at least {FILTER} x {FILTER} pixels for conv", small, "choose kind = modern or fc")
    rows, columns = ((side - FILTER) // STRIDE + 1 for side in (shape.height, shape.width))
    convolution = nn.Conv2d(shape.channels, FILTERS, FILTER, STRIDE)
    hidden = nn.Linear(FILTERS * rows * columns, config.hidden)
    answer = nn.Linear(config.hidden, shape.classes)
    return nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), hidden, nn.ReLU(), answer)


class Modern(nn.Module):
    """A small residual network (He et al. 2016) with group normalisation (Wu & He 2018) and global max pooling.

    The maximum over places, not the mean: it finds a digit anywhere on a large canvas, and errs less at 28 pixels.
    Group and not batch normalisation: an image's answer never depends on the others of its batch, and there are no
    running statistics that a moving average of the weights, or several processes, would have to share.
    Images above 28 pixels are first halved by strided convolutions until they are near that size.
    """

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        halvings = max(0, round(math.log2(min(shape.height, shape.width) / FULL_SIZE)))
        stem = [Normed(shape.channels if i == 0 else 32, 32, size=5 if i == 0 else 3) for i in range(halvings + 1)]
        self.stem = nn.Sequential(*stem)  # [B, 32, H/2, W/2], 14 x 14 of 28 x 28 pixels
        self.body = nn.Sequential(Normed(32, 64), Residual(64), Normed(64, 128), Residual(128))  # [B, 128, 4, 4]
        self.answer = nn.Linear(128, shape.classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(self.stem(images.contiguous(memory_format=torch.channels_last)))
        return self.answer(features.amax(dim=(2, 3)))


class Normed(nn.Module):
    """A convolution that halves the image, group normalisation, a rectifier."""

    def __init__(self, channels: int, filters: int, size: int = 3) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, filters, size, stride=2, padding=size // 2, bias=False)
        self.norm = nn.GroupNorm(GROUPS, filters)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))


class Residual(nn.Module):
    """x + two normalised 3 x 3 convolutions of it, rectified; the second one's gain starts at 0, so it begins as x."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(GROUPS, filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(GROUPS, filters)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        change = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(change)))


NETWORKS = {"fc": fully_connected, "conv": convolutional, "modern": Modern}
