"""Canvases with several digits: in a row as people write numbers, or anywhere without overlap, with pieces of others.

Whole batches of uint8 images at a time, drawn by a seeded generator. All sums are of whole numbers, also in scaling:
a canvas is the same on any device and by any version of the libraries.
"""

import functools
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from saccade.dram.config import FULL_SIDE, SequenceData
from saccade.errors import InputError
from saccade.images.canvas import CanvasConfig, random_placement, scatter
from saccade.images.picture_files import Images
from saccade.pipeline.data.seeded_random import integers

ADVANCE = 0.72
"""Distance of two neighbours in a row that just do not touch, as a share of their side: MNIST's ink is 20 of 28."""

TRIES = 32
"""Places drawn for a digit, of which the first free one is taken."""

FINE = 1 << 12
"""Denominator of the weights by which digits are scaled."""


class Layout(NamedTuple):
    """The digits of B canvases, at most L each, in reading order; pixels from the top left corner."""

    number: Int64[Tensor, " B"]
    """Number of digits; entries of the other fields beyond it have no meaning."""
    side: Int64[Tensor, "B L"]
    """Height and width of each digit's image, border included."""
    top: Int64[Tensor, "B L"]
    left: Int64[Tensor, "B L"]

    def present(self) -> Tensor:
        """Return bool [B, L], True for the digits that a canvas has."""
        return torch.arange(self.side.shape[1]) < self.number[:, None]

    def middles(self, canvas: int) -> Float[Tensor, "B L 2"]:
        """Return the middle (x, y) of each digit in image coordinates, NaN beyond the count."""
        middle = torch.stack([self.left, self.top], dim=2) + self.side[:, :, None] / 2
        return (middle * (2 / canvas) - 1).masked_fill(~self.present()[:, :, None], torch.nan)


def largest_side(digits: int, data: SequenceData) -> int:
    """Return the largest side, pixels, at which so many digits fit on the canvas."""
    fits = data.canvas
    if data.layout == "row":
        fits = int(data.canvas / (1 + ADVANCE * (digits - 1)))
    elif digits > 1:
        fits = int(data.canvas / (ADVANCE * (1.6 * digits**0.5 - 1) + 1))  # random places fill about two fifths
    return min(data.largest, fits)


def check_room(data: SequenceData) -> None:
    """Check that the canvas has room for its digits and pieces.

    Raises:
        InputError: it has not.
    """
    most = data.digits[1]
    if largest_side(most, data) < data.smallest:
        found = f"a canvas of {data.canvas} pixels"
        do = "raise --canvas or lower --smallest"
        raise InputError(f"room for {most} digits of {data.smallest} pixels, layout {data.layout}", found, do)
    if data.pieces and data.piece_size > min(data.canvas, FULL_SIDE):
        raise InputError("pieces no larger than the canvas", f"{data.piece_size} pixels", "change --piece-size")


def random_layout(data: SequenceData, size: int, seed: int, purpose: str, step: int) -> Layout:
    """Draw the layouts of `size` canvases; every number of digits is equally likely."""
    fewest, most = data.digits
    count = fewest + integers(seed, f"{purpose}: count", step, size, [most - fewest + 1])[:, 0]
    room = torch.tensor([largest_side(n, data) for n in range(1, most + 1)])[count - 1]
    share = integers(seed, f"{purpose}: side", step, size, [FINE])[:, 0]
    side = data.smallest + share * (room - data.smallest + 1) // FINE
    smaller = integers(seed, f"{purpose}: smaller", step, size, [3] * most)
    sides = (side[:, None] - smaller).clamp(min=data.smallest)
    place = _in_a_row if data.layout == "row" else _anywhere
    return place(data, count, sides, seed, purpose, step)


