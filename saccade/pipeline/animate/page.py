"""Drawing primitives for the frames of every system: crisp rectangles, smooth dots and lines, text, enlarged images.

A page counts in pixels from its upper left corner, y downwards; drawing beyond its edges is cut off. Edges along
the axes fall on whole pixels and keep their exact colour; slanted and round ones are smoothed by the part of a pixel
that they cover. The same calls give the same bytes: nothing depends on the machine's fonts or on time.
"""

import os
from functools import lru_cache
from typing import Literal, NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from saccade.pipeline.animate.palette import GROUND, INK, Colour

Pixels = NDArray[np.uint8]  # [H, W, 3]
Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle of whole pixels: its left upper corner and its size."""

    left: int
    top: int
    width: int
    height: int

    def locate(self, x: float, y: float) -> Point:
        """Convert (x, y) in [-1, 1] to pixels, for an image that fills this box."""
        return self.left + (x + 1) / 2 * self.width, self.top + (y + 1) / 2 * self.height

    def window(self, x: float, y: float, half_width: float, half_height: float) -> "Box":
        """Return the box of a window given by its centre and half sizes in [-1, 1], edges rounded to whole pixels."""
        left, top = (round(v) for v in self.locate(x - half_width, y - half_height))
        right, bottom = (round(v) for v in self.locate(x + half_width, y + half_height))
        return Box(left, top, right - left, bottom - top)


@lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans as matplotlib ships it, the same on every machine; size in pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", name)
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def text_width(text: str, size: int, bold: bool = False) -> float:
    """Return the width of a line of text in pixels."""
    return font(size, bold).getlength(text)


def shorten(text: str, width: float, size: int, bold: bool = False) -> str:
    """Return the text, or as much of its beginning as fits into `width` pixels, and an ellipsis."""
    if text_width(text, size, bold) <= width:
        return text
    kept = len(text)
    while kept > 1 and text_width(text[:kept].rstrip() + "…", size, bold) > width:
        kept -= 1
    return text[:kept].rstrip() + "…"


def to_pixels(image: NDArray[np.floating]) -> Pixels:
    """Convert an image [C, H, W] in [0, 1], grey or RGB, to uint8 [H, W, 3]."""
    grey = image if len(image) == 3 else np.repeat(image.mean(axis=0, keepdims=True), 3, axis=0)
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def magnified_size(width: int, height: int, room: int) -> tuple[int, int]:
    """Return the size at which an image fills a square of `room` pixels: a whole multiple from 4 times up, else any."""
    factor = room / max(width, height)
    factor = int(factor) if factor >= 4 else factor
    return max(1, round(width * factor)), max(1, round(height * factor))


def resize(pixels: Pixels, width: int, height: int) -> Image.Image:
    """Resize an image: enlarged with crisp pixels (only the seams are blended), or averaged."""
    image = Image.fromarray(pixels)
    times_x, times_y = -(-width // image.width), -(-height // image.height)
    image = image.resize((image.width * times_x, image.height * times_y), Image.Resampling.NEAREST)
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BOX)


class Page:
    """A picture being drawn."""

    def __init__(self, width: int, height: int, ground: Colour = GROUND) -> None:
        self.image = Image.new("RGB", (width, height), ground)
        self._draw = ImageDraw.Draw(self.image, "RGBA")  # so that colours may be translucent

    def pixels(self) -> Pixels:
        """Return the finished picture, uint8 [H, W, 3]."""
        return np.asarray(self.image).copy()

    def paste(self, image: Image.Image, left: int, top: int) -> None:
        """Put an image's left upper corner there."""
        self.image.paste(image, (left, top))

    def fill(self, box: Box, colour: Colour, opacity: float = 1.0) -> None:
        """Fill a rectangle of whole pixels."""
        if box.width > 0 and box.height > 0:
            left, top, width, height = box
            self._draw.rectangle((left, top, left + width - 1, top + height - 1), (*colour, round(255 * opacity)))

    def outline(self, box: Box, colour: Colour, thickness: int = 1, opacity: float = 1.0) -> None:
        """Frame a rectangle from outside: all its pixels stay visible."""
        left, top, width, height = box
        wide = width + 2 * thickness
        self.fill(Box(left - thickness, top - thickness, wide, thickness), colour, opacity)
        self.fill(Box(left - thickness, top + height, wide, thickness), colour, opacity)
        self.fill(Box(left - thickness, top, thickness, height), colour, opacity)
        self.fill(Box(left + width, top, thickness, height), colour, opacity)

    def text(
        self,
        text: str,
        x: float,
        baseline: float,
        size: int,
        colour: Colour = INK,
        *,
        bold: bool = False,
        align: Literal["left", "middle", "right"] = "left",
    ) -> float:
        """Write a line of text whose left end, middle or right end is x; returns x plus the text's width."""
        anchor = f"{align[0]}s"  # on the baseline
        self._draw.text((round(x), round(baseline)), text, (*colour, 255), font(size, bold), anchor)
        return x + text_width(text, size, bold)

    def line(self, start: Point, end: Point, thickness: float, colour: Colour, opacity: float = 1.0) -> None:
        """Draw a smooth line with round ends; a dot where start and end are one."""
        (ax, ay), (bx, by), reach = start, end, thickness / 2 + 1
        x, y, corner = self._around(min(ax, bx) - reach, min(ay, by) - reach, max(ax, bx) + reach, max(ay, by) + reach)
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        distance = np.hypot(x - ax - along * dx, y - ay - along * dy)
        self._blend(thickness / 2 - distance, corner, colour, opacity)

    def dot(self, centre: Point, radius: float, colour: Colour, opacity: float = 1.0) -> None:
        """Draw a smooth filled circle."""
        self.line(centre, centre, 2 * radius, colour, opacity)

    def rounded(self, box: Box, radius: float, colour: Colour, thickness: float | None = None) -> None:
        """Draw a rectangle with round corners: filled, or only its border of that thickness, drawn inwards."""
        left, top, width, height = box
        x, y, corner = self._around(left, top, left + width, top + height)
        across = np.abs(x - left - width / 2) - width / 2 + radius
        down = np.abs(y - top - height / 2) - height / 2 + radius
        outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0)) - radius
        outside += np.minimum(np.maximum(across, down), 0)
        depth = -outside if thickness is None else np.minimum(-outside, outside + thickness)
        self._blend(depth, corner, colour, 1.0)

    def _around(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[NDArray[np.floating], NDArray[np.floating], tuple[int, int]]:
        """Return the centres of the page's pixels in a region, as a row x and a column y, and the region's corner."""
        x0, x1 = max(0, int(np.floor(left))), min(self.image.width, int(np.ceil(right)))
        y0, y1 = max(0, int(np.floor(top))), min(self.image.height, int(np.ceil(bottom)))
        return np.arange(x0, x1)[None, :] + 0.5, np.arange(y0, y1)[:, None] + 0.5, (x0, y0)

    def _blend(self, depth: NDArray[np.floating], corner: tuple[int, int], colour: Colour, opacity: float) -> None:
        """Colour pixels by the depth, in pixels, of their centres within a shape [h, w]."""
        if depth.size:
            coverage = np.rint(np.clip(depth + 0.5, 0, 1) * opacity * 255).astype(np.uint8)
            self.image.paste(colour, (corner[0], corner[1]), Image.fromarray(coverage))
