"""The graph of a trained DRAM: its core as it reads, one rollout of each picture, with a retina that indexes pixels."""

import copy

import torch

from saccade.dram.model import DRAM
from saccade.dram.source import SequenceBatch
from saccade.gaze.sensor import Retina
from saccade.pipeline.graph import EXAMPLES, Graph, Graphs
from saccade.pipeline.trained import AnyTrained


def graphs(trained: AnyTrained) -> Graphs:
    """Return DRAM as a graph. Both ways of the retina give the same patches bit for bit."""
    one, facts = trained.with_model(rollouts=1), trained.facts
    core = copy.deepcopy(trained.core)
    assert isinstance(core, DRAM)
    core.config = one.config
    core.retina = Retina(one.config.patch, one.config.scales, facts.channels, facts.height, facts.width, pad=False)
    generator = torch.Generator().manual_seed(0)
    shape = EXAMPLES, facts.channels, facts.height, facts.width
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)  # pictures that need no data
    unknown = torch.full((EXAMPLES, facts.longest + 1), -1)
    places = torch.full((EXAMPLES, facts.longest, 2), torch.nan)
    batch = SequenceBatch(images, unknown, torch.zeros(EXAMPLES, dtype=torch.int64), places)
    episode = one.system.episode(batch, one.config, generator)
    return {"network": Graph(core, episode.inputs, episode.context)}
