"""Frames of drawings: that windows and canvases stand where, and are as large as, the trace says."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from saccade.draw.completion import Ending
from saccade.draw.model import Step, Stroke
from saccade.draw.picture import BORDER, GIVEN, HEIGHT, PANELS, TILE, TILE_PROGRESS, WIDEST, WIDTH, picture, tile
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.pipeline.animate.page import Box, magnified_size
from saccade.pipeline.animate.palette import BELIEF, GAZE, STAGE, Colour
from saccade.pipeline.contract import Episode, Trace
from tests.images.cases import facts_of

MIDDLE = PANELS[0]._replace(left=(WIDTH - PANELS[0].width) // 2)
BRIGHT = 60.0  # a logit


def rows(*windows: tuple[float, ...]) -> torch.Tensor:
    """Windows (x, y, half-width, half-height[, sigma]) of steps to [T, 1, 6]."""
    full = [(*window[:4], window[4] if len(window) > 4 else 0.5, 1.0) for window in windows]
    return torch.tensor(full, dtype=torch.float32)[:, None]


def trace_of(outputs: Any, images: torch.Tensor, label: int) -> Trace:
    facts = facts_of(Shape(*images.shape[1:], classes=1))
    return Trace("draw", outputs, Episode(None), ImageBatch(images, torch.tensor([label])), facts)


def drawn(write: torch.Tensor, canvas: torch.Tensor | None = None) -> Trace:
    """A trace of drawing from nothing; a black canvas by default."""
    canvas = torch.full((len(write), 1, 1, 28, 28), -BRIGHT) if canvas is None else canvas
    strokes = Stroke(canvas, write, torch.zeros(len(write), 1, 1))
    return trace_of(strokes, torch.sigmoid(canvas[-1]), -1)


def redrawn(write: torch.Tensor, read: torch.Tensor, image: torch.Tensor) -> Trace:
    made = drawn(write).outputs
    nothing = torch.zeros(len(write), 1, 4)
    step = Step(made.canvas, write, made.log_scale, read, nothing, nothing)
    return trace_of(step, image, 0)


def inside(panel: Box, shape: tuple[int, int] = (28, 28)) -> Box:
    """The box that an image takes in a panel."""
    width, height = magnified_size(shape[1], shape[0], round(panel.width * (1 - 2 * BORDER)))
    return Box(panel.left + (panel.width - width) // 2, panel.top + (panel.height - height) // 2, width, height)


def has(pixels: NDArray[Any], colour: Colour) -> NDArray[np.bool_]:
    return (pixels == np.array(colour, np.uint8)).all(axis=2)


def around(pixels: NDArray[Any], colour: Colour, panel: Box | None = None) -> tuple[int, ...]:
    """Bounding box (left, top, right, bottom) of a colour's pixels (in a panel); right and bottom beyond the last."""
    found = has(pixels, colour)
    if panel:
        within = np.zeros_like(found)
        within[panel.top : panel.top + panel.height, panel.left : panel.left + panel.width] = True
        found &= within
    y, x = np.nonzero(found)
    return x.min(), y.min(), x.max() + 1, y.max() + 1


def thickness(pixels: NDArray[Any], colour: Colour, y: int) -> int:
    """Pixels of the left edge of a frame in a row that only its sides cross."""
    return int(has(pixels, colour)[y].sum()) // 2


@pytest.mark.parametrize(
    ("x", "y", "half_width", "half_height"), [(0.0, 0.0, 0.5, 0.5), (-0.5, 0.25, 0.25, 0.25), (0.5, 0.5, 0.375, 0.25)]
)
def test_the_window_that_writes_frames_its_pixels(x: float, y: float, half_width: float, half_height: float) -> None:
    pixels = picture(drawn(rows((x, y, half_width, half_height))), 0, 0)
    assert pixels.shape == (HEIGHT, WIDTH, 3) and pixels.dtype == np.uint8
    image, thick = inside(MIDDLE), 3  # sigma 0.5 of 12 screen pixels, halved
    left = image.left + (x - half_width + 1) / 2 * image.width
    top = image.top + (y - half_height + 1) / 2 * image.height
    right, bottom = left + half_width * image.width, top + half_height * image.height
    found = around(pixels, GAZE)
    assert found == pytest.approx((left - thick, top - thick, right + thick, bottom + thick), abs=0.51)
    hollow = has(pixels, GAZE)[round(top) + 1 : round(bottom) - 1, round(left) + 1 : round(right) - 1]
    assert not hollow.any()  # all that is inside stays visible


