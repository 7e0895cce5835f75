"""One palette for all frames of a GIF, so that nothing flickers: no dither, and flat colours keep their exact value."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saccade.pipeline.animate.page import Pixels

EXACT = 64  # the commonest colours, which a palette that cannot hold all keeps as they are
ENOUGH = 20_000  # pixels from which the palette's other colours are chosen


def one_palette(frames: Sequence[Pixels], size: int) -> tuple[NDArray[np.uint8], list[NDArray[np.uint8]]]:
    """Return at most `size` (65 to 256) colours for frames [H, W, 3], and each frame as their indices [H, W].

    Where all frames together have no more colours than that, every pixel is exact. Else the commonest are, and the
    others become the nearest of the palette.
    """
    codes, counts = _count(frames)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)  # [N, 3]
    palette = colours if len(codes) <= size else _choose(colours, counts, size)
    index_of = np.zeros(1 << 24, np.uint8)
    index_of[codes] = _nearest(colours, palette)
    return palette, [index_of[_codes(frame)] for frame in frames]


def _codes(frame: Pixels) -> NDArray[np.integer]:
    """Return each pixel's colour as one number [H, W]."""
    wide = frame.astype(np.uint32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _count(frames: Sequence[Pixels]) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Count the pixels of every colour of all frames: colours [N], ascending, and counts [N]."""
    found = [np.unique(_codes(frame), return_counts=True) for frame in frames]
    codes, places = np.unique(np.concatenate([codes for codes, _ in found]), return_inverse=True)
    counts = np.zeros(len(codes), np.int64)
    np.add.at(counts, places, np.concatenate([counts for _, counts in found]))
    return codes, counts


def _choose(colours: Pixels, counts: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Choose the commonest colours, and others by maximum coverage, so that no pixel changes much [n, 3]."""
    order = np.argsort(-counts, kind="stable")
    common, rest = order[:EXACT], np.sort(order[EXACT:])
    weights = np.ceil(np.sqrt(counts[rest])).astype(np.int64)
    many = np.repeat(colours[rest], np.minimum(weights, 64), axis=0)
    many = many[:: 1 + len(many) // ENOUGH]
    found = Image.fromarray(many[None]).quantize(size - EXACT, Image.Quantize.MAXCOVERAGE, kmeans=4).getpalette() or []
    others = np.array(found, np.uint8).reshape(-1, 3)[: size - EXACT]
    return np.unique(np.concatenate([colours[common], others]), axis=0)


def _nearest(colours: Pixels, palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return for each colour [N, 3] the index of the palette's nearest [N]."""
    wide = palette.astype(np.float32)
    chunks = np.array_split(colours.astype(np.float32), len(colours) // 4096 + 1)
    bias = (wide**2).sum(axis=1)
    return np.concatenate([(bias - 2 * chunk @ wide.T).argmin(axis=1) for chunk in chunks]).astype(np.uint8)
