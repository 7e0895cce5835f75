"""From a trace to something to show: films as GIF, WebP or PNG by the file's ending, and film strips.

A renderer is any function picture(trace, t, example) -> uint8 [H, W, 3]. One that also takes the time between two
steps makes films that glide (`between`).
"""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from saccade.pipeline import outputs
from saccade.pipeline.animate.gif_palette import one_palette
from saccade.pipeline.animate.page import Page, Pixels, shorten, text_width
from saccade.pipeline.animate.palette import GROUND, QUIET
from saccade.pipeline.checkpoint.atomic_files import write_whole
from saccade.pipeline.contract import Trace
from saccade.pipeline.progress import work
from saccade.recurrent.tree import named_tensors

Picture = Callable[[Trace, float, int], Pixels]

ENDINGS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}
GLIDE_BEATS = 0.5  # how long the way from one step to the next is shown, all its frames together
LAST_BEATS = 3.0
GAP = 16  # pixels between the frames of a strip or a grid
SHORTEST_MS = 20  # browsers slow down films of shorter frames
HELD_MS = 2000
"""Least time that the last frame, the finished picture, is shown."""

CAPTION_HEIGHT = 30
"""Pixels above a sheet for its caption."""

XMP = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- {outputs.MARK.decode()} --></x:xmpmeta>'
"""Saccade's mark as a WebP's metadata."""


class Film(NamedTuple):
    """Frames, and how long each is shown: in beats, of which a step's frame takes one."""

    frames: list[Pixels]
    beats: list[float]


def frames(picture: Callable[..., Pixels], trace: Trace, examples: Sequence[int], *, between: int = 0) -> Film:
    """Render every step of some examples, one example after the other.

    Args:
        picture: the system's renderer.
        trace: what the network did.
        examples: which of the trace's B, in this order.
        between: frames on the way from one step to the next, for renderers that take a fractional t.
    """
    steps = len(next(iter(named_tensors(trace.outputs).values())))
    pace = between + 1
    times = [moment / pace for moment in range((steps - 1) * pace + 1)]
    beats = [GLIDE_BEATS / between if moment % pace else 1.0 for moment in range(len(times))]
    beats[-1] = LAST_BEATS
    rendered = [picture(trace, t, example) for example in examples for t in times]
    return Film(rendered, beats * len(examples))


def grid(films: Sequence[Film], columns: int | None = None) -> Film:
    """Show films of equal length and frame size at once, row by row; by default about as many rows as columns."""
    columns = columns or math.ceil(math.sqrt(len(films)))
    together = zip(*(film.frames for film in films), strict=True)
    return Film([_arrange(list(tiles), columns) for tiles in together], films[0].beats)


def strip(frames: Sequence[Pixels], columns: int | None = None) -> Pixels:
    """Put all frames on one sheet [H, W, 3], row by row; in one row by default."""
    return _arrange(frames, columns or len(frames))


def check(path: Path | str, *, overwrite: bool = False) -> Path:
    """Check that a film can be written under that name; call it before the work.

    Raises:
        InputError: see `saccade.pipeline.outputs.check`.
    """
    return outputs.check(path, outputs.FILM, overwrite=overwrite)


def check_strip(path: Path | str, *, overwrite: bool = False) -> Path:
    """Check that a film strip or a sheet can be written under that name; call it before the work.

    Raises:
        InputError: see `saccade.pipeline.outputs.check`.
    """
    return outputs.check(path, outputs.SHEET, overwrite=overwrite)


def write(path: Path | str, film: Film, *, seconds_per_frame: float = 1.0, overwrite: bool = False) -> Path:
    """Write a film that loops for ever; the ending chooses GIF, animated WebP or animated PNG. Whole or not at all.

    Every frame is kept, with its own duration in multiples of 10 ms; but in a GIF or PNG one that equals its neighbour
    only lengthens it. The last one is shown at least 2 s. A GIF holds at most 255 colours: see `one_palette`.

    Args:
        path: `.gif`, `.webp`, `.png` or `.apng`, in a folder that is there.
        film: one or more frames of one size.
        seconds_per_frame: the length of a beat.
        overwrite: replace a file there that Saccade did not write.

    Raises:
        InputError: see `check`; or the folder cannot be written to.
    """
    path = check(path, overwrite=overwrite)
    kind = ENDINGS[path.suffix.lower()]
    durations = [max(SHORTEST_MS, 10 * round(100 * seconds_per_frame * beats)) for beats in film.beats]
    durations[-1] = max(durations[-1], HELD_MS)
    encode = {"GIF": _gif, "WEBP": _webp, "PNG": _png}[kind]
    with work("writing the film", 1):
        write_whole(path, encode(film.frames, durations))
    return path


def write_strip(
    path: Path | str,
    frames: Sequence[Pixels],
    columns: int | None = None,
    *,
    caption: str = "",
    overwrite: bool = False,
) -> Path:
    """Write a film strip as PNG, with a caption above it if one is given.

    Raises:
        InputError: another ending than .png, a folder that is not there or cannot be written to, or a file there that
            Saccade did not write, without `overwrite`.
    """
    path = check_strip(path, overwrite=overwrite)
    drawn, sheet = captioned(strip(frames, columns), caption), io.BytesIO()
    Image.fromarray(drawn).save(sheet, "PNG", optimize=True, pnginfo=mark())
    write_whole(path, sheet.getvalue())
    return path


def captioned(sheet: Pixels, caption: str) -> Pixels:
    """Return a sheet with a line of text above it, in as small a type as it takes to fit; as it is without text."""
    if not caption:
        return sheet
    height, width = sheet.shape[:2]
    page = Page(width, height + CAPTION_HEIGHT)
    page.image.paste(Image.fromarray(sheet), (0, CAPTION_HEIGHT))
    size = next((size for size in (15, 13, 11) if text_width(caption, size) <= width - 2 * GAP), 9)
    page.text(shorten(caption, width - 2 * GAP, size), GAP, CAPTION_HEIGHT - 6, size, QUIET)
    return page.pixels()


def mark() -> PngInfo:
    """Return Saccade's mark as a PNG's metadata."""
    info = PngInfo()
    info.add_text("Software", "Saccade")
    return info


def _arrange(tiles: Sequence[Pixels], columns: int) -> Pixels:
    """Arrange pictures of one size in rows, with gaps of the ground's colour between them and around."""
    height, width = tiles[0].shape[:2]
    rows = math.ceil(len(tiles) / columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), GROUND, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = GAP + i // columns * (height + GAP), GAP + i % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _gif(frames: Sequence[Pixels], durations: list[int]) -> bytes:
    palette, indices = one_palette(frames, 255)  # one index stays free for "as in the frame before"
    images = []
    for index in indices:
        image = Image.fromarray(index)
        image.putpalette(palette.tobytes())
        images.append(image)
    return _save(images, durations, "GIF", optimize=False, palette=palette.tobytes(), comment=outputs.MARK)


def _webp(frames: Sequence[Pixels], durations: list[int]) -> bytes:
    images = [Image.fromarray(frame) for frame in frames]
    return _save(images, durations, "WEBP", lossless=True, quality=50, method=2, xmp=XMP.encode())


def _png(frames: Sequence[Pixels], durations: list[int]) -> bytes:
    return _save([Image.fromarray(frame) for frame in frames], durations, "PNG", compress_level=9, pnginfo=mark())


def _save(images: list[Image.Image], durations: list[int], kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    images[0].save(file, kind, save_all=True, append_images=images[1:], duration=durations, loop=0, **options)
    return file.getvalue()
