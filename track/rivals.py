"""Trackers to compare with: template matching, and OpenCV's. They need `pip install "saccade[rivals]"`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
PixelBox = tuple[float, float, float, float]
Track = Callable[[Iterable[Picture], PixelBox], Iterator[PixelBox]]
"""From frames and the box in the first one to a box for every frame, the given one first."""

OPENCV = ("MIL", "KCF", "CSRT")
"""OpenCV's trackers that learn while they follow, and need no files of weights."""


def available() -> dict[str, Track]:
    """Return the trackers that can be run here, by name; none without OpenCV."""
    try:
        import cv2
    except ImportError:
        return {}
    found: dict[str, Track] = {"template matching": match_everywhere, "template matching, near": match_near}
    for name in OPENCV:
        if hasattr(cv2, f"Tracker{name}_create"):
            found[f"OpenCV {name}"] = lambda frames, box, name=name: follow_opencv(name, frames, box)
    return found


def match_everywhere(frames: Iterable[Picture], box: PixelBox) -> Iterator[PixelBox]:
    """Yield the place in the whole frame with the highest normalised correlation coefficient with the first box."""
    yield from _matched(frames, box, None)


def match_near(frames: Iterable[Picture], box: PixelBox) -> Iterator[PixelBox]:
    """Yield the same, sought within one box's side around the last place."""
    yield from _matched(frames, box, 1.0)


def _matched(frames: Iterable[Picture], box: PixelBox, reach: float | None) -> Iterator[PixelBox]:
    import cv2

    left, top, width, height = (round(number) for number in box)
    template: Picture | None = None
    for frame in frames:
        if template is None:
            template = frame[top : top + height, left : left + width]
            yield box
            continue
        x, y, part = 0, 0, frame
        if reach is not None:
            x, y = (max(0, round(at - reach * side)) for at, side in ((left, width), (top, height)))
            part = frame[y : round(top + (1 + reach) * height), x : round(left + (1 + reach) * width)]
        scores: Any = cv2.matchTemplate(part, template, cv2.TM_CCOEFF_NORMED)
        row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
        left, top = x + int(column), y + int(row)
        yield left, top, width, height


def follow_opencv(name: str, frames: Iterable[Picture], box: PixelBox) -> Iterator[PixelBox]:
    """Yield the boxes of one of OpenCV's trackers; where it reports that it lost the target, its last box."""
    import cv2

    cv2.setRNGSeed(0)
    tracker: Any = None
    for frame in frames:
        bgr = np.ascontiguousarray(frame[:, :, ::-1])
        if tracker is None:
            tracker = getattr(cv2, f"Tracker{name}_create")()
            tracker.init(bgr, tuple(round(number) for number in box))
        else:
            found, new = tracker.update(bgr)
            left, top, width, height = map(float, new if found else box)
            box = left, top, width, height
        yield box
