"""A forecaster that paints: it finds objects, carries place and velocity of each, and paints them where they will be.

After DRAW's windows (Gregor et al. 2015) and DDPAE (Hsieh et al. 2018). A step predicts frame t from the objects,
paints it, and then, if it may see the frame, corrects the objects by it:

1. expect:  place + velocity; a window that would leave the frame is put at its edge and turns round.
2. paint:   each object's picture at its place, by an affine sampler; the brighter object is seen.
3. measure: a convolutional network finds each object near its expected place, one object after the other.
4. weigh:   place and velocity are corrected as by recursive least squares (an alpha-beta filter), times a confidence.
5. look:    the window at the place is read; the picture is made from the mean and the least of all readings, since
            another object can only add light.

Built in, not learned: windows of a given size, constant velocity, the edges, "the brighter is seen".
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.sequence import hold
from saccade.video.config import Config
from saccade.video.forecaster import Forecast, Found, Given
from saccade.videos.config import VideoFacts
from saccade.videos.moving import GLYPH

BLOB = 4.0
"""Standard deviation in pixels of the spot that shows the finder an object's place."""

TRUSTED = 2
"""Frames after which readings of the window count: before, the place is uncertain."""

SMALL = 1e-6


class Objects(NamedTuple):
    """Places, velocities and readings of N objects."""

    place: Float[Tensor, "B N 2"]
    velocity: Float[Tensor, "B N 2"]
    total: Float[Tensor, "B N P P"]
    """Sum of the readings of their windows."""
    least: Float[Tensor, "B N P P"]
    """Least of these readings, pixel by pixel."""


class PainterState(NamedTuple):
    """Memory: the objects, the frame before, and the number of frames seen."""

    objects: Objects
    frame: Float[Tensor, "B 1 H W"]
    known: Float[Tensor, " B"]


class Finder(nn.Module):
    """From five maps to a place: a soft maximum over a grid of cells, each with an offset, and a confidence."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(5, width, 5, stride=2, padding=2),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                nn.Conv2d(2 * width, 2 * width, 3, padding=1),
                nn.Conv2d(2 * width, 2 * width, 3, padding=2, dilation=2),
            ]
        )
        self.head = nn.Conv2d(2 * width, 4, 1)  # score, offset x, offset y, confidence

    def forward(self, maps: Float[Tensor, "B 5 H W"]) -> tuple[Float[Tensor, "B 2"], Float[Tensor, " B"]]:
        """Return the place in [-1, 1], and the confidence in [0, 1]."""
        x = maps
        for layer in self.layers:
            x = F.relu(layer(x))
        head = self.head(x).to(maps.dtype)
        rows, columns = head.shape[2:]
        weights = head[:, 0].flatten(1).softmax(1)  # [B, cells]
        values = head[:, 1:].flatten(2)
        y, x = torch.meshgrid(centres(rows, head), centres(columns, head), indexing="ij")
        cells = torch.stack([x, y]).flatten(1) + values[:, :2] / columns
        found = (weights[:, None] * cells).sum(2)
        confidence = (weights * values[:, 2]).sum(1) + 2
        return found, confidence.sigmoid()


class Pictures(nn.Module):
    """From the mean and the least of an object's readings to its picture: two small convolutions and a mixture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(2, width, 3, padding=1)
        self.outer = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, mean: Float[Tensor, "B N P P"], least: Float[Tensor, "B N P P"]) -> Float[Tensor, "B N P P"]:
        both = torch.stack([mean, least], dim=2).flatten(0, 1)
        mixture, more = self.outer(F.relu(self.inner(both))).to(mean.dtype).unbind(1)
        share = (mixture - 1).sigmoid().view_as(mean)
        return (share * mean + (1 - share) * least + 0.5 * more.tanh().view_as(mean) * mean).clamp(0, 1)


