"""Digits on larger canvases: moved, with pieces of others scattered around them (Mnih et al. 2014, section 4.1), or in
pairs (Gregor et al. 2015, section 4.3).

Whole batches of uint8 images at a time. Sums are of whole numbers, so they are the same in any order, on any device.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Int16, Int64, Shaped, UInt8
from torch import Tensor
from torch.nn import functional as F

from saccade.images.picture_files import Images
from saccade.pipeline.data.seeded_random import integers


class CanvasConfig(NamedTuple):
    """The size of a canvas and its contents. All sizes in pixels."""

    size: int
    """Height and width of the canvas."""
    pieces: int
    """Number of pieces of other images."""
    piece_size: int
    """Height and width of a piece."""
    pair: bool = False
    """True for a second digit."""
    sides: tuple[int, int] | None = None
    """Smallest and largest side to which a digit is scaled; None leaves digits as they are."""


class Placement(NamedTuple):
    """The positions in B canvases with P pieces each: int64, pixels from the top left corner."""

    top: Int64[Tensor, " B"]
    """Of the digit."""
    left: Int64[Tensor, " B"]
    other: Int64[Tensor, "B P"]
    """Index of the image that a piece is cut from."""
    cut_top: Int64[Tensor, "B P"]
    """Of the piece in that image."""
    cut_left: Int64[Tensor, "B P"]
    piece_top: Int64[Tensor, "B P"]
    """Of the piece in the canvas."""
    piece_left: Int64[Tensor, "B P"]
    sides: Int64[Tensor, " B"] | None = None
    """Side to which each digit is scaled."""


def compose(
    images: Images, chosen: Int64[Tensor, " B"], config: CanvasConfig, seed: int, purpose: str, step: int
) -> Images:
    """Put the digits `chosen` of a set on canvases; return int16 [B, 1, size, size] in [0, 255] and the labels [B].

    In a pair the second digit is any image of the set except the first, at its own random position. Where the two
    overlap, pixel values are added and clipped. The label of a pair is that of both digits, see `pair_label`.
    """
    pool, labels = images
    examples, side = len(pool), pool.shape[-1]
    placement = random_placement(chosen, examples, side, config, seed, purpose, step)
    canvases, label = paint(pool, chosen, placement, config), labels.index_select(0, chosen)
    if not config.pair:
        return Images(canvases, label)
    ahead = integers(seed, f"{purpose}: second digit", step, len(chosen), [max(examples - 1, 1)])[:, 0]
    second = (chosen + 1 + ahead.to(chosen.device)) % examples
    placement = random_placement(second, examples, side, config, seed, f"{purpose}: second place", step)
    canvases = (canvases + paint(pool, second, placement, config)).clamp_(max=255)
    return Images(canvases, pair_label(label, labels.index_select(0, second)))


def places(
    images: Images, chosen: Int64[Tensor, " B"], config: CanvasConfig, seed: int, purpose: str, step: int
) -> Float[Tensor, "B 2"]:
    """Return the middle (x, y) of the digits that `compose` puts on canvases, in image coordinates in [-1, 1]."""
    side = images.pixels.shape[-1]
    placement = random_placement(chosen, len(images.pixels), side, config, seed, purpose, step)
    middle = torch.stack([placement.left, placement.top], dim=1) + (config.sides[1] if config.sides else side) / 2
    return middle * (2 / config.size) - 1


def pair_label(one: Int64[Tensor, " B"], other: Int64[Tensor, " B"]) -> Int64[Tensor, " B"]:
    """Return the label of an unordered pair of digits: the canvas does not show which of the two is the first.

    The pairs a <= b of K classes are numbered b (b + 1) / 2 + a, 0 ... K (K + 1) / 2 - 1.
    """
    smaller, larger = torch.minimum(one, other), torch.maximum(one, other)
    return larger * (larger + 1) // 2 + smaller


def pair_names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the pairs in the order of their labels: 00, 01, 11, 02, ..."""
    return tuple(classes[a] + classes[b] for b in range(len(classes)) for a in range(b + 1))


def place(
    images: Shaped[Tensor, "B C h w"], top: Int[Tensor, " B"], left: Int[Tensor, " B"], height: int, width: int
) -> Shaped[Tensor, "B C {height} {width}"]:
    """Put images on canvases of zeros, the corner of image b at (top[b], left[b]).

    Each image is put in the upper left corner of its canvas. In memory, moving it down and right is then one shift:
    reading the canvas from `top * width + left` pixels earlier, where there are only zeros, because the image before it
    ends at least that far from its own canvas's end. So a canvas is one copy of one stretch of memory.
    """
    batch, channels, h, w = images.shape
    area = height * width
    corner = images.new_zeros((batch * channels + 1, height, width))  # one blank canvas ahead of the first
    corner[1:, :h, :w] = images.reshape(-1, h, w)
    stretches = corner.as_strided((batch * channels * area + 1, area), (1, 1))  # every stretch of one canvas's length
    starts = torch.arange(1, batch * channels + 1, device=images.device) * area
    moved = (top * width + left).repeat_interleave(channels)
    return stretches.index_select(0, starts - moved).view(batch, channels, height, width)


