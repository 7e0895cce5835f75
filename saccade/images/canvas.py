"""Digits laid out on larger canvases: moved, strewn with pieces of others (Mnih et al. 2014, section 4.1), or in pairs
(Gregor et al. 2015, section 4.3).

Whole batches of uint8 images at a time. Sums are of whole numbers, so they are the same in any order, on any device.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.images.picture_files import Images
from saccade.pipeline.data.seeded_random import integers


class Scene(NamedTuple):
    """A canvas, the pieces strewn over it, and the sides of its digits (None: as they are); all in pixels."""

    size: int
    pieces: int
    piece_size: int
    pair: bool = False  # a second digit
    sides: tuple[int, int] | None = None  # the smallest and the largest


class Layout(NamedTuple):
    """Where everything lies in B canvases with P pieces each: int64, pixels from the top left corner."""

    top: Tensor  # [B] of the digit
    left: Tensor  # [B]
    other: Tensor  # [B, P] which image of the pool a piece is cut from
    cut_top: Tensor  # [B, P] where in that image
    cut_left: Tensor  # [B, P]
    piece_top: Tensor  # [B, P] where it goes in the canvas
    piece_left: Tensor  # [B, P]
    sides: Tensor | None = None  # [B] to which the digits are brought


def compose(images: Images, chosen: Tensor, scene: Scene, seed: int, purpose: str, step: int) -> Images:
    """The digits `chosen` [B] of a set laid out: canvases int16 [B, 1, size, size] in [0, 255], and their labels [B].

    In a pair the second digit is any image of the set except the first, in a place of its own; the two may overlap,
    and what overlaps adds up and is clipped. The label of a pair is that of both digits, see `pair_label`.
    """
    pool, labels = images
    examples, side = len(pool), pool.shape[-1]
    where = layout(chosen, examples, side, scene, seed, purpose, step)
    canvases, label = paint(pool, chosen, where, scene), labels.index_select(0, chosen)
    if not scene.pair:
        return Images(canvases, label)
    ahead = integers(seed, f"{purpose}: second digit", step, len(chosen), [max(examples - 1, 1)])[:, 0]
    second = (chosen + 1 + ahead.to(chosen.device)) % examples
    beside = layout(second, examples, side, scene, seed, f"{purpose}: second place", step)
    canvases = (canvases + paint(pool, second, beside, scene)).clamp_(max=255)
    return Images(canvases, pair_label(label, labels.index_select(0, second)))


def places(images: Images, chosen: Tensor, scene: Scene, seed: int, purpose: str, step: int) -> Tensor:
    """The middle (x, y) of the digits that `compose` lays out, in image coordinates: float32 [B, 2] in [-1, 1]."""
    side = images.pixels.shape[-1]
    where = layout(chosen, len(images.pixels), side, scene, seed, purpose, step)
    middle = torch.stack([where.left, where.top], dim=1) + (scene.sides[1] if scene.sides else side) / 2
    return middle * (2 / scene.size) - 1


def pair_label(one: Tensor, other: Tensor) -> Tensor:
    """The label of two digits, int64 [B]: which they are, not which is which, for nobody could tell that from the
    canvas. The pairs a <= b of K classes are numbered b (b + 1) / 2 + a, 0 ... K (K + 1) / 2 - 1."""
    smaller, larger = torch.minimum(one, other), torch.maximum(one, other)
    return larger * (larger + 1) // 2 + smaller


def pair_names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the pairs in the order of their labels: 00, 01, 11, 02, ..."""
    return tuple(classes[a] + classes[b] for b in range(len(classes)) for a in range(b + 1))


