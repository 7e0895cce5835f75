"""Find the ink in a person's picture: by its contrast in colour with the paper, which may be lit unevenly."""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy import ndimage

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
    wide = np.pad(pixels.astype(np.int16), ((1, 1), (1, 1), (0, 0)), mode="edge")
    count = np.zeros((height, width), np.int8)
    for down, right in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        other = wide[down : down + height, right : right + width]
        count += (np.abs(other - centres).max(axis=2) <= ALIKE).astype(np.int8)
    return count


def _contrast(lab: Float[np.ndarray, "h w 3"]) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return each pixel's distance from the paper's colour, and the mask of the paper.

    The paper is a quadratic surface through all that is not ink. Two starts, the border and the whole picture; the one
    that explains more of the picture wins.
    """
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    surface = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=2).reshape(-1, 6).astype(np.float32)
    colours, rim = lab.reshape(-1, 3), max(1, min(height, width) // 20)
    border = np.full((height, width), True)
    border[rim:-rim, rim:-rim] = False
    found = [_fitted(surface, colours, start) for start in (border.ravel(), np.full(len(colours), True))]
    distance, paper = min(found, key=lambda one: float(np.median(one[0])))
    return distance.reshape(height, width), paper.reshape(height, width)


def _fitted(surface: np.ndarray, colours: np.ndarray, paper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the paper, leave out what stands out, and fit again; return the distances [N] and the mask of the paper."""
    distance = np.zeros(len(colours), np.float32)
    for terms in (1, 3, 3, 6, 6, 6, 6):  # a constant, a plane, a quadratic surface
        chosen = surface[paper, :terms].astype(np.float64)
        # the normal equations: ten times faster than lstsq on all pixels, and as good for terms of at most 1
        weights = np.linalg.lstsq(chosen.T @ chosen, chosen.T @ colours[paper])[0].astype(np.float32)
        off = colours - surface[:, :terms] @ weights
        distance = np.sqrt(np.einsum("ij,ij->i", off, off))
        paper = distance <= max(2.0, 2.5 * float(np.median(distance[paper])))
    return distance, paper
