"""Feed-forward networks as recurrent cores without memory: their one step sees the whole image.

So they train, evaluate and make pictures through the same verbs as the recurrent networks, with T = 1.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from saccade.baseline.config import Config
from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.recurrent.core import RecurrentCore

FILTERS, FILTER, STRIDE = 8, 10, 5
"""The paper's convolution: number of filters, their side and their stride in pixels."""

FULL_SIZE = 28
"""Side in pixels near which the modern network first scales down larger images."""

GROUPS = 8
"""Groups of the group normalisation."""


class Look(NamedTuple):
    """The output of the step."""

    logits: Float[Tensor, "B K"]
    """The belief."""


class OneLook(RecurrentCore[Tensor, tuple[()], Tensor, Look]):
    """A feed-forward network as a core. State and inputs are empty; context: images [B, C, H, W].

    Raises:
        InputError: the image is smaller than the filters of `conv`.
    """

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.network = NETWORKS[config.kind](config, shape)

    def initial_state(self, batch_size: int) -> tuple[()]:
        return ()

    def forward(
        self, inputs: Float[Tensor, "B 0"], state: tuple[()], context: Float[Tensor, "B C H W"]
    ) -> tuple[Look, tuple[()]]:
        return Look(self.network(context).float()), state


def fully_connected(config: Config, shape: Shape) -> nn.Module:
    """Build two rectified layers and the classes: the rows "FC, 2 layers" of Mnih et al. 2014, tables 1 and 2."""
    pixels, hidden = shape.channels * shape.height * shape.width, config.hidden
    first, second = nn.Linear(pixels, hidden), nn.Linear(hidden, hidden)
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), nn.Linear(hidden, shape.classes))


def convolutional(config: Config, shape: Shape) -> nn.Module:
    """Build 8 filters of 10 x 10 at stride 5, then 256 units: "Convolutional, 2 layers" of Mnih et al. 2014.

    The sizes are from the caption of table 1, which gives the same for 28 x 28 and 60 x 60 pixels. It does not say if
    images are padded; here they are not: 4 x 4 positions on 28 x 28 pixels, 11 x 11 on 60 x 60.
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

    The maximum over positions, not the mean: it finds a digit anywhere on a large canvas, and has a lower error at 28
    pixels. Group and not batch normalisation: an image's answer never depends on the others of its batch, and there are
    no running statistics, which a moving average of the weights or several processes would have to share. Larger images
    are first halved by strided convolutions until they are near 28 pixels.
    """

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        halvings = max(0, round(math.log2(min(shape.height, shape.width) / FULL_SIZE)))
        stem = [Normed(shape.channels if i == 0 else 32, 32, size=5 if i == 0 else 3) for i in range(halvings + 1)]
        self.stem = nn.Sequential(*stem)  # [B, 32, H/2, W/2], 14 x 14 of 28 x 28 pixels
        self.body = nn.Sequential(Normed(32, 64), Residual(64), Normed(64, 128), Residual(128))  # [B, 128, 4, 4]
        self.answer = nn.Linear(128, shape.classes)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        features = self.body(self.stem(images.contiguous(memory_format=torch.channels_last)))
        return self.answer(features.amax(dim=(2, 3)))


class Normed(nn.Module):
    """A strided convolution that halves the image, group normalisation, a rectifier."""

    def __init__(self, channels: int, filters: int, size: int = 3) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, filters, size, stride=2, padding=size // 2, bias=False)
        self.norm = nn.GroupNorm(GROUPS, filters)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B filters H_half W_half"]:
        return F.relu(self.norm(self.convolution(x)))


class Residual(nn.Module):
    """x plus two normalised 3 x 3 convolutions of x, rectified. The second gain starts at 0: the block starts as x."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(GROUPS, filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(GROUPS, filters)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        change = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(change)))


NETWORKS = {"fc": fully_connected, "conv": convolutional, "modern": Modern}
