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

INK = 20 / 28
"""Largest height and width of a digit's ink, as a share of its image's side: MNIST's framing."""

INKED = 64
"""Least grey level of ink."""

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
    """May be below 0, and `left + side` beyond the canvas, by as much as the image's border is wide."""

    def present(self) -> Tensor:
        """Return bool [B, L], True for the digits that a canvas has."""
        return torch.arange(self.side.shape[1]) < self.number[:, None]

    def middles(self, canvas: int) -> Float[Tensor, "B L 2"]:
        """Return the middle (x, y) of each digit in image coordinates, NaN beyond the count."""
        middle = torch.stack([self.left, self.top], dim=2) + self.side[:, :, None] / 2
        return (middle * (2 / canvas) - 1).masked_fill(~self.present()[:, :, None], torch.nan)


def largest_side(digits: int, data: SequenceData) -> int:
    """Return the largest side, pixels, at which so many digits fit on the canvas."""
    if data.layout == "row":
        fits = int((data.canvas - 2 * digits) / INK / digits)
    else:
        fits = int(data.canvas / (INK * (1.6 * digits**0.5 - 1) + 1))  # random places fill about two fifths
    return min(data.largest, data.canvas, fits)


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


def random_count(data: SequenceData, size: int, seed: int, purpose: str, step: int) -> Int64[Tensor, " {size}"]:
    """Draw the number of digits of `size` canvases; every number is equally likely."""
    fewest, most = data.digits
    return fewest + integers(seed, f"{purpose}: count", step, size, [most - fewest + 1])[:, 0]


def random_layout(
    digits: UInt8[Tensor, "B L 28 28"],
    count: Int64[Tensor, " B"],
    data: SequenceData,
    seed: int,
    purpose: str,
    step: int,
) -> Layout:
    """Draw the places of the first `count` digits of each canvas, and their sizes."""
    size, most = digits.shape[:2]
    room = torch.tensor([largest_side(n, data) for n in range(1, most + 1)])[count - 1]
    share = integers(seed, f"{purpose}: side", step, size, [FINE])[:, 0]
    side = data.smallest + share * (room - data.smallest + 1) // FINE
    smaller = integers(seed, f"{purpose}: smaller", step, size, [3] * most)
    sides = (side[:, None] - smaller).clamp(min=data.smallest)
    if data.layout == "anywhere":
        return _anywhere(data, count, sides, seed, purpose, step)
    return _in_a_row(data, digits, count, sides, seed, purpose, step)


def _ink(digits: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first column of each digit's ink and the one after its last, in its scaled image."""
    inked = (digits > INKED).any(2)  # [B, L, 28]
    first = inked.to(torch.int64).argmax(2)
    beyond = FULL_SIDE - inked.flip(2).to(torch.int64).argmax(2)
    return first * sides // FULL_SIDE, (beyond * sides + FULL_SIDE - 1) // FULL_SIDE


def _in_a_row(
    data: SequenceData, digits: Tensor, count: Tensor, sides: Tensor, seed: int, purpose: str, step: int
) -> Layout:
    """Place digits side by side, their ink apart by random gaps, mostly small; the row is askew and anywhere."""
    size, most = sides.shape
    drawn = integers(seed, f"{purpose}: row", step, size, [FINE] * (most + 3) + [3] * most)
    at, others = torch.arange(most), (count - 1).clamp(min=1)
    present = at < count[:, None]
    start, beyond = _ink(digits, sides)
    total = ((beyond - start) * present).sum(1)
    limit = data.canvas - 2 * count
    fitting = sides * limit[:, None] // total.clamp(min=1)[:, None]  # distorted digits may be wider than they were
    sides = torch.where((total > limit)[:, None], fitting, sides).clamp(min=1)
    start, beyond = _ink(digits, sides)
    width = (beyond - start) * present
    free = data.canvas - width.sum(1)
    most_gap = torch.minimum(free // others, sides.amax(1) // 2).clamp(min=1)
    gaps = 1 + (drawn[:, :most] * drawn[:, :most] // FINE) * most_gap[:, None] // FINE
    before = (width + gaps).cumsum(1) - (width + gaps)  # of each digit's ink, from the row's start
    row = width.sum(1) + gaps.masked_fill(at >= count[:, None] - 1, 0).sum(1)
    left = (drawn[:, most] * (data.canvas - row + 1) // FINE)[:, None] + before - start
    tall = sides.amax(1)
    steepest = torch.minimum((data.canvas - tall) // (2 * others), tall // 6)
    rise = drawn[:, most + 1] * (2 * steepest + 1) // FINE - steepest  # pixels from one digit to the next
    lowest, highest = (rise * (1 - count)).clamp(min=0), data.canvas - tall + (rise * (1 - count)).clamp(max=0)
    top = lowest + drawn[:, most + 2] * (highest - lowest + 1) // FINE
    tops = top[:, None] + rise[:, None] * at + drawn[:, most + 3 :] - 1
    return Layout(count, sides, tops.clamp(min=0).minimum(data.canvas - sides), left)


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
            needed = round(INK * FINE) * (side[:, None] + sides[:, :slot]) // FINE
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
    wide = canvas + 2 * FULL_SIDE  # an image's border may reach beyond the canvas
    field = torch.zeros(size, wide, wide, dtype=torch.int16)
    within = torch.arange(FULL_SIDE)[:, None] * wide + torch.arange(FULL_SIDE)
    across, down = (edge.clamp(-FULL_SIDE, canvas) + FULL_SIDE for edge in (layout.left, layout.top))
    corners = torch.arange(size)[:, None] * wide**2 + down * wide + across
    pixels = corners[:, :, None, None] + within
    field.view(-1).index_add_(0, pixels.flatten(), scaled.to(torch.int16).flatten())
    return field[:, None, FULL_SIDE:-FULL_SIDE, FULL_SIDE:-FULL_SIDE].clamp(max=255).to(torch.uint8)


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