def test_the_frame_is_as_wide_as_the_filters_are_blurred() -> None:
    image = inside(MIDDLE)
    scale, widest = image.width / 28, round(WIDEST * MIDDLE.width)
    found = {}
    for sigma in (0.01, 0.5, 0.7, 1.2, 50.0):
        pixels = picture(drawn(rows((0.0, 0.0, 0.5, 0.5, sigma))), 0, 0)
        found[sigma] = thickness(pixels, GAZE, image.top + image.height // 2)
    expected = {sigma: round(min(max(2, round(sigma * scale / 2)), widest)) for sigma in found}
    assert found == expected
    assert list(found.values()) == sorted(found.values()) and len(set(found.values())) >= 4


@pytest.mark.parametrize("window", [(0.9, 0.0, 0.5, 0.5), (-3.0, -3.0, 0.4, 0.4), (0.0, 0.0, 900.0, 900.0)])
def test_a_window_beyond_the_border_is_cut_off_at_its_panel(window: tuple[float, ...]) -> None:
    pixels = picture(drawn(rows(window)), 0, 0)
    found = has(pixels, GAZE)
    panel = found[MIDDLE.top : MIDDLE.top + MIDDLE.height, MIDDLE.left : MIDDLE.left + MIDDLE.width]
    assert found.sum() == panel.sum()
    if window[0] == 0.9:  # in part on the panel: three of its sides
        left, top, right, bottom = around(pixels, GAZE)
        assert right == MIDDLE.left + MIDDLE.width
        assert left > inside(MIDDLE).left + inside(MIDDLE).width / 2
        assert not panel[:, -1].all() and panel[:, -1].any()
        assert (bottom - top) == pytest.approx(inside(MIDDLE).height / 2 + 6, abs=2)
    else:  # wholly off
        assert not found.any()


def test_the_canvas_is_shown_at_its_place_in_its_own_greys() -> None:
    canvas = torch.full((1, 1, 1, 28, 28), -BRIGHT)
    canvas[0, 0, 0, 3, 20] = BRIGHT  # row 3, column 20
    canvas[0, 0, 0, 10, 5] = 0.0
    pixels = picture(drawn(rows((3.0, 3.0, 0.1, 0.1)), canvas), 0, 0)
    image = inside(MIDDLE)
    cell = image.width // 28
    assert cell * 28 == image.width
    left, top = image.left + 20 * cell, image.top + 3 * cell
    assert (pixels[top : top + cell, left : left + cell] == 255).all()
    grey = pixels[image.top + 10 * cell + 1, image.left + 5 * cell + 1]
    assert (np.abs(grey.astype(int) - 127.5) <= 1).all()
    assert (pixels[MIDDLE.top + 1, MIDDLE.left + 1] == STAGE).all()


def test_between_two_steps_the_window_glides_and_the_canvas_fades() -> None:
    canvas = torch.full((2, 1, 1, 28, 28), -BRIGHT)
    canvas[0, 0, 0, 14, 14], canvas[1, 0, 0, 14, 14] = -2.0, 2.0
    trace = drawn(rows((-0.5, 0.0, 0.2, 0.2), (0.5, 0.0, 0.2, 0.2)), canvas)
    lefts = [around(picture(trace, t, 0), GAZE)[0] for t in (0, 0.25, 0.5, 1)]
    image = inside(MIDDLE)
    steps = np.diff(lefts) / (image.width / 2)
    assert steps == pytest.approx([0.25, 0.25, 0.5], abs=0.02)
    middle = image.top + image.height * 29 // 56, image.left + image.width * 29 // 56
    assert abs(int(picture(trace, 0.5, 0)[middle][0]) - 127.5) <= 1


def test_redrawing_shows_the_image_and_what_is_read_beside_the_canvas() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 20, 2] = 1
    read, write = rows((0.5, -0.5, 0.25, 0.25)), rows((-0.25, 0.25, 0.375, 0.375))
    pixels = picture(redrawn(write, read, image), 0, 0)
    left, right = inside(PANELS[0]), inside(PANELS[1])
    cell = left.width // 28
    assert (pixels[left.top + 20 * cell + 2, left.left + 2 * cell + 2] == 255).all()
    assert (pixels[right.top + 20 * cell + 2, right.left + 2 * cell + 2] == 0).all()
    for colour, box, (x, y, half) in ((BELIEF, left, (0.5, -0.5, 0.25)), (GAZE, right, (-0.25, 0.25, 0.375))):
        found = around(pixels, colour)
        expected = box.window(x, y, half, half)
        assert found == (
            expected.left - 3,
            expected.top - 3,
            expected.left + expected.width + 3,
            expected.top + expected.height + 3,
        )


