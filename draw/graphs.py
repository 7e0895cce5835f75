"""The graphs of a trained DRAW: the whole network, and its two halves, encoder and generator."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from saccade.draw.model import Context, Draw, GeneratorState, Prepared
from saccade.pipeline.graph import EXAMPLES, Graph, Graphs
from saccade.pipeline.trained import AnyTrained
from saccade.recurrent.cells import CoreState
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.tree import map_tensors
from saccade.recurrent.unroll import unroll


class Posterior(NamedTuple):
    """The encoder's output at a step."""

    mu: Float[Tensor, "B Z"]
    log_sigma: Float[Tensor, "B Z"]
    read: Float[Tensor, "B 6"]
    """The window read."""


class Encoder(RecurrentCore[GeneratorState, CoreState, Prepared, Posterior]):
    """Equations 1 to 5 alone. Inputs: the generator's state; context: a `Context`.

    With the generator it is a step of DRAW: a caller may choose z, and what the encoder reads where nothing is given.
    """

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self.draw = draw

    def initial_state(self, batch_size: int) -> CoreState:
        return self.draw.encoder.initial_state(batch_size)

    def prepare(self, context: Context) -> Prepared:
        return self.draw.prepare(context)

    def forward(self, inputs: GeneratorState, state: CoreState, context: Prepared) -> tuple[Posterior, CoreState]:
        mu, log_sigma, window, encoder = self.draw.infer(inputs, state, context)
        return Posterior(mu, log_sigma, window), encoder


def graphs(trained: AnyTrained) -> Graphs:
    """Return DRAW, its encoder and its generator, which draws from z ~ N(0, I)."""
    draw, config = trained.core, trained.config
    assert isinstance(draw, Draw)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(EXAMPLES) % trained.facts.shape.classes
    noise = torch.randn(config.steps, EXAMPLES, config.latent, generator=generator)
    begin = draw.generator.initial_state(EXAMPLES)
    with torch.no_grad():
        strokes, _ = unroll(draw.generator, noise, begin, labels)  # its own drawings: examples that need no data
    drawn = GeneratorState(strokes.canvas, _repeated(begin.decoder, config.steps))
    context = Context((torch.sigmoid(strokes.canvas[-1]) > 0.5).float(), labels)
    return {
        "network": Graph(draw, noise, context),
        "encoder": Graph(Encoder(draw), drawn, context),
        "generator": Graph(draw.generator, noise, labels if config.labelled else None),
    }


def _repeated(state: CoreState, steps: int) -> CoreState:
    """Return a state as the inputs of every step."""
    return map_tensors(lambda leaf: leaf.detach().expand(steps, *leaf.shape), state)
