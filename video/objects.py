"""A forecaster that paints: it finds objects, carries place and velocity of each, and paints them where they will be.

After DRAW's windows (Gregor et al. 2015) and DDPAE (Hsieh et al. 2018). A step predicts frame t from the objects,
paints it, and then, if it may see the frame, corrects the objects by it:

1. expect:  place + velocity, between the frame's edges (`saccade.video.motion`): a mixture of places.
2. paint:   each object's picture by two matrices of weights, one an axis, as DRAW writes; they hold the probability of
            every pixel, so that an uncertain place is painted blurred. The brighter object is seen.
3. measure: a convolutional network finds each object near its expected place, one object after the other, and says how
            far off it may be.
4. correct: place and velocity, by Kalman filters.
5. look:    the window at the measured place is read. The picture is made from the mean of all readings, without what
            other objects cover, and from the least of them, since another object can only add light.

Built in, not learned: windows of a given size at whole pixels, constant velocity, the edges, "the brighter is seen".
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.sequence import hold
from saccade.video.config import Config
from saccade.video.forecaster import Forecast, Found, Given
from saccade.video.motion import Motion, corrected, expected, likeliest, pixels, unknown
from saccade.videos.config import VideoFacts
from saccade.videos.moving import GLYPH

BLOB = 4.0
"""Standard deviation in pixels of the spot that shows the finder an object's place."""

FAST = 4.0
"""Standard deviation of an object's velocity before it was seen, pixels a frame."""

SURE = 0.5
"""Variance of a measured place, in square pixels, below which a reading counts for the least of all readings."""

LEAST_VARIANCE = 0.05
"""Of a measured place: that of a place inside a whole pixel is 1/12."""

SMALL = 1e-6


class Readings(NamedTuple):
    """Sums of the readings of N windows, with pixels that others cover left out, and the least of all readings."""

    total: Float[Tensor, "B N P P"]
    number: Float[Tensor, "B N P P"]
    """Sum of the weights of the readings in `total`."""
    least: Float[Tensor, "B N P P"]


class PainterState(NamedTuple):
    """Memory: how the objects move, what was read of them, and the number of frames seen."""

    motion: Motion
    readings: Readings
    known: Float[Tensor, " B"]


class Finder(nn.Module):
    """From five maps to a place: a soft maximum over a grid of cells, each with an offset, and an uncertainty."""

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
        self.head = nn.Conv2d(2 * width, 4, 1)  # score, offset x, offset y, logarithm of the variance

    def forward(self, maps: Float[Tensor, "B 5 H W"]) -> tuple[Float[Tensor, "B 2"], Float[Tensor, " B"]]:
        """Return the middle of the object's window in pixels, and the variance of each of its coordinates."""
        x = maps
        for layer in self.layers:
            x = F.relu(layer(x))
        head = self.head(x).to(maps.dtype)
        rows, columns = head.shape[2:]
        cell = maps.shape[3] / columns
        weights = head[:, 0].flatten(1).softmax(1)  # [B, cells]
        values = head[:, 1:].flatten(2)
        y, x = torch.meshgrid(middles(rows, head) * cell, middles(columns, head) * cell, indexing="ij")
        cells = torch.stack([x, y]).flatten(1) + values[:, :2] * cell
        found = (weights[:, None] * cells).sum(2)
        return found, F.softplus((weights * values[:, 2]).sum(1) + 2) + LEAST_VARIANCE