def test_tiles_show_windows_until_the_last_step() -> None:
    image = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    write, read = rows((0.0, 0.0, 0.5, 0.5)).repeat(3, 1, 1), rows((0.0, 0.0, 0.5, 0.5)).repeat(3, 1, 1)
    alone, beside = drawn(write), redrawn(write, read, image)
    assert tile(alone, 0, 0).shape == (TILE + TILE_PROGRESS, TILE, 3)
    assert tile(beside, 0, 0).shape[1] > 2 * TILE
    for t, seen in ((0, True), (1, True), (2, False)):
        assert has(tile(alone, t, 0), GAZE).any() == seen
        assert has(tile(beside, t, 0), BELIEF).any() == has(tile(beside, t, 0), GAZE).any() == seen


def test_an_ending_lays_what_was_given_over_the_canvas_in_blue() -> None:
    canvas = torch.full((1, 1, 1, 28, 28), -BRIGHT)
    canvas[0, 0, 0, 4, 4] = canvas[0, 0, 0, 20, 20] = BRIGHT  # the first is not what was given
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 6, 6] = image[0, 0, 24, 24] = 1  # the second is not given
    given = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    given[:, :, :14] = True
    made = drawn(rows((3.0, 3.0, 0.1, 0.1)), canvas).outputs
    trace = trace_of(Ending(made.canvas, made.write, made.log_scale, given), image, -1)
    pixels, box = picture(trace, 0, 0), inside(MIDDLE)
    cell = box.width // 28

    def at(row: int, column: int) -> NDArray[Any]:
        return pixels[box.top + row * cell + cell // 2, box.left + column * cell + cell // 2]

    ink = np.rint(255 * (1 - GIVEN) + np.array(BELIEF) * GIVEN)
    paper = np.rint(np.array(BELIEF) * GIVEN)
    assert (at(6, 6) == ink).all()
    assert (at(4, 4) == paper).all()
    assert (at(20, 20) == 255).all()
    assert (at(24, 24) == 0).all()
    assert (at(13, 0) == paper).all() and (at(14, 0) == 0).all()


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 33), (3, 100, 30), (1, 8, 8)])
def test_frames_have_one_size_for_any_image(shape: tuple[int, int, int]) -> None:
    canvas = torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    trace = drawn(rows((0.0, 0.0, 0.4, 0.3), (0.1, 0.0, 0.4, 0.3)), canvas)
    for t in (0, 0.5, 1):
        assert picture(trace, t, 0).shape == (HEIGHT, WIDTH, 3)
        assert tile(trace, t, 0).shape == (TILE + TILE_PROGRESS, TILE, 3)
        assert (picture(trace, t, 0) == picture(trace, t, 0)).all()
