"""The systems' cores for the conformance tests."""

from typing import Any

import torch

from saccade.baseline.config import Config as BaselineConfig
from saccade.baseline.model import OneLook
from saccade.baseline.system import BaselineSystem
from saccade.caption.config import CaptionFacts
from saccade.caption.config import Config as CaptionConfig
from saccade.caption.model import Teller
from saccade.caption.trace import Reading, Sight
from saccade.dram.config import Config as DramConfig
from saccade.dram.config import SequenceFacts
from saccade.dram.model import DRAM
from saccade.dram.source import SequenceBatch
from saccade.dram.system import DramSystem
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
from saccade.sketch.config import Config as SketchConfig
from saccade.sketch.episodes import drawing_episode
from saccade.sketch.model import Given, Sketch
from saccade.sketch.pen_reader import PenReader, reading_episode
from saccade.sketch.source import Strokes
from saccade.track.config import Config as TrackConfig
from saccade.track.config import TrackFacts
from saccade.track.model import First
from saccade.track.system import TrackSystem
from saccade.translate.config import Config as TranslateConfig
from saccade.translate.model import EncoderDecoder
from saccade.translate.pairs import Pairs
from saccade.translate.system import TranslateSystem
from saccade.video.config import Config as VideoConfig
from saccade.video.forecaster import Given as GivenFrames
from saccade.video.next import NextTask
from saccade.video.reader import Marked, Masks
from saccade.video.recogniser import build_recogniser
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


def telling(**settings: Any) -> Case:
    config = CaptionConfig(**{"hidden": 8, "embedding": 5, "features": 6, "scored": 7, **settings})
    facts = CaptionFacts("a", "", 2, 3, 9, words=("dog", "a", "runs"))

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(7)
        word, target = torch.randint(1, 7, (2, steps, examples), generator=generator)
        chance = torch.rand(steps, examples, generator=generator)
        chance[::2] = torch.nan
        hard = config.attention == "hard"
        return Reading(word, target, chance if hard else None), Sight(torch.randn(examples, 6, 9, generator=generator))

    return Case(lambda: Teller(config, facts), episode, exact=config.attention != "hard", bitwise=False)


def translating(**settings: Any) -> Case:
    config = TranslateConfig(embedding=5, encoder=4, hidden=6, **settings)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(7)
        source_lengths = torch.tensor([5, 2, 3, 4] * examples)[:examples]
        source = torch.randint(4, 11, (examples, 5), generator=generator)
        source = source.masked_fill(torch.arange(5) >= source_lengths[:, None], 0)
        target = torch.randint(4, 11, (examples, steps), generator=generator)
        full = torch.full((examples,), steps)
        batch = Pairs(source, target, source_lengths, full, torch.arange(examples))
        made = TranslateSystem().episode(batch, config, generator)
        return made.inputs, made.context

    return Case(lambda: EncoderDecoder(config, 11), episode)


def strokes(steps: int, examples: int, generator: torch.Generator) -> Strokes:
    moves = torch.randn(examples, steps, 3, generator=generator)
    moves[:, :, 2] = (moves[:, :, 2] > 0).float()
    lengths, labels = torch.full((examples,), steps), torch.arange(examples) % 3
    return Strokes(moves, lengths, labels, torch.full((examples,), 9))


def pen(*, given: bool = False, **settings: Any) -> Case:
    config = SketchConfig(encoder=6, decoder=7, mixtures=2, **{"latent": 4, **settings})

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(8)
        made = drawing_episode(strokes(steps - 1, examples, generator), config, generator, 0.5)
        context = Given(made.context.noise, made.context.labels) if given else made.context
        return made.inputs, context

    return Case(lambda: Sketch(config, 3), episode)


def pen_reading(**settings: Any) -> Case:
    config = SketchConfig(task="read", decoder=7, **settings)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(9)
        return reading_episode(strokes(steps, examples, generator), config, generator).inputs, None

    return Case(lambda: PenReader(config, 3), episode)


def following(**settings: Any) -> Case:
    config = TrackConfig(**{"window": 12, "features": 4, "hidden": 6, **settings})

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(7)
        frames = torch.randint(256, (steps + 1, examples, 3, 18, 22), generator=generator, dtype=torch.uint8)
        return frames[1:], First(frames[0], torch.tensor([[0.1, -0.1, 0.4, 0.3]]).expand(examples, -1))

    return Case(lambda: TrackSystem().build(config, TrackFacts(channels=3, height=18, width=22)), episode, exact=False)


def recognising(*, joints: bool = False, marked: bool = False, task: Any = "clip", **settings: Any) -> Case:
    """The masks are given but change nothing: dropout 0 in all of them."""
    config = VideoConfig(task=task, hidden=8, features=6, width=4, **settings)
    names = tuple("abcde")
    shape = ("joints", 20, 1, 3) if joints else ("pictures", 1, 12, 10)
    facts = VideoFacts(task, *shape, names, 0 if joints else 1, marked=marked)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(7)
        shape = (facts.channels, facts.height, facts.width)
        frames = torch.rand(steps, examples, *shape, generator=generator)
        keep = (torch.rand(examples, 14, generator=generator) < 0.7).float()
        own = (torch.rand(steps, examples, generator=generator) < 0.5).float()
        return Marked(frames, own) if marked else frames, Masks(keep[:, :6], keep[:, 6:])

    return Case(lambda: build_recogniser(config, facts), episode, exact=False, split=config.pooling == "last")