class Pictures(nn.Module):
    """From the mean and the least of an object's readings to its picture: two small convolutions and a mixture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, width, 3, padding=1)
        self.outer = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, readings: Readings) -> Float[Tensor, "B N P P"]:
        mean = readings.total / readings.number.clamp(min=SMALL)
        seen = readings.number / (1 + readings.number)
        least = torch.minimum(readings.least, mean)
        given = torch.stack([mean, least, seen], dim=2).flatten(0, 1)
        mixture, more = self.outer(F.relu(self.inner(given))).to(mean.dtype).unbind(1)
        share = (mixture + 1).sigmoid().view_as(mean)
        return (share * mean + (1 - share) * least + 0.5 * more.tanh().view_as(mean) * mean).clamp(0, 1)


class Painter(RecurrentCore[Given, PainterState, object, Forecast]):
    """The five steps above; inputs `Given`, outputs `Forecast` with what was found."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__()
        self.slots, self.paths, self.side = config.slots, config.paths, facts.width
        self.room = facts.width - GLYPH
        self.finder, self.pictures = Finder(config.width), Pictures(config.width)

    def initial_state(self, batch_size: int) -> PainterState:
        zeros = self.finder.head.weight.new_zeros(batch_size)
        window = zeros.new_zeros(batch_size, self.slots, GLYPH, GLYPH)
        motion = unknown(zeros, self.slots, self.paths, self.room, FAST)
        return PainterState(motion, Readings(window, window, window + 1), zeros)

    def forward(self, inputs: Given, state: PainterState, context: object = None) -> tuple[Forecast, PainterState]:
        motion = hold(state.known > 0, expected(state.motion, self.room), state.motion)
        picture = self.pictures(state.readings)
        layers = self.paint(picture, pixels(motion, self.room))  # [B, N, H, W]
        place = likeliest(motion.place, motion.weight)
        measured, variance, after = place, torch.zeros_like(place[..., 0]), state._replace(motion=motion)
        if bool((inputs.seen > 0).any()):
            measured, variance = self.measure(inputs.frame, place, layers, state.known > 0)
            moved = corrected(motion, measured.detach(), variance.detach())
            readings = self.look(inputs.frame, measured.detach(), variance.detach(), layers, state.readings)
            after = hold(inputs.seen > 0, PainterState(moved, readings, state.known + 1), after)
        found = Found(
            self.middle(place),
            likeliest(motion.velocity, motion.weight) * (2 / self.side),
            self.middle(measured),
            self.middle(likeliest(after.motion.place, after.motion.weight)),
            variance,
            visible(layers),
            picture,
        )
        return Forecast(layers.amax(1, keepdim=True), found), after

    def middle(self, place: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 2"]:
        """Return the middles in [-1, 1] of windows whose corners are at whole pixels, at or below `place`."""
        return (place - 0.5 + GLYPH / 2) * (2 / self.side) - 1

    def paint(self, picture: Float[Tensor, "B N P P"], probable: Float[Tensor, "B N 2 K"]) -> Float[Tensor, "B N H W"]:
        """Return each picture on an empty frame, its corner spread over pixels: F_y picture F_x^T (DRAW, eq. 29)."""
        corner = torch.arange(self.side)[:, None] - torch.arange(GLYPH)
        outside = (corner < 0) | (corner > self.room)
        filters = probable[..., corner.clamp(0, self.room)].masked_fill(outside, 0.0)  # [B, N, 2, side, P]
        x, y = filters.unbind(2)
        return (y @ picture @ x.transpose(2, 3)).to(picture.dtype)

    def read(self, images: Float[Tensor, "B N H W"], corner: Int64[Tensor, "B N 2"]) -> Float[Tensor, "B N P P"]:
        """Return the window of each object's image, as large as its picture."""
        inner = torch.arange(GLYPH)
        columns, rows = (corner[..., None] + inner).unbind(2)  # [B, N, P] each
        rows = images.gather(2, rows[..., None].expand(-1, -1, -1, self.side))
        return rows.gather(3, columns[:, :, None].expand(-1, -1, GLYPH, -1))

    def measure(
        self,
        frame: Float[Tensor, "B 1 H W"],
        place: Float[Tensor, "B N 2"],
        layers: Float[Tensor, "B N H W"],
        known: Tensor,
    ) -> tuple[Float[Tensor, "B N 2"], Float[Tensor, "B N"]]:
        """Find the objects in a frame, one after the other: each is shown where the others are, or are expected."""
        layers, there = layers.detach(), known.to(place.dtype)[:, None, None, None]
        spots = [self.spot(place[:, n]) * there for n in range(self.slots)]  # [B, 1, H, W] each
        places, variances = [], []
        for n in range(self.slots):
            others = sum((spot for m, spot in enumerate(spots) if m != n), torch.zeros_like(frame))
            rest = (frame - hiding(layers, n)).clamp(min=0)
            middle, variance = self.finder(torch.cat([frame, rest, layers[:, n : n + 1], spots[n], others], dim=1))
            found = middle - GLYPH / 2 + 0.5
            spots[n] = self.spot(found.detach())
            places.append(found)
            variances.append(variance)
        return torch.stack(places, dim=1), torch.stack(variances, dim=1)

    def spot(self, place: Float[Tensor, "B 2"]) -> Float[Tensor, "B 1 H W"]:
        """Return a map with a Gaussian spot at the middle of the window at a place."""
        away = middles(self.side, place) - (place[..., None] - 0.5 + GLYPH / 2)  # [B, 2, side]
        x, y = (-(away / BLOB).square() / 2).exp().unbind(1)
        return (y[:, :, None] * x[:, None])[:, None]

    def look(
        self, frame: Tensor, place: Tensor, variance: Float[Tensor, "B N"], layers: Tensor, old: Readings
    ) -> Readings:
        """Return the readings with the present ones of the windows at the measured places."""
        corner = place.floor().long().clamp(0, self.room)
        reading = self.read(frame.expand_as(layers), corner)
        others = torch.cat([hiding(layers, n) for n in range(self.slots)], dim=1).detach()
        weight = (SURE / (SURE + variance))[..., None, None] * (1 - self.read(others, corner))
        sure = (variance < SURE)[..., None, None]
        least = torch.where(sure, torch.minimum(old.least, reading), old.least)
        return Readings(old.total + weight * reading, old.number + weight, least)


def hiding(layers: Float[Tensor, "B N H W"], n: int) -> Float[Tensor, "B 1 H W"]:
    """Return the brightest of all layers but the n-th; black where there is no other."""
    others = torch.cat([layers[:, :n], layers[:, n + 1 :], torch.zeros_like(layers[:, :1])], dim=1)
    return others.amax(1, keepdim=True)


def visible(layers: Float[Tensor, "B N H W"]) -> Float[Tensor, "B N"]:
    """Return the part of each object's ink that is brighter than all other objects at its place."""
    others = torch.cat([hiding(layers, n) for n in range(layers.shape[1])], dim=1)
    return ((layers - others).relu().sum((2, 3)) + SMALL) / (layers.sum((2, 3)) + SMALL)


def middles(size: int, like: Tensor) -> Float[Tensor, " {size}"]:
    """Return the middles of `size` pixels along an axis, in pixels."""
    return torch.arange(size, device=like.device, dtype=like.dtype) + 0.5