def shifted(
    images: Shaped[Tensor, "B C H W"], down: Int[Tensor, " B"], right: Int[Tensor, " B"], reach: int
) -> Shaped[Tensor, "B C H W"]:
    """Move images by `down` and `right` pixels, each in [-reach, reach]; the freed pixels are 0."""
    height, width = images.shape[2:]
    wide = place(images, down + reach, right + reach, height + 2 * reach, width + 2 * reach)
    return wide[:, :, reach : reach + height, reach : reach + width]


def resized(images: UInt8[Tensor, "B C h h"], sides: Int64[Tensor, " B"], box: int) -> UInt8[Tensor, "B C {box} {box}"]:
    """Scale square images smoothly to `sides` pixels, each in the middle of a box of zeros."""
    found = images.new_zeros((*images.shape[:2], box, box))
    for side in sides.unique().tolist():
        of_side, start = (sides == side).nonzero().squeeze(1), (box - side) // 2
        scaled = F.interpolate(images[of_side].float(), size=(side, side), mode="bilinear", antialias=True)
        found[of_side, :, start : start + side, start : start + side] = scaled.round().clamp(0, 255).to(torch.uint8)
    return found


def random_placement(
    chosen: Int64[Tensor, " B"], examples: int, side: int, config: CanvasConfig, seed: int, purpose: str, step: int
) -> Placement:
    """Draw random positions for digits and pieces.

    The digit and the pieces lie wholly inside the canvas; all positions are equally likely. A piece is a random crop,
    possibly blank, of any image of the pool except the digit's own. Digits of several sizes, all equally likely, lie in
    the middle of boxes of the largest size, and the boxes are placed.

    Args:
        chosen: the digits, by their index in the pool.
        examples: images in the pool.
        side: height and width of the pool's images, pixels.
    """
    largest = config.sides[1] if config.sides else side
    room, cut, drop = config.size - largest + 1, side - config.piece_size + 1, config.size - config.piece_size + 1
    below = [room, room] + [max(examples - 1, 1), cut, cut, drop, drop] * config.pieces
    drawn = integers(seed, purpose, step, len(chosen), below).to(chosen.device)
    ahead, cut_top, cut_left, piece_top, piece_left = drawn[:, 2:].reshape(len(chosen), -1, 5).unbind(2)
    other = (chosen[:, None] + 1 + ahead) % examples
    sides = None
    if config.sides:
        smallest, largest = config.sides
        sides = smallest + integers(seed, f"{purpose}: sides", step, len(chosen), [largest - smallest + 1])[:, 0]
    return Placement(drawn[:, 0], drawn[:, 1], other, cut_top, cut_left, piece_top, piece_left, sides)


def paint(
    pool: UInt8[Tensor, "N 1 h w"], chosen: Int64[Tensor, " B"], placement: Placement, config: CanvasConfig
) -> Int16[Tensor, "B 1 {config.size} {config.size}"]:
    """Paint the digits `chosen` of a pool and their pieces; pixel values in [0, 255].

    Where digits and pieces overlap, pixel values are added and clipped.
    """
    digits = pool.index_select(0, chosen)
    if config.sides and placement.sides is not None:
        digits = resized(digits, placement.sides.to(pool.device), config.sides[1])
    canvas = place(digits, placement.top, placement.left, config.size, config.size).to(torch.int16)
    return scatter(canvas, pool, placement, config).clamp_(max=255)


def scatter(
    canvas: Int16[Tensor, "B 1 S S"], pool: UInt8[Tensor, "N 1 h w"], placement: Placement, config: CanvasConfig
) -> Int16[Tensor, "B 1 S S"]:
    """Add the pieces of a placement to canvases, in place; the sums are not clipped."""
    if config.pieces:
        first = torch.arange(len(canvas), device=pool.device)[:, None] * config.size**2
        corners = first + placement.piece_top * config.size + placement.piece_left  # [B, P]
        across = torch.arange(config.piece_size, device=pool.device)
        inside = across[:, None] * config.size + across  # [piece_size, piece_size], from a piece's corner
        pixels = corners[:, :, None, None] + inside
        canvas.view(-1).index_add_(0, pixels.view(-1), _cut(pool, placement, config).to(torch.int16).view(-1))
    return canvas


def _cut(pool: Tensor, placement: Placement, config: CanvasConfig) -> Tensor:
    """Cut the pieces, uint8 [B * P, piece_size, piece_size]: one stretch of memory each, from first to last pixel."""
    height, width = pool.shape[2:]
    length = (config.piece_size - 1) * width + config.piece_size
    stretches = pool.as_strided((pool.numel() - length + 1, length), (1, 1))
    corners = (placement.other * height + placement.cut_top) * width + placement.cut_left
    cut = stretches.index_select(0, corners.view(-1))
    return cut.as_strided((len(cut), config.piece_size, config.piece_size), (length, width, 1)).contiguous()
