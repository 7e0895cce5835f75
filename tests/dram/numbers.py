"""100 pictures of numbers of two to four digits, from fonts and hands, as a person might give them. Deterministic.

Not used for training or for any threshold.
"""

from collections.abc import Iterator

import numpy as np

from tests.images.pictures import FONTS, Made, glyph, hand, treated

TREATMENTS = (
    *("plain", "light on dark", "grey on grey", "colours", "equal brightness", "transparent", "white on transparent"),
    *("box", "ruled", "speckle", "photograph", "rotated", "thin", "thick", "small", "corner"),
)


def side_by_side(parts: list[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Put digits beside one another, at slightly different heights; ink [H, W] in [0, 1]."""
    rise = int(max(part.shape[0] for part in parts) * 0.1)
    height = max(part.shape[0] for part in parts) + 2 * rise
    columns = []
    for part in parts:
        top = (height - part.shape[0]) // 2 + int(generator.integers(-rise, rise + 1))
        columns.append(np.pad(part, ((top, height - part.shape[0] - top), (0, int(generator.integers(6, 40))))))
    return np.concatenate(columns, axis=1)


def cropped(ink: np.ndarray) -> np.ndarray:
    """Crop a handwritten digit to its ink."""
    rows, columns = (np.flatnonzero((ink > 0.4).any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def numbers(hands: list[tuple[np.ndarray, int]], count: int = 100, seed: int = 0) -> Iterator[Made]:
    """Make pictures of numbers: every other one handwritten, if there are hands (digits uint8 [28, 28] and labels)."""
    for index in range(count):
        generator, how = np.random.default_rng([3, index, seed]), TREATMENTS[index % len(TREATMENTS)]
        digits = int(generator.integers(2, 5))
        if index % 2 and hands:
            chosen = [hands[k] for k in generator.integers(len(hands), size=digits)]
            ink = side_by_side([cropped(hand(pixels)) for pixels, _ in chosen], generator)
            text, source = "".join(str(label) for _, label in chosen), "hand"
        else:
            text = "".join(str(k) for k in generator.integers(10, size=digits))
            source = FONTS[generator.integers(len(FONTS))]
            ink = glyph(text, generator, size=120, font=source)
        yield Made(f"{index:03d} {how}, {source}", treated(ink, how, generator), text)
