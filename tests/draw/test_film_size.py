"""A film of 36 digits is small and shows the finished ones for 2 s; a sheet says what is what."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.draw.painter import Painter
from saccade.pipeline.animate.film import CAPTION_HEIGHT, captioned

MOST_BYTES = 3_000_000


@pytest.mark.timeout(120)
def test_a_film_of_36_digits_is_small_and_holds_them(tmp_path: Path) -> None:
    painter = saccade.load("draw-mnist")
    assert isinstance(painter, Painter)
    drawings = painter.generate(36, seed=0)
    path = saccade.film(drawings.trace, tmp_path / "36.gif", seconds=0.15)
    assert path.stat().st_size <= MOST_BYTES
    with Image.open(path) as film:
        film.seek(getattr(film, "n_frames", 1) - 1)
        assert film.info["duration"] >= 2000


def test_a_caption_stands_above_a_sheet_and_fits() -> None:
    sheet = np.full((50, 300, 3), 255, np.uint8)
    found = captioned(sheet, "left: the image; right: what is drawn")
    assert found.shape == (50 + CAPTION_HEIGHT, 300, 3)
    assert (found[CAPTION_HEIGHT:] == 255).all() and found[:CAPTION_HEIGHT].std() > 5
    assert (found[:CAPTION_HEIGHT, :10] == found[0, 0]).all()  # nothing is cut off at the sides
    assert captioned(sheet, "") is sheet
