"""A user's own videos, frame by frame as they are decoded: video files, animated pictures, and folders of pictures.

GIF, WebP, APNG and folders are read by pillow; other files by PyAV (`pip install "saccade[video]"`). Only the present
frame is held in memory, so that a reader may answer while frames arrive.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from saccade.errors import InputError
from saccade.images.picture_files import LIMIT, decode, open_image

Picture = NDArray[np.uint8]  # [H, W, 3]

MOST_FRAMES = 20_000
"""Most frames that are read of one video."""

ANIMATED = (".gif", ".webp", ".png", ".apng")
GIVE = "give a video file, a GIF, or a folder of pictures"


class Box(NamedTuple):
    """A rectangle of whole pixels: its left upper corner and its size."""

    x: int
    y: int
    width: int
    height: int


def read_frames(path: Path, most: int = MOST_FRAMES) -> Iterator[Picture]:
    """Yield the frames of a video, uint8 [H, W, 3], all of one size.

    Raises:
        InputError: nothing there, no video, no frames, frames of different sizes, a damaged file, or more than `most`
            frames. Raised when the frame at fault is reached.
    """
    if path.is_dir():
        frames = _folder(path)
    elif not path.is_file():
        raise InputError(f"a video at {path}", "no regular file" if path.exists() else "no such file", GIVE)
    elif path.suffix.lower() in ANIMATED:
        frames = _animated(path)
    else:
        frames = _video(path)
    size: tuple[int, ...] | None = None
    number = 0
    for number, frame in enumerate(frames, 1):
        if number > most:
            raise InputError(f"at most {most:,} frames in {path}", "more", "cut the video into parts")
        if size is not None and frame.shape != size:
            found = f"{frame.shape[1]} x {frame.shape[0]} in frame {number}"
            raise InputError(f"frames of {size[1]} x {size[0]} pixels in {path}", found, "give frames of one size")
        size = frame.shape
        yield frame
    if number == 0:
        raise InputError(f"frames in {path}", "none", GIVE)


def parse_box(text: str) -> Box:
    """Read "x,y,width,height" in pixels.

    Raises:
        InputError: anything else, or a size of 0.
    """
    numbers = re.fullmatch(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})", text.replace(" ", ""))
    box = Box(*map(int, numbers.groups())) if numbers else None
    if box is None or min(box.width, box.height) == 0:
        raise InputError("a box as x,y,width,height in whole pixels", repr(text), "write, e.g., 205,151,17,50")
    return box


def cropped(frame: Picture, box: Box) -> Picture:
    """Return the part of a frame in a box.

    Raises:
        InputError: the box is not inside the frame.
    """
    height, width = frame.shape[:2]
    if box.x + box.width > width or box.y + box.height > height:
        found = f"{box.x},{box.y},{box.width},{box.height}"
        raise InputError(f"a box inside the frame of {width} x {height} pixels", found, "move it or make it smaller")
    return frame[box.y : box.y + box.height, box.x : box.x + box.width]


def fitted(frame: Picture, channels: int, height: int, width: int) -> NDArray[np.uint8]:
    """Crop the middle of a frame to the shape of a network's frames and scale it: uint8 [C, H, W]."""
    rows, columns = frame.shape[:2]
    scale = min(columns / width, rows / height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (columns - across) // 2, (rows - down) // 2
    image = Image.fromarray(np.ascontiguousarray(frame[top : top + down, left : left + across]))
    image = image.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BOX)
    return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)


def _folder(path: Path) -> Iterator[Picture]:
    """Yield the pictures of a folder in the order of their names, numbers counted as numbers."""
    named = lambda file: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file.name)]  # noqa: E731
    files = sorted((file for file in path.iterdir() if not file.name.startswith(".") and file.is_file()), key=named)
    for file in files:
        with open_image(file) as image:
            yield decode(image, file, "RGB")


def _animated(path: Path) -> Iterator[Picture]:
    with open_image(path) as image:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for frame in ImageSequence.Iterator(image):
                    yield np.asarray(frame.convert("RGB"))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise _damaged(path, error) from None


def _video(path: Path) -> Iterator[Picture]:
    """Yield the frames of the first video stream."""
    try:
        import av
    except ImportError:
        do = 'install it: pip install "saccade[video]"; or give a GIF or a folder of pictures'
        raise InputError(f"PyAV to read {path.name}", "it is not installed", do) from None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"a video in {path}", "a file without pictures", GIVE)
            for frame in container.decode(video=0):
                if frame.width * frame.height > LIMIT:
                    found = f"{frame.width} x {frame.height}"
                    raise InputError(f"frames of at most {LIMIT:,} pixels in {path}", found, "scale it down")
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.error.FFmpegError, ValueError, OSError) as error:  # pyright: ignore[reportAttributeAccessIssue]
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    said = " ".join(str(error).replace(str(path), "").split()) or type(error).__name__
    return InputError(f"a whole video in {path}", f"{said:.120}", GIVE + "; or fetch it again")