def place(images: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """Images [B, C, h, w] on zero canvases [B, C, height, width], the corner of image b at (top[b], left[b]).

    Each image is put in the upper left corner of its canvas. In memory, moving it down and right is then one shift:
    reading the canvas from `top * width + left` pixels earlier, where only zeros are met, for the image before it ends
    at least that far from its own canvas's end. So a canvas is one copy of one stretch of memory.
    """
    batch, channels, h, w = images.shape
    area = height * width
    corner = images.new_zeros((batch * channels + 1, height, width))  # one blank canvas ahead of the first
    corner[1:, :h, :w] = images.reshape(-1, h, w)
    stretches = corner.as_strided((batch * channels * area + 1, area), (1, 1))  # every stretch of one canvas's length
    starts = torch.arange(1, batch * channels + 1, device=images.device) * area
    moved = (top * width + left).repeat_interleave(channels)
    return stretches.index_select(0, starts - moved).view(batch, channels, height, width)


def shift(images: Tensor, down: Tensor, right: Tensor, reach: int) -> Tensor:
    """Images [B, C, H, W] moved by `down` and `right` pixels [B], each in [-reach, reach]; zeros come in."""
    height, width = images.shape[2:]
    wide = place(images, down + reach, right + reach, height + 2 * reach, width + 2 * reach)
    return wide[:, :, reach : reach + height, reach : reach + width]


def resized(images: Tensor, sides: Tensor, box: int) -> Tensor:
    """Square images uint8 [B, C, h, h] brought to `sides` [B] pixels, smoothly, each amid zeros [B, C, box, box]."""
    found = images.new_zeros((*images.shape[:2], box, box))
    for side in sides.unique().tolist():
        few, start = (sides == side).nonzero().squeeze(1), (box - side) // 2
        small = F.interpolate(images[few].float(), size=(side, side), mode="bilinear", antialias=True)
        found[few, :, start : start + side, start : start + side] = small.round().clamp(0, 255).to(torch.uint8)
    return found


def layout(chosen: Tensor, examples: int, side: int, scene: Scene, seed: int, purpose: str, step: int) -> Layout:
    """Random places for the digits `chosen` [B] of a pool of `examples` images of `side` pixels, and for their pieces.

    The digit and the pieces lie wholly inside the canvas, each place as likely as any other. A piece is a random crop,
    empty or not, of any image of the pool except the digit's own. Digits of several sizes, each as likely as any other,
    lie in the middle of boxes of the largest size, which are what is placed.
    """
    largest = scene.sides[1] if scene.sides else side
    room, cut, drop = scene.size - largest + 1, side - scene.piece_size + 1, scene.size - scene.piece_size + 1
    below = [room, room] + [max(examples - 1, 1), cut, cut, drop, drop] * scene.pieces
    drawn = integers(seed, purpose, step, len(chosen), below).to(chosen.device)
    ahead, cut_top, cut_left, piece_top, piece_left = drawn[:, 2:].reshape(len(chosen), -1, 5).unbind(2)
    other = (chosen[:, None] + 1 + ahead) % examples
    sides = None
    if scene.sides:
        smallest, largest = scene.sides
        sides = smallest + integers(seed, f"{purpose}: sides", step, len(chosen), [largest - smallest + 1])[:, 0]
    return Layout(drawn[:, 0], drawn[:, 1], other, cut_top, cut_left, piece_top, piece_left, sides)


def paint(pool: Tensor, chosen: Tensor, where: Layout, scene: Scene) -> Tensor:
    """Canvases int16 [B, 1, size, size] in [0, 255]: the digits `chosen` [B] of pool uint8 [N, 1, h, w] and the pieces.

    What overlaps adds up and is clipped.
    """
    digits = pool.index_select(0, chosen)
    if scene.sides and where.sides is not None:
        digits = resized(digits, where.sides.to(pool.device), scene.sides[1])
    canvas = place(digits, where.top, where.left, scene.size, scene.size).to(torch.int16)
    if scene.pieces:
        first = torch.arange(len(chosen), device=pool.device)[:, None] * scene.size**2
        corners = first + where.piece_top * scene.size + where.piece_left  # [B, P]
        across = torch.arange(scene.piece_size, device=pool.device)
        inside = across[:, None] * scene.size + across  # [piece_size, piece_size], from a piece's corner
        pixels = corners[:, :, None, None] + inside
        canvas.view(-1).index_add_(0, pixels.view(-1), _cut(pool, where, scene).to(torch.int16).view(-1))
    return canvas.clamp_(max=255)


def _cut(pool: Tensor, where: Layout, scene: Scene) -> Tensor:
    """The pieces, uint8 [B * P, piece_size, piece_size]: one stretch of memory each, from first to last pixel."""
    height, width = pool.shape[2:]
    length = (scene.piece_size - 1) * width + scene.piece_size
    stretches = pool.as_strided((pool.numel() - length + 1, length), (1, 1))
    corners = (where.other * height + where.cut_top) * width + where.cut_left
    cut = stretches.index_select(0, corners.view(-1))
    return cut.as_strided((len(cut), scene.piece_size, scene.piece_size), (length, width, 1)).contiguous()