def _in_a_row(data: SequenceData, count: Tensor, sides: Tensor, seed: int, purpose: str, step: int) -> Layout:
    """Place digits side by side, with random gaps and a random slope; the row lies anywhere on the canvas."""
    size, most = sides.shape
    drawn = integers(seed, f"{purpose}: row", step, size, [FINE] * (most + 3) + [3] * most)
    largest, others = sides.amax(1), (count - 1).clamp(min=1)
    advance = (largest * round(ADVANCE * FINE) + FINE - 1) // FINE
    free = data.canvas - largest - advance * (count - 1)  # what the gaps may take
    most_gap = torch.minimum(free // others, largest // 2).clamp(min=0)
    gaps = drawn[:, :most] * (most_gap[:, None] + 1) // FINE
    left = (advance[:, None] + gaps).cumsum(1) - (advance[:, None] + gaps)
    at = torch.arange(most)
    last = left.gather(1, (count - 1)[:, None])[:, 0] + largest
    left = left + (drawn[:, most] * (data.canvas - last + 1) // FINE)[:, None]
    steepest = torch.minimum((data.canvas - largest) // (2 * others), advance // 4)
    rise = drawn[:, most + 1] * (2 * steepest + 1) // FINE - steepest  # pixels from one digit to the next
    top = rise[:, None] * at
    ends = torch.stack([torch.zeros_like(rise), rise * (count - 1)], dim=1)
    lowest, highest = -ends.amin(1), data.canvas - largest - ends.amax(1)
    top = top + (lowest + drawn[:, most + 2] * (highest - lowest + 1) // FINE)[:, None] + drawn[:, most + 3 :] - 1
    limit = data.canvas - sides
    return Layout(count, sides, top.clamp(min=0).minimum(limit), left.clamp(min=0).minimum(limit))


def _anywhere(data: SequenceData, count: Tensor, sides: Tensor, seed: int, purpose: str, step: int) -> Layout:
    """Place digits one after another at the first of 32 random places that is free, and order them left to right.

    If none is free, which is rare where `check_room` is content, the one farthest from the others is taken.
    """
    size, most = sides.shape
    drawn = integers(seed, f"{purpose}: places", step, size, [FINE] * (2 * TRIES * most)).view(size, most, TRIES, 2)
    found = torch.zeros(size, most, 2, dtype=torch.int64)
    for slot in range(most):
        side = sides[:, slot]
        tried = drawn[:, slot] * (data.canvas - side + 1)[:, None, None] // FINE  # (left, top) [B, TRIES, 2]
        if slot:
            middles = 2 * found[:, None, :slot] + sides[:, None, :slot, None]
            apart = (
                (2 * tried[:, :, None] + side[:, None, None, None] - middles).abs().amax(3)
            )  # twice, [B, TRIES, slot]
            needed = round(ADVANCE * FINE) * (side[:, None] + sides[:, :slot]) // FINE
            slack = (apart - needed[:, None]).amin(2)
            first_free = (slack >= 0).to(torch.int64).argmax(1)
            chosen = torch.where((slack >= 0).any(1), first_free, slack.argmax(1))
        else:
            chosen = torch.zeros(size, dtype=torch.int64)
        found[:, slot] = tried[torch.arange(size), chosen]
    middle = 2 * found[..., 0] + sides + 4 * data.canvas * (torch.arange(most) >= count[:, None])  # the absent last
    order = middle.argsort(dim=1, stable=True)
    return Layout(count, sides.gather(1, order), found[..., 1].gather(1, order), found[..., 0].gather(1, order))


def paint(digits: UInt8[Tensor, "B L h w"], layout: Layout, canvas: int) -> UInt8[Tensor, "B 1 {canvas} {canvas}"]:
    """Paint digits on canvases of zeros; where they overlap, pixel values are added and clipped."""
    size, most = layout.side.shape
    scaled = scaled_to(digits.flatten(0, 1), layout.side.flatten()).view(size, most, FULL_SIDE, FULL_SIDE)
    scaled = scaled * layout.present()[:, :, None, None]
    wide = canvas + FULL_SIDE  # a box may reach beyond the canvas, where it holds zeros
    field = torch.zeros(size, wide, wide, dtype=torch.int16)
    within = torch.arange(FULL_SIDE)[:, None] * wide + torch.arange(FULL_SIDE)
    corners = torch.arange(size)[:, None] * wide**2 + layout.top * wide + layout.left
    pixels = corners[:, :, None, None] + within
    field.view(-1).index_add_(0, pixels.flatten(), scaled.to(torch.int16).flatten())
    return field[:, None, :canvas, :canvas].clamp_(max=255).to(torch.uint8)


@functools.cache
def _scaling() -> Float[Tensor, "29 28 28"]:
    """Return for each side the matrix that scales 28 pixels to it: whole numbers, sums near `FINE`; then rows of 0."""
    found = torch.zeros(FULL_SIDE + 1, FULL_SIDE, FULL_SIDE, dtype=torch.float64)
    pixel = torch.arange(FULL_SIDE, dtype=torch.float64) + 0.5
    for side in range(1, FULL_SIDE + 1):
        ratio = FULL_SIDE / side
        middle = (torch.arange(side, dtype=torch.float64) + 0.5) * ratio
        weight = (1 - (pixel - middle[:, None]).abs() / ratio).clamp(min=0)  # a triangle: smooth, without aliasing
        found[side, :side] = (FINE * weight / weight.sum(1, keepdim=True)).round()
    return found


def scaled_to(images: UInt8[Tensor, "N 28 28"], side: Int64[Tensor, " N"]) -> UInt8[Tensor, "N 28 28"]:
    """Scale images smoothly to `side` pixels, each in the upper left corner of its box; exact whole numbers."""
    weights = _scaling()[side]
    sums = weights @ images.double() @ weights.transpose(1, 2)
    return ((sums + FINE * FINE / 2) / (FINE * FINE)).floor().clamp(max=255).to(torch.uint8)


def add_pieces(
    canvases: UInt8[Tensor, "B 1 S S"], pool: Images, data: SequenceData, seed: int, purpose: str, step: int
) -> UInt8[Tensor, "B 1 S S"]:
    """Scatter pieces of random images of the pool over canvases, as RAM's cluttered digits have them."""
    config = CanvasConfig(data.canvas, data.pieces, data.piece_size)
    chosen = torch.zeros(len(canvases), dtype=torch.int64)
    placement = random_placement(chosen, len(pool.pixels), FULL_SIDE, config, seed, f"{purpose}: pieces", step)
    return scatter(canvases.to(torch.int16), pool.pixels, placement, config).clamp_(max=255).to(torch.uint8)