class Painter(RecurrentCore[Given, PainterState, object, Forecast]):
    """The five steps above; inputs `Given`, outputs `Forecast` with what was found."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__()
        self.slots, self.height, self.width = config.slots, facts.height, facts.width
        self.finder, self.pictures = Finder(config.width), Pictures(config.width)
        self.start = nn.Parameter(torch.zeros(2, config.slots, 2))  # place and velocity before the first frame

    def initial_state(self, batch_size: int) -> PainterState:
        zeros = self.finder.head.weight.new_zeros(batch_size)
        place, velocity = self.start[:, None].expand(-1, batch_size, -1, -1).unbind(0)
        window = zeros.new_zeros(batch_size, self.slots, GLYPH, GLYPH)
        frame = zeros.new_zeros(batch_size, 1, self.height, self.width)
        return PainterState(Objects(place, velocity, window, window + 1), frame, zeros)

    def forward(self, inputs: Given, state: PainterState, context: object = None) -> tuple[Forecast, PainterState]:
        objects, count = state.objects, state.known
        place, velocity = self.expect(objects.place, objects.velocity)
        picture = self.pictures(*readings(objects, count))
        layers = self.paint(picture, place)  # [B, N, H, W]
        frame = layers.amax(1, keepdim=True)
        expected = objects._replace(place=place, velocity=velocity)
        measured, after = place, PainterState(expected, state.frame, count)
        if bool((inputs.seen > 0).any()):
            measured, confidence = self.measure(inputs.frame, state, place, layers)
            corrected = self.look(inputs.frame, weigh(expected, measured, confidence, count), count)
            after = chosen(inputs.seen, PainterState(corrected, inputs.frame, count + 1), after)
        found = Found(place, velocity, measured, after.objects.place, visible(layers), picture)
        return Forecast(frame, found), after

    def expect(
        self, place: Float[Tensor, "B N 2"], velocity: Float[Tensor, "B N 2"]
    ) -> tuple[Float[Tensor, "B N 2"], Float[Tensor, "B N 2"]]:
        """Return place and velocity a frame later: at an edge of the frame a window stops, and turns round."""
        wall = 1 - GLYPH / place.new_tensor([self.width, self.height])
        moved = place + velocity
        turned = torch.where(moved.abs() >= wall, -velocity, velocity)
        return torch.minimum(torch.maximum(moved, -wall), wall), turned

    def paint(self, picture: Float[Tensor, "B N P P"], place: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N H W"]:
        """Return each picture at its place on an empty frame."""
        batch, slots, side, _ = picture.shape
        x = (centres(self.width, place) - place[..., :1]) * (self.width / side)  # [B, N, W]
        y = (centres(self.height, place) - place[..., 1:]) * (self.height / side)
        return sampled(picture.flatten(0, 1)[:, None], x.flatten(0, 1), y.flatten(0, 1)).view(
            batch, slots, *y.shape[2:], -1
        )

    def read(self, frame: Float[Tensor, "B 1 H W"], place: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N P P"]:
        """Return the window of each object, as large as its picture."""
        inner = centres(GLYPH, place)
        x = place[..., :1] + inner * (GLYPH / self.width)
        y = place[..., 1:] + inner * (GLYPH / self.height)
        frames = frame.expand(-1, place.shape[1], -1, -1).flatten(0, 1)[:, None]
        return sampled(frames, x.flatten(0, 1), y.flatten(0, 1)).view(*place.shape[:2], GLYPH, GLYPH)

    def measure(
        self, frame: Tensor, state: PainterState, place: Float[Tensor, "B N 2"], layers: Float[Tensor, "B N H W"]
    ) -> tuple[Float[Tensor, "B N 2"], Float[Tensor, "B N"]]:
        """Find the objects in a frame, one after the other: each is shown where the others are, or are expected."""
        known = (state.known > 0).to(place.dtype)[:, None, None, None]
        spots = [self.spot(place[:, n]) * known for n in range(self.slots)]  # [B, 1, H, W] each
        places, confidences = [], []
        for n in range(self.slots):
            others = sum((spot for m, spot in enumerate(spots) if m != n), torch.zeros_like(frame))
            maps = torch.cat([frame, state.frame, layers[:, n : n + 1] * known, spots[n], others], dim=1)
            found, confidence = self.finder(maps)
            spots[n] = self.spot(found)
            places.append(found)
            confidences.append(confidence)
        return torch.stack(places, dim=1), torch.stack(confidences, dim=1)

    def spot(self, place: Float[Tensor, "B 2"]) -> Float[Tensor, "B 1 H W"]:
        """Return a map with a Gaussian spot at a place."""
        x = (centres(self.width, place) - place[:, :1]) * (self.width / 2 / BLOB)
        y = (centres(self.height, place) - place[:, 1:]) * (self.height / 2 / BLOB)
        return ((-y.square() / 2).exp()[:, :, None] * (-x.square() / 2).exp()[:, None])[:, None]

    def look(self, frame: Tensor, objects: Objects, count: Float[Tensor, " B"]) -> Objects:
        """Return the objects with the present readings of their windows, once their places can be trusted."""
        reading = self.read(frame, objects.place)
        trusted = (count >= TRUSTED)[:, None, None, None]
        total = torch.where(trusted, objects.total + reading, objects.total)
        least = torch.where(trusted, torch.minimum(objects.least, reading), objects.least)
        return objects._replace(total=total, least=least)


def weigh(
    expected: Objects, measured: Float[Tensor, "B N 2"], confidence: Float[Tensor, "B N"], count: Float[Tensor, " B"]
) -> Objects:
    """Correct places and velocities by what was measured.

    With full confidence these are the gains of recursive least squares for a line through n points (Brookner 1998,
    section 1.2): 2 (2 n - 1) / (n (n + 1)) for the place and 6 / (n (n + 1)) for the velocity.
    """
    n = (count + 1)[:, None, None]
    trust = torch.where(n <= 2, torch.ones_like(n), confidence[..., None])
    of_place, of_velocity = 2 * (2 * n - 1) / (n * (n + 1)), torch.where(n > 1, 6 / (n * (n + 1)), 0.0)
    surprise = measured - expected.place
    place = expected.place + trust * of_place * surprise
    return expected._replace(place=place, velocity=expected.velocity + trust * of_velocity * surprise)


def readings(objects: Objects, count: Float[Tensor, " B"]) -> tuple[Float[Tensor, "B N P P"], Float[Tensor, "B N P P"]]:
    """Return the mean and the least of the readings; 0 before there are any."""
    number = (count - TRUSTED)[:, None, None, None]
    there = number > 0
    return objects.total / number.clamp(min=1), torch.where(there, objects.least, 0.0)


def visible(layers: Float[Tensor, "B N H W"]) -> Float[Tensor, "B N"]:
    """Return the part of each object's ink that is brighter than all other objects at its place."""
    found = []
    for n in range(layers.shape[1]):
        others = torch.cat([layers[:, :n], layers[:, n + 1 :], torch.zeros_like(layers[:, :1])], dim=1).amax(1)
        own = layers[:, n]
        found.append(((own - others).relu().sum((1, 2)) + SMALL) / (own.sum((1, 2)) + SMALL))
    return torch.stack(found, dim=1)


def chosen(seen: Float[Tensor, " B"], new: PainterState, old: PainterState) -> PainterState:
    """Return the new state where the frame was seen, else the old one."""
    return hold(seen > 0, new, old)


def sampled(
    images: Float[Tensor, "B 1 h w"], x: Float[Tensor, "B W"], y: Float[Tensor, "B H"]
) -> Float[Tensor, "B H W"]:
    """Read images at the points of a grid by bilinear interpolation; 0 outside.

    Args:
        images: to read.
        x: columns of the grid in image coordinates [-1, 1].
        y: rows of the grid.
    """
    grid = torch.stack([x[:, None].expand(-1, y.shape[1], -1), y[:, :, None].expand(-1, -1, x.shape[1])], dim=3)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]


def centres(size: int, like: Tensor) -> Float[Tensor, " {size}"]:
    """Return the middles of `size` pixels along an axis, in [-1, 1]."""
    return (2 * torch.arange(size, device=like.device, dtype=like.dtype) + 1) / size - 1
