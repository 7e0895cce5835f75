"""300 pictures as a person might give them: 200 of one digit, 100 of several or of none. Deterministic.

Digits are matplotlib's fonts and, where they are given, handwritten ones. Not used for training or for any threshold.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique", "DejaVuSansMono"),
    *("DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    *("DejaVuSerif-BoldItalic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10"),
    *("cmb10",),
)
TREATMENTS = (
    *("plain", "light on dark", "grey on grey", "colours", "equal brightness", "transparent", "white on transparent"),
    *("box", "ruled", "speckle", "photograph", "photograph", "rotated", "thin", "thick", "small", "corner"),
)
OTHERS = ("several", "letters", "symbols", "shapes", "noise", "blobs", "scribble", "nothing")
LETTERS = "AEFHKMNRTWXkmwxdhfaepr"
SYMBOLS = "&@#%?*+=~$€§¶♥★☺"


class Made(NamedTuple):
    """A picture and what is in it."""

    name: str
    image: Image.Image
    truth: str
    """The digits from left to right; "" for no digit."""


def glyph(text: str, generator: np.random.Generator, size: int = 160, font: str | None = None) -> np.ndarray:
    """Draw a text in a font: ink in [0, 1], cropped."""
    name = font or FONTS[generator.integers(len(FONTS))]
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    face = ImageFont.truetype(str(file), size)
    left, top, right, bottom = face.getbbox(text)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=face)
    return np.asarray(image, np.float32) / 255


def hand(digit: np.ndarray, size: int = 160) -> np.ndarray:
    """Enlarge a handwritten digit, uint8 [28, 28]: ink in [0, 1]."""
    large = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32) / 255


def turned(ink: np.ndarray, degrees: float) -> np.ndarray:
    image = Image.fromarray((255 * ink).astype(np.uint8)).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    return np.asarray(image, np.float32) / 255


def on_page(ink: np.ndarray, generator: np.random.Generator, spare: float = 0.7) -> np.ndarray:
    """Put ink anywhere on a page that is larger than it by `spare`."""
    height, width = (round(side * (1 + spare * generator.uniform(0.6, 1.4)) + 12) for side in ink.shape)
    page = np.zeros((height, width), np.float32)
    top, left = generator.integers(4, height - ink.shape[0] - 3), generator.integers(4, width - ink.shape[1] - 3)
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return page


def painted(ink: np.ndarray, colour: tuple[int, ...], paper: tuple[int, ...]) -> np.ndarray:
    """Mix paper and ink: float [H, W, 3], 0 to 255."""
    return np.array(paper) + ink[..., None] * (np.array(colour, float) - np.array(paper, float))


def picture_of(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def treated(ink: np.ndarray, how: str, generator: np.random.Generator) -> Image.Image:
    """Make a picture of ink in [0, 1] by one of the `TREATMENTS`."""
    black, white = (20, 20, 20), (250, 250, 250)
    if how == "thin":
        ink = np.asarray(Image.fromarray((255 * ink).astype(np.uint8)).filter(ImageFilter.MinFilter(7)), float) / 255
        ink = ink / max(ink.max(), 1e-6)
    if how == "thick":
        ink = np.asarray(Image.fromarray((255 * ink).astype(np.uint8)).filter(ImageFilter.MaxFilter(9)), float) / 255
    ink = turned(ink, generator.uniform(-15, 15) if how == "rotated" else generator.uniform(-4, 4))
    page = on_page(ink, generator, 2.5 if how == "corner" else 0.7)
    height, width = page.shape
    if how in ("transparent", "white on transparent"):
        level = 255 if how.startswith("white") else 0
        layers = [np.full_like(page, level)] * 3 + [255 * page]
        return Image.fromarray(np.stack(layers, axis=2).round().astype(np.uint8), "RGBA")
    if how == "light on dark":
        return picture_of(painted(page, white, (30, 30, 40)))
    if how == "grey on grey":
        return picture_of(painted(page, (90, 90, 90), (140, 140, 140)))
    if how == "equal brightness":
        return picture_of(painted(page, (220, 60, 60), (40, 139, 60)))
    if how == "colours":
        pairs = (((20, 40, 160), (250, 240, 200)), ((200, 30, 30), (240, 240, 240)), ((250, 220, 40), (40, 50, 120)))
        return picture_of(painted(page, *pairs[generator.integers(len(pairs))]))
    if how == "box":
        drawn = Image.fromarray((255 * np.pad(page, 12)).astype(np.uint8))
        edge = (5, 5, width + 18, height + 18)
        ImageDraw.Draw(drawn).rectangle(edge, outline=255, width=int(generator.integers(2, 7)))
        return picture_of(painted(turned(np.asarray(drawn) / 255, generator.uniform(-2, 2)), black, white))
    if how == "ruled":
        lines = page.copy()
        for row in range(int(generator.integers(8, 30)), height, int(generator.integers(35, 70))):
            lines[row : row + 2] = np.maximum(lines[row : row + 2], 0.6)
        return picture_of(painted(lines, black, white))
    pixels = painted(page, black, white)
    if how == "speckle":
        drawn = generator.random((height, width))
        pixels[drawn < 0.03], pixels[drawn > 0.97] = 0, 255
    if how == "photograph":
        pixels = photographed(painted(page, (50, 50, 70), (215, 205, 190)), generator)
    image = picture_of(pixels)
    if how == "small":
        side = 28 if generator.random() < 0.5 else 40
        scale = side / max(image.size)
        image = image.resize((max(8, round(image.width * scale)), max(8, round(image.height * scale))))
    return image


def photographed(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Light a page from one side, blur it a little and add grain."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    a, b, c = generator.uniform(-0.25, 0.25, 3)
    light = 0.75 + a * x + b * y + 0.5 * c * x * y
    blurred = np.asarray(picture_of(pixels * light[..., None]).filter(ImageFilter.GaussianBlur(1.2)), float)
    return blurred + generator.normal(0, 7, (height, width, 1)) + generator.normal(0, 3, pixels.shape)


def singles(hands: list[tuple[np.ndarray, int]], count: int = 200, seed: int = 0) -> Iterator[Made]:
    """Make pictures of one digit: every other one handwritten, as long as there are hands."""
    for index in range(count):
        generator, how = np.random.default_rng([1, index, seed]), TREATMENTS[index % len(TREATMENTS)]
        if index % 2 and hands:
            pixels, label = hands[index // 2 % len(hands)]
            ink, source = hand(pixels), "hand"
        else:
            label, source = int(generator.integers(10)), FONTS[generator.integers(len(FONTS))]
            ink = glyph(str(label), generator, font=source)
        yield Made(f"{index:03d} {how}, {source}", treated(ink, how, generator), str(label))


def others(count: int = 100, seed: int = 0) -> Iterator[Made]:
    """Make pictures of several digits or of none."""
    for index in range(count):
        generator, kind = np.random.default_rng([2, index, seed]), OTHERS[index % len(OTHERS)]
        text, how = "", ("plain", "light on dark", "photograph")[index % 3]
        if kind == "several":
            text = str(generator.integers(10, 1000))
            ink = glyph(" ".join(text) if index % 2 else text, generator)
        elif kind in ("letters", "symbols"):
            letters = LETTERS if kind == "letters" else SYMBOLS
            ink = glyph(letters[generator.integers(len(letters))], generator, font=FONTS[generator.integers(11)])
        else:
            ink = drawn(kind, generator)
        yield Made(f"{index:03d} {kind}, {how}", treated(ink, how, generator), text)


def drawn(kind: str, generator: np.random.Generator) -> np.ndarray:
    """Draw ink that is no digit: float [160, 160] in [0, 1]."""
    image = Image.new("L", (160, 160))
    draw = ImageDraw.Draw(image)
    if kind == "noise":
        return (generator.random((160, 160)) > 0.5).astype(np.float32)
    if kind == "shapes":  # a star, a house, a smile, an arrow
        n = int(generator.integers(5, 9))
        points = [(80 + 75 * np.sin(2 * np.pi * 2 * i / n), 80 - 75 * np.cos(2 * np.pi * 2 * i / n)) for i in range(n)]
        draw.line([*points, points[0]], fill=255, width=9)
        draw.line([(10, 150), (150, 150)], fill=255, width=9)
    if kind == "blobs":
        rough = Image.fromarray(generator.integers(0, 256, (20, 20), np.uint8))
        values = np.asarray(rough.resize((160, 160), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(8)))
        return (values > np.quantile(values, 0.6)).astype(np.float32)
    if kind == "scribble":
        points = [tuple(point) for point in generator.uniform(5, 155, (14, 2))]
        draw.line(points, fill=255, width=8, joint="curve")
    return np.asarray(image, np.float32) / 255
