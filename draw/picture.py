"""One frame of a drawing: the canvas so far with the writing window; for a reconstruction, also the image.

For an ending, the given pixels are drawn on the canvas in the colour of the reading window.

`t` counts steps from 0; between two whole numbers windows glide and the canvas fades. A window's frame is wider for
blurrier filters, as in the paper's figures.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from saccade.pipeline.animate.page import Box, Page, Pixels, magnified_size, resize, to_pixels
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, INK, QUIET, STAGE, Colour
from saccade.pipeline.contract import Trace
from saccade.recurrent.tree import count

WIDTH, HEIGHT, MARGIN = 960, 540, 32
TITLE_BASELINE, CAPTION_BASELINE, PROGRESS_TOP = 46, 88, 514
PANELS = Box(MARGIN, 98, 400, 400), Box(WIDTH - MARGIN - 400, 98, 400, 400)
BORDER = 0.06  # of a panel's side, kept free around the image for windows that reach beyond it
TILE, TILE_PROGRESS = 160, 6
SMALL_TILE, MANY, LEVELS = 96, 16, 32
"""Side of a tile on a wall of more than `MANY` examples, and its levels of each colour: the film would be large."""

WIDEST = 0.025  # of a panel's side, the frame of the blurriest window
GIVEN = 0.4  # how far towards blue the given pixels of an ending are tinted


class Frame(NamedTuple):
    """The contents of a frame: canvas and image [C, H, W] in [0, 1] and windows, see `windows.RECTANGLE`."""

    step: float
    steps: int
    canvas: NDArray[np.floating]
    write: NDArray[np.floating]
    image: NDArray[np.floating] | None
    read: NDArray[np.floating] | None
    given: NDArray[np.bool_] | None  # [H, W], of an ending


def read_frame(trace: Trace, t: float, example: int) -> Frame:
    """Read one example at time t from a trace; without the image if the network did not read one."""
    outputs, before, after = trace.outputs, math.floor(t), math.ceil(t)

    def at(values: Tensor) -> NDArray[np.floating]:
        first, second = (values[i, example].detach().float().cpu().numpy() for i in (before, after))
        return first + (second - first) * (t - before)

    canvas = 1 / (1 + np.exp(-np.clip(at(outputs.canvas), -60, 60)))
    reads, ends = hasattr(outputs, "read"), hasattr(outputs, "given")
    image = trace.batch.images[example].detach().float().cpu().numpy() if reads or ends else None
    given = outputs.given[before, example].cpu().numpy() if ends else None
    read = at(outputs.read) if reads else None
    return Frame(t, len(outputs.canvas), canvas, at(outputs.write), image, read, given)


def finished(now: Frame) -> Pixels:
    """Return the canvas uint8 [H, W, 3], with the given pixels of an ending drawn over it and tinted."""
    canvas = to_pixels(now.canvas)
    if now.given is None or now.image is None:
        return canvas
    tinted = to_pixels(now.image) * (1 - GIVEN) + np.array(BELIEF) * GIVEN
    return np.where(now.given[:, :, None], np.rint(tinted).astype(np.uint8), canvas)


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the large frame: uint8 [540, 960, 3]."""
    now = read_frame(trace, t, example)
    page = Page(WIDTH, HEIGHT)
    x = page.text(f"Step {math.floor(now.step) + 1} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {now.steps}", x, TITLE_BASELINE, 26, QUIET)
    if now.image is None or now.read is None:
        middle = PANELS[0]._replace(left=(WIDTH - PANELS[0].width) // 2)
        _panel(page, middle, finished(now), now.write, GAZE)
        part = "the canvas" if now.given is None else "what was given, in blue, the canvas"
        page.text(f"{part}, and the window that writes", middle.left, CAPTION_BASELINE, 15, QUIET)
    else:
        _panel(page, PANELS[0], to_pixels(now.image), now.read, BELIEF)
        _panel(page, PANELS[1], finished(now), now.write, GAZE)
        page.text("the image, and the window that reads", PANELS[0].left, CAPTION_BASELINE, 15, QUIET)
        page.text("the canvas, and the window that writes", PANELS[1].left, CAPTION_BASELINE, 15, QUIET)
    _progress(page, Box(MARGIN, PROGRESS_TOP, WIDTH - 2 * MARGIN, 5), now)
    return page.pixels()


def tile(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the small frame for a grid of many examples: the canvas, and to its left the image if one was read.

    The last frame has no window. Returns uint8 [166, 160 or 328, 3]; smaller on a wall of many.
    """
    now = read_frame(trace, t, example)
    done, many = now.step == now.steps - 1, count(trace.batch) > MANY
    side, drawn = SMALL_TILE if many else TILE, finished(now)
    if many:
        drawn = np.rint(np.rint(drawn * ((LEVELS - 1) / 255)) * (255 / (LEVELS - 1))).astype(np.uint8)
    left = 0 if now.read is None else side + 2 * TILE_PROGRESS - 4
    page = Page(left + side, side + TILE_PROGRESS)
    if now.image is not None and now.read is not None:
        _panel(page, Box(0, 0, side, side), to_pixels(now.image), None if done else now.read, BELIEF)
    _panel(page, Box(left, 0, side, side), drawn, None if done else now.write, GAZE)
    _progress(page, Box(0, side + TILE_PROGRESS - 2, left + side, 2), now)
    return page.pixels()


def _panel(page: Page, panel: Box, pixels: Pixels, window: NDArray[np.floating] | None, colour: Colour) -> None:
    """Draw an image with a window over it, cropped to the panel."""
    stage = Page(panel.width, panel.height, STAGE)
    room = round(panel.width * (1 - 2 * BORDER))
    width, height = magnified_size(pixels.shape[1], pixels.shape[0], room)
    box = Box((panel.width - width) // 2, (panel.height - height) // 2, width, height)
    stage.paste(resize(pixels, width, height), box.left, box.top)
    if window is not None:
        x, y, half_width, half_height, sigma, _ = window.tolist()
        thickness = round(min(sigma * width / pixels.shape[1] / 2, WIDEST * panel.width))
        reach = 3 * max(panel.width, panel.height)  # a window far outside the image is cropped before it is drawn
        frame = box.window(x, y, half_width, half_height)
        left, top = max(frame.left, -reach), max(frame.top, -reach)
        right, bottom = min(frame.left + frame.width, reach), min(frame.top + frame.height, reach)
        frame = Box(left, top, max(1, right - left), max(1, bottom - top))
        thickness = max(2, thickness)
        stage.outline(frame, INK, thickness + 1, 0.5)  # sets the frame off from bright pixels
        stage.outline(frame, colour, thickness)
    page.paste(stage.image, panel.left, panel.top)


def _progress(page: Page, box: Box, now: Frame) -> None:
    """Draw a progress bar."""
    page.fill(box, FAINT)
    page.fill(Box(box.left, box.top, round(box.width * (now.step + 1) / now.steps), box.height), QUIET)
