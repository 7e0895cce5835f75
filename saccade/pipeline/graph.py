"""Graphs of a trained network: the cores that are exported, each with an example of its inputs.

A system may bring `graphs.py` with `graphs(trained) -> Graphs`. Without it the network's own core is the only graph,
and its example is the first held-out episode of its data.
"""

from typing import Any, NamedTuple

import torch

from saccade.pipeline import systems
from saccade.pipeline.trained import AnyTrained
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree

EXAMPLES = 3
"""Examples in the batch by which a graph is recorded and checked: neither 1 nor another dimension's size."""


class Graph(NamedTuple):
    """A core to export, in operations that ONNX has, with an example of what it takes."""

    core: AnyCore
    inputs: Tree
    """Every leaf [T, B, ...]."""
    context: Tree = None
    """Every leaf [B, ...]; None: the core takes none."""


Graphs = dict[str, Graph]
"""Graphs by name; the first is the network itself."""


def graphs(trained: AnyTrained) -> Graphs:
    """Return the graphs of a network.

    Raises:
        InputError: the data of a system without `graphs.py` are missing.
    """
    name = trained.run.system
    if systems.has(name, "graphs"):
        return systems.module(name, "graphs").graphs(trained)
    batch: Any = trained.held_out(trained.source(), "test", 0, EXAMPLES)
    episode = trained.system.episode(batch, trained.config, torch.Generator().manual_seed(0))
    return {"network": Graph(trained.core, episode.inputs, episode.context)}
