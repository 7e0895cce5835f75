"""DRAM's glance and its convolutional glimpse network."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from saccade.recurrent.shared_weights import affine


def full_precision(tensor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Convert the 16-bit types of autocast to float32; float32 and float64 stay."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


class Glance(nn.Module):
    """The context network C(I_coarse | W_c): convolutions of a coarse picture, its key points, and a linear layer.

    The paper's context network has three convolutions and a linear layer. Here the linear layer also reads where in the
    picture each of some learned maps is high: the mean place under the softmax of the map (Levine et al. 2016, section
    5.1, "spatial softmax"). The convolutions are given each pixel's place, so that a map can prefer, say, the leftmost
    ink. A linear policy then has a place at hand, and REINFORCE finds it within minutes.

    Args:
        channels: of the picture.
        side: q, height and width of the coarse picture.
        filters: of the first convolution, and number of maps; the second convolution has twice as many.
        size: width of the output.
    """

    grid: Tensor  # (x, y) of the maps' places in [-1, 1] [P, 2]
    places: Tensor  # of the coarse picture's pixels, as two channels [1, 2, q, q]

    def __init__(self, channels: int, side: int, filters: int, size: int) -> None:
        super().__init__()
        self.side = side
        self.first = nn.Conv2d(channels + 2, filters, 5, stride=2, padding=2)
        self.second = nn.Conv2d(filters, 2 * filters, 3, padding=1)
        self.maps = nn.Conv2d(2 * filters, filters, 3, padding=1)
        half = -(-side // 2)
        self.points = nn.Linear(2 * filters, size)
        self.out = nn.Linear(2 * filters * (-(-half // 2)) ** 2, size)
        self.register_buffer("grid", _grid(half).flatten(1).t().contiguous(), persistent=False)
        self.register_buffer("places", _grid(side)[None], persistent=False)

    def coarse(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C q q"]:
        """Average a picture down to q x q pixels."""
        return F.adaptive_avg_pool2d(images, self.side)

    def forward(self, coarse: Float[Tensor, "B C q q"]) -> Float[Tensor, "B size"]:
        seen = torch.cat([coarse, self.places.expand(coarse.shape[0], -1, -1, -1)], dim=1)
        seen = F.relu(self.second(F.relu(self.first(seen))))
        weight = full_precision(self.maps(seen).flatten(2)).softmax(2)  # of each map over its places
        points = (weight @ self.grid).flatten(1)  # key points (x, y)
        pooled = F.avg_pool2d(seen, 2, ceil_mode=True)
        return torch.tanh(full_precision(self.points(points) + self.out(pooled.flatten(1))))


def _grid(side: int) -> Float[Tensor, "2 {side} {side}"]:
    """Return the middles (x, y) of the cells of a square grid over [-1, 1]."""
    middle = (torch.arange(side) * 2 + 1) / side - 1
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack([x, y])


class ConvolutionalGlimpse(nn.Module):
    """G_image(x_n) * G_loc(l_n): three convolutions and a linear layer, times a linear layer of the location.

    The product of content and location, element by element, is the paper's; the scales are the convolutions' channels.

    Args:
        scales: R, number of patches.
        channels: of the picture.
        patch: g, side of a patch.
        filters: of the first convolution; the others have twice as many.
        code: width of the output.
    """

    def __init__(self, scales: int, channels: int, patch: int, filters: int, code: int) -> None:
        super().__init__()
        self.shape = (scales * channels, patch, patch)
        self.first = nn.Conv2d(scales * channels, filters, 5, padding=2)
        self.second = nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1)
        self.third = nn.Conv2d(2 * filters, 2 * filters, 3, padding=1)
        self.what = nn.Linear(2 * filters * (-(-patch // 2)) ** 2, code)
        self.where = nn.Linear(2, code)

    def forward(self, seen: Float[Tensor, "B seen"], location: Float[Tensor, "B 2"]) -> Float[Tensor, "B code"]:
        x = F.relu(self.first(seen.unflatten(1, self.shape)))
        x = F.relu(self.second(x))
        x = F.relu(self.third(x)).flatten(1)
        what = affine((x,), (self.what.weight,), (self.what.bias,), relu=True)  # G_image(x_n)
        where = affine((location,), (self.where.weight,), (self.where.bias,))
        return what * (1 + where)  # g_n = G_image(x_n) * G_loc(l_n); G_loc starts near 1
