"""The systems' cores for the conformance tests."""

from typing import Any

import torch

from saccade.baseline import system as baseline
from saccade.draw import system as draw
from saccade.draw.completion import Filling
from saccade.glimpse import system as glimpse
from saccade.pipeline.contract import Batch, Shape
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import map_tensors
from tests.recurrent.cases import Case

SHAPE = Shape(channels=1, height=20, width=20, classes=5)


def looking(**settings: Any) -> Case:
    config = glimpse.Config(glimpses=6, patch=4, hidden=16, features=8, **settings)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(2)
        batch = Batch(torch.rand(examples, 1, 20, 20, generator=generator), torch.zeros(examples, dtype=torch.int64))
        made = glimpse.episode(batch, config, generator)
        return map_tensors(lambda leaf: leaf[:steps], made.inputs), made.context

    return Case(lambda: glimpse.build(config, SHAPE), episode, exact=False)


def looking_once(kind: Any) -> Case:
    config = baseline.Config(kind=kind, hidden=8)

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(3)
        batch = Batch(torch.rand(examples, 1, 20, 20, generator=generator), torch.zeros(examples, dtype=torch.int64))
        made = baseline.episode(batch, config, generator)
        return made.inputs, made.context

    return Case(lambda: baseline.build(config, SHAPE), episode, steps=1, exact=False)


def drawing(*, alone: bool = False, shape: Shape = SHAPE, **settings: Any) -> Case:
    config = draw.Config(steps=6, hidden=16, latent=5, **{"read": 2, "write": 3, **settings})

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(4)
        batch = Batch(torch.rand(examples, *shape[:3], generator=generator), torch.arange(examples) % 5)
        made = draw.episode(batch, config, generator)
        context = (made.context.labels if config.labelled else None) if alone else made.context
        return made.inputs[:steps], context

    def build() -> AnyCore:
        core = draw.build(config, shape)
        return core.generator if alone else core

    return Case(build, episode, accumulates=True)


def finishing() -> Case:
    case = drawing()

    def episode(steps: int, examples: int) -> tuple[Any, Any]:
        inputs, scene = case.episode(steps, examples)
        return inputs, (scene, torch.rand(examples, 1, 20, 20, generator=torch.Generator().manual_seed(5)) < 0.5)

    def build() -> AnyCore:
        core: Any = case.build()
        return Filling(core)

    return Case(build, episode, accumulates=True)


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
    "baseline-fc": looking_once("fc"),
    "baseline-conv": looking_once("conv"),
    "baseline-modern": looking_once("modern"),
}
