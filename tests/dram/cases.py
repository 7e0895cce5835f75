"""Small DRAMs and pictures for the tests."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from saccade.dram.config import Config, SequenceData, SequenceFacts
from saccade.dram.model import DRAM
from saccade.dram.source import CanvasSource, SequenceBatch, load_canvases
from saccade.dram.system import SYSTEM, GazeEpisode
from saccade.dram.trace import Reading
from saccade.pipeline.evaluate.evaluate import unrolled as unroll_episode

SMALL: dict[str, Any] = {
    "glimpses": 2,
    "patch": 4,
    "scales": 2,
    "hidden": 12,
    "upper": 8,
    "features": 8,
    "glance": 8,
    "glance_filters": 4,
}
FACTS = SequenceFacts(1, 24, 24, tuple("abcde"), 1, 3)


def config(**settings: Any) -> Config:
    return Config(**{**SMALL, **settings})


def batch_of(size: int, seed: int = 3) -> SequenceBatch:
    """Random pictures with texts of 1, 2 and 3 symbols."""
    generator = torch.Generator().manual_seed(seed)
    number = torch.arange(size) % 3 + 1
    labels = torch.randint(5, (size, 3), generator=generator)
    at = torch.arange(4)
    targets = torch.cat([labels, labels[:, :1]], dim=1).masked_fill(at == number[:, None], 5)
    targets = targets.masked_fill(at > number[:, None], -1)
    places = (torch.rand(size, 3, 2, generator=generator) * 2 - 1).masked_fill(
        at[:3, None] >= number[:, None, None], torch.nan
    )
    images = torch.randint(256, (size, 1, 24, 24), generator=generator, dtype=torch.uint8)
    return SequenceBatch(images, targets, number, places)


def network(settings: Config, *, double: bool = False, moving: bool = True) -> DRAM:
    """A fresh network; `moving` gives its policy weights, which a fresh one does not have."""
    torch.manual_seed(0)
    core = DRAM(settings, FACTS)
    if moving:
        torch.nn.init.normal_(core.emission.weight, std=0.8)
    return core.double() if double else core


def episode_of(settings: Config, batch: SequenceBatch, progress: float = 1.0) -> GazeEpisode:
    return SYSTEM.episode(batch, settings, torch.Generator().manual_seed(7), progress=progress)


@cache
def canvases(**settings: Any) -> CanvasSource:
    data = SequenceData(**{"held_out": 60, **settings})
    return load_canvases(data, 0, torch.device("cpu"))


def unrolled(core: DRAM, episode: GazeEpisode) -> Reading:
    found = unroll_episode(core, episode)
    assert isinstance(found, Reading)
    return found


def as_double(episode: GazeEpisode) -> GazeEpisode:
    inputs = episode.inputs._replace(
        **{
            name: leaf.double()
            for name, leaf in episode.inputs._asdict().items()
            if isinstance(leaf, Tensor) and leaf.is_floating_point()
        }
    )
    return episode._replace(inputs=inputs, context=episode.context.double())
