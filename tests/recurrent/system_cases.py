"""The systems' cores for the conformance tests."""

from typing import Any

import torch

from saccade.baseline.config import Config as BaselineConfig
from saccade.baseline.model import OneLook
from saccade.baseline.system import BaselineSystem
from saccade.draw.completion import MaskedDraw
from saccade.draw.config import Config as DrawConfig
from saccade.draw.model import Draw
from saccade.draw.system import DrawSystem
from saccade.glimpse.config import Config as GlimpseConfig
from saccade.glimpse.model import RAM
from saccade.glimpse.system import GlimpseSystem
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import take
from saccade.track.config import Config as TrackConfig
from saccade.track.config import TrackFacts
from saccade.track.model import First
from saccade.track.system import TrackSystem
from saccade.video.config import Config as VideoConfig
from saccade.video.forecaster import Given
from saccade.video.next import NextTask
from saccade.video.recogniser import Masks, build_recogniser
from saccade.videos.config import VideoFacts
from tests.recurrent.cases import Case

SHAPE = Shape(channels=1, height=20, width=20, classes=5)


def looking(**settings: Any) -> Case:
    config = GlimpseConfig(glimpses=6, patch=4, hidden=16, features=8, **settings)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(2)
        batch = ImageBatch(
            torch.rand(examples, 1, 20, 20, generator=generator), torch.zeros(examples, dtype=torch.int64)
        )
        made = GlimpseSystem().episode(batch, config, generator)
        return take(made.inputs, slice(steps)), made.context

    return Case(lambda: RAM(config, SHAPE), episode, exact=False)


def looking_once(kind: Any) -> Case:
    config = BaselineConfig(kind=kind, hidden=8)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(3)
        batch = ImageBatch(
            torch.rand(examples, 1, 20, 20, generator=generator), torch.zeros(examples, dtype=torch.int64)
        )
        made = BaselineSystem().episode(batch, config, generator)
        return made.inputs, made.context

    return Case(lambda: OneLook(config, SHAPE), episode, steps=1, exact=False)


def drawing(*, alone: bool = False, shape: Shape = SHAPE, **settings: Any) -> Case:
    config = DrawConfig(steps=6, hidden=16, latent=5, **{"read": 2, "write": 3, **settings})

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(4)
        batch = ImageBatch(torch.rand(examples, *shape[:3], generator=generator), torch.arange(examples) % 5)
        made: Any = DrawSystem().episode(batch, config, generator)
        context = (made.context.labels if config.labelled else None) if alone else made.context
        return made.inputs[:steps], context

    def build() -> AnyCore:
        core = Draw(config, shape)
        return core.generator if alone else core

    return Case(build, episode, accumulates=True)


def finishing() -> Case:
    case = drawing()

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        inputs, context = case.episode(steps, examples)
        return inputs, (context, torch.rand(examples, 1, 20, 20, generator=torch.Generator().manual_seed(5)) < 0.5)

    def build() -> AnyCore:
        core: Any = case.build()
        return MaskedDraw(core)

    return Case(build, episode, accumulates=True)


def following(**settings: Any) -> Case:
    config = TrackConfig(**{"window": 12, "features": 4, "hidden": 6, **settings})

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(7)
        frames = torch.randint(256, (steps + 1, examples, 3, 18, 22), generator=generator, dtype=torch.uint8)
        return frames[1:], First(frames[0], torch.tensor([[0.1, -0.1, 0.4, 0.3]]).expand(examples, -1))

    return Case(lambda: TrackSystem().build(config, TrackFacts(channels=3, height=18, width=22)), episode, exact=False)


def recognising(*, joints: bool = False, task: Any = "clip", **settings: Any) -> Case:
    """The masks are given but change nothing: dropout 0 in all of them."""
    config = VideoConfig(task=task, hidden=8, features=6, width=4, **settings)
    names = tuple("abcde")
    facts = VideoFacts(task, "joints", 20, 1, 3, names) if joints else VideoFacts(task, "pictures", 1, 12, 10, names, 1)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(7)
        shape = (facts.channels, facts.height, facts.width)
        frames = torch.rand(steps, examples, *shape, generator=generator)
        keep = (torch.rand(examples, 14, generator=generator) < 0.7).float()
        return frames, Masks(keep[:, :6], keep[:, 6:])

    return Case(lambda: build_recogniser(config, facts), episode, exact=False)


def forecasting(network: Any, **settings: Any) -> Case:
    config = VideoConfig(task="next", network=network, channels=4, width=4, **settings)
    facts = VideoFacts("next", "pictures", 1, 64, 64, (), given=4)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(8)
        seen = (torch.arange(steps) != 2).float()[:, None].expand(-1, examples)
        return Given(torch.rand(steps, examples, 1, 64, 64, generator=generator), seen), None

    return Case(lambda: NextTask().build(config, facts), episode, exact=False)


SYSTEMS = {
    "ram": looking(),
    "ram-paper": looking(prior="none", start="uniform", reward="correct", policy_gain=1.0),
    "ram-lstm-2-layers-3-scales": looking(core="lstm", layers=2, scales=3),
    "ram-gru": looking(core="gru"),
    "ram-gaussian": looking(attention="gaussian", scales=2),
    "ram-two-rollouts": looking(rollouts=2),
    "draw": drawing(),
    "draw-without-attention": drawing(attention=False),
    "draw-labelled-gru-2-layers": drawing(core="gru", layers=2, labelled=True),
    "draw-logistic-rnn-one-filter": drawing(core="rnn", likelihood="logistic", read=1, write=1),
    "draw-colour-not-square": drawing(likelihood="logistic", shape=Shape(3, 9, 14, 5)),
    "draw-generator": drawing(alone=True),
    "draw-generator-labelled": drawing(alone=True, labelled=True, attention=False),
    "draw-finishing": finishing(),
    "track": following(),
    "track-lstm-2-layers": following(core="lstm", layers=2),
    "track-ratm": following(method="ratm", core="rnn"),
    "baseline-fc": looking_once("fc"),
    "baseline-conv": looking_once("conv"),
    "baseline-modern": looking_once("modern"),
    "video-gru-attention": recognising(pooling="attention"),
    "video-lstm-2-layers-last": recognising(core="lstm", layers=2, pooling="last"),
    "video-average": recognising(core="average", pooling="mean"),
    "video-joints": recognising(joints=True, core="rnn", pooling="mean"),
    "video-frames": recognising(task="frames"),
    "video-next-convlstm": forecasting("convlstm", layers=2),
    "video-next-objects": forecasting("objects"),
}
