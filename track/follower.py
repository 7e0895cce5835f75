"""A trained tracker in Python: follow a thing through any video, frame by frame as the frames arrive."""

from collections.abc import Iterable
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.contract import Episode, Trace
from saccade.pipeline.trained import Trained
from saccade.recurrent.tree import map_tensors
from saccade.recurrent.unroll import unroll
from saccade.track.config import Config, TrackFacts
from saccade.track.model import First, State, Step, Target, Tracker
from saccade.track.videos import Videos

Picture = NDArray[np.uint8]  # [H, W, 3] or [H, W]
PixelBox = tuple[float, float, float, float]
"""Left, top, width and height in pixels; a frame of W x H pixels is (0, 0, W, H)."""

SMALLEST = 3
"""Least width and height of a first box, in pixels."""

MOST_KEPT = 1 << 30
"""Most bytes of frames that are kept for a film."""


class Answer(NamedTuple):
    """The target's box in a frame, as the tracker believes."""

    box: PixelBox
    confidence: float
    """Probability that the box is right, in [0, 1]."""

    @property
    def lost(self) -> bool:
        """True if the tracker believes that the box is wrong."""
        return self.confidence < 0.5


class Following:
    """One target being followed: `look` at each frame in turn."""

    def __init__(self, core: Tracker, frame: Picture, box: PixelBox) -> None:
        """Learn what the target looks like.

        Raises:
            InputError: a box that is not inside the frame, or smaller than 3 x 3 pixels.
        """
        self._core, self._shape = core, frame.shape
        self.first = First(as_frame(frame), from_pixels(check_box(box, frame), frame)[None])
        with torch.no_grad():
            self.target: Target = core.prepare(self.first)
        self.state: State = core.initial_state(1)

    def look(self, frame: Picture) -> tuple[Answer, Step]:
        """Return where the target is in the next frame, and all that the step gave, every leaf [1, 1, ...].

        Raises:
            InputError: a frame of another size.
        """
        if frame.shape != self._shape:
            expected, found = (f"{shape[1]} x {shape[0]}" for shape in (self._shape, frame.shape))
            raise InputError(f"frames of {expected} pixels, as the first one", found, "give frames of one size")
        with torch.inference_mode():
            step, self.state = unroll(self._core, as_frame(frame)[None], self.state, cast(tuple, self.target))
        box = to_pixels(step.box[0, 0], frame)
        return Answer(box, torch.sigmoid(step.confidence[0, 0]).item()), step


class Follower(Trained[Config, Videos, TrackFacts]):
    """A trained tracker."""

    def begin(self, frame: Picture, box: PixelBox) -> Following:
        """Begin to follow what is in a box of a first frame, uint8 [H, W, 3] or [H, W].

        Raises:
            InputError: a box that is not inside the frame, or smaller than 3 x 3 pixels.
        """
        if not isinstance(self.core, Tracker):
            found = "a network of the method ratm, which follows what it was trained to follow"
            raise InputError("a network that follows any target", found, "train one with --method appearance")
        return Following(self.core, frame, box)

    def follow(self, frames: Iterable[Picture], box: PixelBox) -> list[Answer]:
        """Follow what is in a box of the first frame; return an answer for every frame, the given box first.

        Raises:
            InputError: fewer than two frames, frames of different sizes, or a box that is not inside the frame.
        """
        return self.film(frames, box, keep=False)[0]

    def film(
        self, frames: Iterable[Picture], box: PixelBox, truth: NDArray[np.float64] | None = None, *, keep: bool = True
    ) -> tuple[list[Answer], Trace | None]:
        """Follow as `follow` does, and keep the trace for a film, if `keep`.

        Args:
            frames: of one size, two or more.
            box: of the first one.
            truth: the true box in every frame [T, 4], in pixels, for the film.
            keep: keep the frames.

        Raises:
            InputError: as `follow`; or frames of more than 1 GB are to be kept.
        """
        answers, steps, kept = [Answer(box, 1.0)], [], []
        following: Following | None = None
        for frame in frames:
            if following is None:
                following = self.begin(frame, box)
                continue
            answer, step = following.look(frame)
            answers.append(answer)
            if keep:
                steps.append(step)
                kept.append(as_frame(frame))
                if len(kept) * frame.nbytes > MOST_KEPT:
                    found = f"{len(kept)} frames of {frame.shape[1]} x {frame.shape[0]} pixels, and more"
                    raise InputError(f"at most {MOST_KEPT:,} bytes of frames for a film", found, "give --last FRAME")
        if following is None or len(answers) < 2:
            found = "none" if following is None else "one frame"
            raise InputError("a video of two frames or more", found, "give a longer one")
        return answers, self._trace(following, steps, kept, truth) if keep else None

    def _trace(
        self, following: Following, steps: list[Step], kept: list[Tensor], truth: NDArray[np.float64] | None
    ) -> Trace:
        outputs = map_tensors(lambda *leaves: torch.cat(leaves), *steps)
        frames = torch.stack(kept)  # [T, 1, C, H, W]
        first = following.first
        unknown = torch.full((1, 1 + len(frames), 4), torch.nan)
        if truth is not None:
            height, width = frames.shape[-2:]
            unknown = from_pixels(truth, np.empty((height, width)))[None]
        videos = Videos(torch.cat([first.frame[None], frames]).transpose(0, 1), unknown, ~unknown[..., 0].isnan())
        return Trace(self.run.system, outputs, Episode(frames, first), videos, self.facts)


def as_frame(frame: Picture) -> Tensor:
    """Return a frame as the network takes it: uint8 [1, C, H, W]."""
    colour = frame if frame.ndim == 3 else frame[:, :, None]
    return torch.from_numpy(np.array(colour)).permute(2, 0, 1)[None].contiguous()


def check_box(box: PixelBox, frame: Picture) -> PixelBox:
    """Return a first box.

    Raises:
        InputError: it is not inside the frame, or it is smaller than 3 x 3 pixels.
    """
    left, top, width, height = box
    rows, columns = frame.shape[:2]
    inside = left >= 0 and top >= 0 and left + width <= columns and top + height <= rows  # false for NaN
    if not inside or min(width, height) < SMALLEST:
        found = ",".join(f"{number:g}" for number in box)
        expected = f"a box of {SMALLEST} x {SMALLEST} pixels or more inside the frame of {columns} x {rows}"
        raise InputError(expected, found, "give x,y,width,height of the target in the first frame")
    return box


def from_pixels(box: PixelBox | NDArray[np.float64], frame: np.ndarray) -> Tensor:
    """Convert boxes from pixels to (x, y, w, h), see `saccade.track.window`: float32 [..., 4]."""
    left, top, width, height = np.moveaxis(np.asarray(box, np.float64), -1, 0)
    rows, columns = frame.shape[:2]
    parts = (2 * left + width) / columns - 1, (2 * top + height) / rows - 1, width / columns, height / rows
    return torch.from_numpy(np.stack(parts, axis=-1)).float()


def to_pixels(box: Tensor, frame: np.ndarray) -> PixelBox:
    """Convert a box (x, y, w, h) [4] to pixels."""
    x, y, half_width, half_height = box.tolist()
    rows, columns = frame.shape[:2]
    left, top = (x - half_width + 1) * columns / 2, (y - half_height + 1) * rows / 2
    return left, top, half_width * columns, half_height * rows
