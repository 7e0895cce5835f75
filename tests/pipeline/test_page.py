"""Drawing primitives: exact along the axes, smooth elsewhere, cut off at the page's edge."""

import numpy as np
import pytest

from saccade.pipeline.animate.page import Box, Page, magnified_size, resize, shorten, text_width, to_pixels
from saccade.pipeline.animate.palette import gaze_shade, mix

BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


def test_a_box_locates_the_houses_coordinates():
    box = Box(10, 20, 100, 50)
    assert box.locate(-1, -1) == (10, 20)
    assert box.locate(1, 1) == (110, 70)
    assert box.locate(0, 0) == (60, 45)
    assert box.window(0, 0, 0.5, 0.2) == Box(35, 40, 50, 10)
    assert box.window(1, 1, 1, 1) == Box(60, 45, 100, 50)


def test_fill_and_outline_cover_whole_pixels():
    page = Page(20, 20, BLACK)
    page.outline(Box(5, 6, 7, 8), RED, 2)
    wanted = np.zeros((20, 20, 3), np.uint8)
    wanted[4:16, 3:14] = RED
    wanted[6:14, 5:12] = BLACK
    assert (page.pixels() == wanted).all()
    page.fill(Box(5, 6, 7, 8), WHITE, 0.5)
    assert (np.abs(page.pixels()[6:14, 5:12].astype(int) - 128) <= 1).all()
    page.fill(Box(0, 0, 0, 5), RED)
    assert (page.pixels()[:4] == 0).all()


def test_shapes_beyond_the_page_are_cut_off():
    page = Page(20, 20, BLACK)
    page.outline(Box(-1000, -1000, 1010, 1010), RED, 3)
    page.line((-50, 5), (70, 5), 2, WHITE)
    page.dot((500, 500), 10, WHITE)
    assert (page.pixels()[10, :10] == RED).all()
    assert (page.pixels()[5] == WHITE).all()
    assert (page.pixels()[15:, 15:] == BLACK).all()


@pytest.mark.parametrize("radius", [1.5, 4, 9.3])
def test_a_dot_has_the_area_of_its_circle_and_its_centre(radius):
    page = Page(40, 40, BLACK)
    page.dot((19.3, 21.6), radius, WHITE)
    coverage = page.pixels()[..., 0] / 255
    assert coverage.sum() == pytest.approx(np.pi * radius**2, rel=0.05)
    y, x = np.mgrid[:40, :40] + 0.5
    assert (coverage * x).sum() / coverage.sum() == pytest.approx(19.3, abs=0.05)
    assert (coverage * y).sum() / coverage.sum() == pytest.approx(21.6, abs=0.05)


def test_a_line_has_the_area_of_its_length_and_round_ends():
    page = Page(60, 60, BLACK)
    page.line((10.5, 12.0), (40.0, 47.0), 4, WHITE)
    area = 4 * np.hypot(29.5, 35.0) + np.pi * 4
    assert page.pixels()[..., 0].sum() / 255 == pytest.approx(area, rel=0.03)


def test_a_rounded_rectangle_loses_its_corners_and_keeps_its_sides():
    page = Page(40, 30, BLACK)
    page.rounded(Box(5, 5, 30, 20), 6, WHITE)
    area = 30 * 20 - (4 - np.pi) * 36
    assert page.pixels()[..., 0].sum() / 255 == pytest.approx(area, rel=0.01)
    assert (page.pixels()[5, 5] == BLACK).all()
    assert (page.pixels()[15, 5:35] == WHITE).all()
    hollow = Page(40, 30, BLACK)
    hollow.rounded(Box(5, 5, 30, 20), 6, WHITE, 2)
    assert (hollow.pixels()[15, 7:33] == BLACK).all()
    assert (hollow.pixels()[15, 5:7] == WHITE).all()


@pytest.mark.parametrize(("size", "room", "wanted"), [(28, 336, 336), (60, 336, 300), (100, 336, 336), (800, 336, 336)])
def test_an_image_is_magnified_by_a_whole_number_where_pixels_can_be_told_apart(size, room, wanted):
    assert magnified_size(size, size, room) == (wanted, wanted)
    assert magnified_size(size, size // 2, room) == (wanted, wanted // 2)


def test_magnified_pixels_are_crisp():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    magnified = np.asarray(resize(pixels, 20, 15))
    assert (magnified == pixels.repeat(5, axis=0).repeat(5, axis=1)).all()


def test_resizing_keeps_the_mean():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for side in (10, 50, 90):
        assert np.asarray(resize(pixels, side, side)).mean() == pytest.approx(pixels.mean(), abs=0.7)


def test_grey_and_rgb_images_become_pixels():
    assert (to_pixels(np.full((1, 2, 2), 0.5)) == 128).all()
    assert to_pixels(np.array([1.0, 0.0, 2.0])[:, None, None])[0, 0].tolist() == [255, 0, 255]


@pytest.mark.parametrize("width", [30, 60, 100, 400])
def test_shortened_text_fits(width):
    text = "a long name of a class"
    short = shorten(text, width, 15)
    assert text_width(short, 15) <= width
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@pytest.mark.parametrize(("align", "x"), [("left", 10), ("middle", 50), ("right", 90)])
def test_text_stands_at_its_x(align, x):
    page = Page(100, 30, BLACK)
    page.text("HHHH", x, 20, 15, WHITE, align=align)
    columns = np.nonzero(page.pixels().any(axis=(0, 2)))[0]
    ends = {"left": columns[0], "middle": (columns[0] + columns[-1]) / 2, "right": columns[-1]}
    assert ends[align] == pytest.approx(x, abs=2.5)
    assert np.nonzero(page.pixels().any(axis=(1, 2)))[0][-1] == 19  # the last row above the baseline


def test_shades_run_from_the_finest_to_the_coarsest():
    assert mix(BLACK, WHITE, 0.5) == (128, 128, 128)
    for count in (1, 2, 3, 4, 6):
        shades = [gaze_shade(i, count) for i in range(count)]
        assert len(set(shades)) == count
        assert shades == sorted(shades, key=sum)