def forecasting(network: Any, **settings: Any) -> Case:
    config = VideoConfig(task="next", network=network, channels=4, width=4, **settings)
    facts = VideoFacts("next", "pictures", 1, 64, 64, (), given=4)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(8)
        seen = (torch.arange(steps) != 2).float()[:, None].expand(-1, examples)
        return GivenFrames(torch.rand(steps, examples, 1, 64, 64, generator=generator), seen), None

    carries = network != "objects"  # the painter's filters have no weights
    return Case(lambda: NextTask().build(config, facts), episode, exact=False, carries_gradient=carries)


def reading(**settings: Any) -> Case:
    small = {"patch": 4, "hidden": 16, "upper": 12, "features": 8, "glance": 10, "glance_filters": 4}
    config = DramConfig(glimpses=2, **{**small, **settings})
    facts = SequenceFacts(1, 20, 20, tuple("abcde"), 1, 2)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(8)
        images = torch.randint(256, (examples, 1, 20, 20), generator=generator, dtype=torch.uint8)
        targets = torch.tensor([1, 2, 5, -1][: 3 if config.stop == "end-symbol" else 4]).expand(examples, -1)
        batch = SequenceBatch(images, targets, torch.full((examples,), 2), torch.zeros(examples, 2, 2))
        made = DramSystem().episode(batch, config, generator)
        return take(made.inputs, slice(steps)), made.context

    def build() -> AnyCore:
        core = DramSystem().build(config, facts)
        if isinstance(core, DRAM):
            torch.nn.init.normal_(core.emission.weight)  # a fresh policy's are 0
        return core

    return Case(build, episode, exact=False)


SYSTEMS = {
    "dram": reading(rollouts=2),
    "dram-lstm-places-conv": reading(core="lstm", action="place", sees="conv", place_told=False),
    "dram-without-glance-halting": reading(glance=0, stop="halting"),
    "dram-one-layer": reading(glance=0, upper=0, core="rnn"),
    "ram": looking(),
    "ram-paper": looking(prior="none", start="uniform", reward="correct", policy_gain=1.0),
    "ram-lstm-2-layers-3-scales": looking(core="lstm", layers=2, scales=3),
    "ram-gru": looking(core="gru"),
    "ram-gaussian": looking(attention="gaussian", scales=2),
    "ram-two-rollouts": looking(rollouts=2),
    "caption": telling(),
    "caption-additive-gru": telling(score="additive", core="gru"),
    "caption-hard": telling(attention="hard", gate=False),
    "caption-without-attention": telling(attention="none", features=0),
    "draw": drawing()._replace(one_way=False),
    "draw-without-attention": drawing(attention=False),
    "draw-labelled-gru-2-layers": drawing(core="gru", layers=2, labelled=True),
    "draw-logistic-rnn-one-filter": drawing(core="rnn", likelihood="logistic", read=1, write=1),
    "draw-colour-not-square": drawing(likelihood="logistic", shape=Shape(3, 9, 14, 5))._replace(one_way=False),
    "draw-generator": drawing(alone=True),
    "draw-generator-labelled": drawing(alone=True, labelled=True, attention=False),
    "draw-finishing": finishing(),
    "sketch": pen(),
    "sketch-labelled-layer-norm-dropout": pen(core="layer-norm-lstm", labelled=True, dropout=0.2),
    "sketch-gru": pen(core="gru"),
    "sketch-decoder-only": pen(latent=0),
    "sketch-given": pen(given=True, labelled=True),
    "sketch-reader": pen_reading(core="gru", dropout=0.3),
    "sketch-reader-layer-norm": pen_reading(core="layer-norm-lstm"),
    "track": following(),
    "track-lstm-2-layers": following(core="lstm", layers=2),
    "track-ratm": following(method="ratm", core="rnn"),
    "baseline-fc": looking_once("fc"),
    "baseline-conv": looking_once("conv"),
    "baseline-modern": looking_once("modern"),
    "translate": translating(),
    "translate-additive-lstm": translating(cell="lstm", attention="additive", tied="output"),
    "translate-without-attention": translating(attention="none", input_feeding=False, tied="none", dropout=0.0),
    "video-gru-attention": recognising(pooling="attention"),
    "video-lstm-2-layers-last": recognising(core="lstm", layers=2, pooling="last"),
    "video-average": recognising(core="average", pooling="mean"),
    "video-joints": recognising(joints=True, core="rnn", pooling="mean", span=3),
    "video-frames": recognising(task="frames"),
    "video-marked": recognising(marked=True, frames_weight=1.0, encoder="components", components=5, pooling="mean"),
    "video-next-convlstm": forecasting("convlstm", layers=2),
    "video-next-objects": forecasting("objects"),
}
