"""The graph of a trained RAM: its core with a retina that indexes pixels, which ONNX has."""

import copy

import torch

from saccade.errors import InputError
from saccade.gaze.sensor import Retina
from saccade.glimpse.model import RAM
from saccade.images.source import ImageBatch
from saccade.pipeline.graph import EXAMPLES, Graph, Graphs
from saccade.pipeline.trained import AnyTrained


def graphs(trained: AnyTrained) -> Graphs:
    """Return RAM as a graph. Both ways of the retina give the same patches bit for bit.

    Raises:
        InputError: a network with Gaussian windows.
    """
    core = copy.deepcopy(trained.core)
    assert isinstance(core, RAM)
    if core.gaussian:
        raise InputError("a RAM with hard windows", "Gaussian ones", "export one trained with --attention hard")
    shape, config = trained.facts.shape, trained.config
    core.retina = Retina(config.patch, config.scales, *shape[:3], pad=False)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(EXAMPLES, *shape[:3], generator=generator)
    batch = ImageBatch(images, torch.zeros(EXAMPLES, dtype=torch.int64))
    episode = trained.system.episode(batch, trained.with_model(rollouts=1).config, generator)
    return {"network": Graph(core, episode.inputs, episode.context)}
