"""The tracker's answers to its panel in the studio: clips to follow something in, and its window in every frame.

A page begins with a frame and a box, and then sends further frames, one or many at a time: those of a clip, or those in
which a person moves the thing. What the tracker remembers between them stays here, in memory, for the last pages alone.
"""

import secrets
from base64 import b64encode
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from saccade.errors import InputError
from saccade.images.digits import load_digits
from saccade.images.page_images import Base64, decoded, encoded
from saccade.json_types import Record
from saccade.pipeline.panel import Live, Operation, Request, Steps
from saccade.pipeline.trained import AnyTrained
from saccade.track.config import FRAME, TrackData
from saccade.track.follower import Follower, Following, Picture, as_frame, to_pixels
from saccade.track.model import Step
from saccade.track.videos import Videos, VideoSource

MOST_FOLLOWED = 100
"""Things that are followed at once; the one that was looked at least recently is forgotten."""

CLIP_FRAMES, OTHERS, MOST_FRAMES = 48, 2, 60
LARGEST_SIDE = 160

Kind = Literal["moving", "balls", "scenes"]
Side = Annotated[int, Field(ge=32, le=LARGEST_SIDE)]
Pixel = Annotated[float, Field(ge=-LARGEST_SIDE, le=2 * LARGEST_SIDE)]


class ClipRequest(Request):
    """A generated clip."""

    kind: Kind
    seed: int = Field(ge=0, lt=2**31)


class BeginRequest(Request):
    """A frame, and a box of something to follow: left, top, width and height in pixels."""

    width: Side
    height: Side
    channels: Literal[1, 3]
    pixels: Base64
    box: list[Pixel] = Field(min_length=4, max_length=4)


class LookRequest(Request):
    """Further frames of the first one's size."""

    follows: str = Field(max_length=40)
    count: int = Field(ge=1, le=MOST_FRAMES)
    pixels: Base64


class Tracking:
    """The panel's operations."""

    def __init__(self, network: Follower, steps: Steps | None) -> None:
        self.network, self.steps = network, steps
        self.followed: OrderedDict[str, tuple[Following, tuple[int, int, int]]] = OrderedDict()

    async def clip(self, request: ClipRequest) -> AsyncIterator[Record]:
        """Yield a clip's frames, uint8 [T, H, W, C] in base64, and the box of something in its first frame."""
        videos = await self._steps.call(_drawn, request)
        frames = videos.frames[0].permute(0, 2, 3, 1).contiguous().numpy()
        count, height, width, channels = frames.shape
        box = [round(side) for side in to_pixels(videos.boxes[0, 0], frames[0])]
        yield {
            "count": count,
            "width": width,
            "height": height,
            "channels": channels,
            "pixels": b64encode(frames.tobytes()).decode(),
            "box": _inside(box, width, height),
        }

    async def begin(self, request: BeginRequest) -> AsyncIterator[Record]:
        """Yield a name for what is to be followed.

        Raises:
            InputError: a box that is not inside the frame, or smaller than 3 x 3 pixels.
        """
        shape = request.height, request.width, request.channels
        (frame,) = _frames(request.pixels, 1, shape)
        x, y, width, height = request.box
        following = await self._steps.call(self.network.begin, frame, (x, y, width, height))
        name = secrets.token_urlsafe(12)
        self.followed[name] = following, shape
        while len(self.followed) > MOST_FOLLOWED:
            self.followed.popitem(last=False)
        yield {"follows": name}

    async def look(self, request: LookRequest) -> AsyncIterator[Record]:
        """Yield the answer in each frame.

        Raises:
            InputError: nothing of that name is followed, or another number of pixels.
        """
        if request.follows not in self.followed:
            raise InputError("something that is followed", "nothing any more", "draw a box again")
        following, shape = self.followed[request.follows]
        self.followed.move_to_end(request.follows)
        for t, frame in enumerate(_frames(request.pixels, request.count, shape)):
            core = self.network.core
            step, following.state = await self._steps.step(core, as_frame(frame), following.state, following.target)
            yield {"t": t, **_told(step, frame)}

    @property
    def _steps(self) -> Steps:
        assert self.steps is not None
        return self.steps


def _drawn(request: ClipRequest) -> Videos:
    data = TrackData(dataset=request.kind, frames=CLIP_FRAMES, others=OTHERS, hidden_percent=50)
    return VideoSource(data, 0).batch(request.seed, 1)


def _inside(box: list[int], width: int, height: int) -> list[int]:
    """Return a box cut to the frame."""
    left, top = max(0, box[0]), max(0, box[1])
    return [left, top, min(width, box[0] + box[2]) - left, min(height, box[1] + box[3]) - top]


def _frames(pixels: str, count: int, shape: tuple[int, int, int]) -> list[Picture]:
    levels = decoded(pixels, count * int(np.prod(shape))).reshape(count, *shape)
    return [frame[:, :, 0] if shape[2] == 1 else frame for frame in levels]


def _told(step: Step, frame: Picture) -> Record:
    """Return a step for the page, places in pixels."""
    place = step.place[0].exp()
    return {
        "box": _rounded(to_pixels(step.box[0], frame)),
        "confidence": round(torch.sigmoid(step.confidence[0]).item(), 4),
        "window": _rounded(to_pixels(step.window[0], frame)),
        "patch": encoded(_last(step.patch[0])),
        "place": encoded(place / place.max().clamp(min=1e-12)),
    }


def _last(patch: Tensor) -> Tensor:
    return patch.permute(1, 2, 0)


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(value, 2) for value in values]


def open_live(networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> Live:
    """Return the live half of the tracker's panel."""
    ((name, network),) = networks.items()
    assert isinstance(network, Follower)
    tracking = Tracking(network, steps.get(name))
    operations = {
        "clip": Operation(ClipRequest, tracking.clip),
        "begin": Operation(BeginRequest, tracking.begin),
        "look": Operation(LookRequest, tracking.look),
    }
    return Live({"network": name, "window": network.config.window, "frame": FRAME, "glyphs": _glyphs()}, operations)


def _glyphs() -> list[str]:
    """Return a digit of each class, 28 x 28 grey levels in base64, for the page's own scene."""
    _, test = load_digits()
    first = [int((test.labels == label).nonzero()[0]) for label in range(10)]
    return [b64encode(test.pixels[index, 0].contiguous().numpy().tobytes()).decode() for index in first]
