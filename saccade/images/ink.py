"""Find the ink in a person's picture: by its contrast in colour with the paper, which may be lit unevenly."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy import linalg, ndimage

FAINTEST = 6.0
"""Least distance in CIELAB between the paper and the strongest ink; below it there is no ink. Black to white is 100."""

PAPER = 0.12
"""Contrast below this share of the strongest is paper: shadows, grain, the noise of JPEG."""

LARGEST, LARGEST_SPECKLED = 320, 640
"""Longest side in pixels at which ink is searched for; at which speckle is removed, before the rest is averaged."""

SPECKLED = 0.005
"""Share of isolated pixels from which a picture is speckled."""

FEWEST_SPECKS = 8
"""Specks that a small picture may have before they are taken away."""

ALIKE = 40
"""Grey levels: neighbouring pixels that differ by no more, in every channel, belong together."""

_factored, _solved = linalg.get_lapack_funcs(("potrf", "potrs"), dtype=np.float64)
"""Cholesky's factor, and the solution with it: for six unknowns ten times faster than their wrappers."""

_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def find_ink(pixels: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "h w"] | None:
    """Return the amount of ink in [0, 1], in a picture of at most 320 pixels a side: 0 paper, 1 the strongest ink.

    Ink is what differs from the paper, in brightness or in colour alone. None: there is none.
    """
    lab = to_lab(_shrunk(_without_speckle(_shrunk(pixels, LARGEST_SPECKLED)), LARGEST))
    contrast, paper = _contrast(lab)
    top = np.sort(contrast, axis=None)[-max(8, contrast.size // 2000) :]
    strongest, grain = float(top.mean()), float(np.quantile(contrast[paper], 0.95))
    if strongest < max(FAINTEST, 2.5 * grain):
        return None
    least = max(PAPER * strongest, 1.5 * grain)
    return ((contrast - least) / max(strongest - least, 1e-6)).clip(0, 1).astype(np.float32)


def to_lab(pixels: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """Convert sRGB to CIELAB (white D65): equal distances look about equally different."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    xyz = linear[pixels] @ (_XYZ / _XYZ.sum(axis=1, keepdims=True)).T
    x, y, z = np.moveaxis(np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * 841 / 108 + 4 / 29), 2, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=2).astype(np.float32)


def _shrunk(pixels: np.ndarray, largest: int) -> np.ndarray:
    """Average a large picture down, which removes the grain of a photograph."""
    image = Image.fromarray(pixels)
    image.thumbnail((largest, largest), Image.Resampling.BOX)
    return np.asarray(image)


def _without_speckle(pixels: np.ndarray) -> np.ndarray:
    """Replace specks by the median of their surroundings, twice, where there are many; lines stay.

    A speck is like at most one of its eight neighbours, of which at least six are alike. A line's pixel is like two.
    """
    for most_alike in (0, 1, 1):
        lonely = _alike(pixels, pixels) <= most_alike
        if most_alike == 0 and lonely.sum() < _fewest(lonely):
            return pixels
        smooth = ndimage.median_filter(pixels, size=(3, 3, 1))
        specks = lonely & (_alike(pixels, smooth) >= 6)
        if most_alike == 0 and specks.sum() < _fewest(lonely):
            return pixels
        pixels = np.where(specks[..., None], smooth, pixels)
    return pixels


def _fewest(lonely: np.ndarray) -> float:
    return max(SPECKLED * lonely.size, FEWEST_SPECKS)


def _alike(pixels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Count, for each centre, the eight neighbours that differ by at most `ALIKE` in every channel: int8 [H, W]."""
    height, width = pixels.shape[:2]
    own = np.ascontiguousarray(np.moveaxis(centres, 2, 0), np.int16)
    wide = np.pad(np.moveaxis(pixels, 2, 0).astype(np.int16), ((0, 0), (1, 1), (1, 1)), mode="edge")
    count = np.zeros((height, width), np.int8)
    for down, right in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        apart = np.abs(wide[:, down : down + height, right : right + width] - own)
        count += apart.max(axis=0) <= ALIKE
    return count


def _contrast(lab: Float[np.ndarray, "h w 3"]) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return each pixel's distance from the paper's colour, and the mask of the paper.

    The paper is a quadratic surface through all that is not ink. Two starts, the border and the whole picture; the one
    that explains more of the picture wins.
    """
    height, width = lab.shape[:2]
    colours, rim = np.ascontiguousarray(np.moveaxis(lab, 2, 0)).reshape(3, -1), max(1, min(height, width) // 20)
    border = np.full((height, width), True)
    border[rim:-rim, rim:-rim] = False
    surface = _surface(height, width)
    found = [_fitted(surface, colours, start) for start in (border.ravel(), np.full(height * width, True))]
    distance, paper = min(found, key=lambda one: float(np.median(one[0])))
    return distance.reshape(height, width), paper.reshape(height, width)


@lru_cache(maxsize=8)
def _surface(height: int, width: int) -> Float[np.ndarray, "6 N"]:
    """Return the terms of a quadratic surface over a picture."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y]).reshape(6, -1)


def _fitted(surface: np.ndarray, colours: np.ndarray, paper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the paper, leave out what stands out, and fit again; return the distances [N] and the mask of the paper."""
    distance = np.zeros(colours.shape[1], np.float32)
    before, terms_before = None, 0
    for terms in (1, 3, 3, 6, 6, 6, 6):  # a constant, a plane, a quadratic surface
        if terms == terms_before and before is not None and np.array_equal(before, paper):
            continue  # the same fit again
        before, terms_before = paper, terms
        weights = _least_squares(surface[:terms], colours, paper).astype(np.float32)
        off = colours - weights.T @ surface[:terms].astype(np.float32)
        distance = np.sqrt((off * off).sum(axis=0))
        paper = distance <= max(2.0, 2.5 * float(np.median(distance[paper])))
    return distance, paper


def _least_squares(terms: np.ndarray, colours: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Return the weights [terms, 3] of the surface through the paper's colours, by the normal equations.

    They are ten times faster than lstsq on all pixels, and as good for terms of at most 1.
    """
    chosen = terms[:, paper]
    products, sums = chosen @ chosen.T, chosen @ colours[:, paper].T.astype(np.float64)
    factor, failed = _factored(products, lower=1)
    pivots = np.diagonal(factor)
    if failed or pivots.min() < 1e-4 * pivots.max():  # paper on a line: the least weights of all that fit
        return np.linalg.lstsq(products, sums)[0]
    return _solved(factor, sums, lower=1)[0]
