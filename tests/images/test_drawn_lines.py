"""Boxes and ruled lines are removed; digits that look like them stay."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from saccade.images.drawn_lines import without_lines


def mask(*lines: tuple[int, int, int, int], width: int = 6) -> np.ndarray:
    """Draw lines (left, top, right, bottom) on 200 x 160: bool [160, 200]."""
    image = Image.new("1", (200, 160))
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=1, width=width)
    return np.asarray(image)


SEVEN = mask((80, 40, 120, 40), (120, 40, 95, 120))
BOX = mask((20, 10, 180, 12), (180, 12, 178, 150), (178, 150, 18, 148), (18, 148, 20, 10), width=3)
RULES = mask((0, 30, 199, 33), (0, 80, 199, 83), (0, 130, 199, 133), width=2)


def test_a_box_is_removed_and_its_digit_stays() -> None:
    assert np.array_equal(without_lines(SEVEN | BOX), SEVEN)


def test_ruled_lines_are_removed_and_crossing_strokes_stay() -> None:
    left = without_lines(SEVEN | RULES)
    assert (left & ~SEVEN).sum() <= 20
    assert (SEVEN & ~left).sum() <= 0.05 * SEVEN.sum()


@pytest.mark.parametrize(
    "form",
    [
        mask((5, 5, 195, 5), (195, 5, 60, 155)),  # a seven that fills its picture
        mask((100, 0, 100, 159)),  # a one
        mask((10, 5, 10, 90), (10, 90, 195, 90), (150, 0, 150, 159)),  # an open four
        mask((60, 10, 140, 10), (140, 10, 140, 150), (140, 150, 60, 150), (60, 150, 60, 10)),  # a square nought
    ],
    ids=["seven", "one", "four", "nought"],
)
def test_a_digit_of_straight_strokes_stays(form: np.ndarray) -> None:
    assert np.array_equal(without_lines(form), form)
