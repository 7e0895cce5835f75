"""The graphs of a trained sketch-rnn: the pen, which draws from a given z, and its encoder; or the reader.

Their examples are random moves of the size that moves have: they need no data.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from saccade.pipeline.graph import EXAMPLES, Graph, Graphs
from saccade.pipeline.trained import AnyTrained
from saccade.recurrent.cells import CoreState
from saccade.recurrent.core import RecurrentCore
from saccade.sketch import model
from saccade.sketch.model import PEN, Given, PenInputs, Sketch, cell_inputs, in_full
from saccade.sketch.pen_reader import FEATURES

STEPS = 24
"""Moves of the examples."""


class BothWays(NamedTuple):
    """Inputs of the encoder: a drawing's moves from the first to the last, and from the last to the first."""

    ahead: Float[Tensor, "*axes 5"]
    back: Float[Tensor, "*axes 5"]


class Reading(NamedTuple):
    """State of the encoder's two cells."""

    forwards: CoreState
    backwards: CoreState


class Posterior(NamedTuple):
    """Posterior of z; after a drawing's last move it is the drawing's."""

    mu: Float[Tensor, "*axes Z"]
    log_variance: Float[Tensor, "*axes Z"]


class Encoder(RecurrentCore[BothWays, Reading, None, Posterior]):
    """The encoder, equations 1 and 2, as a core over the moves of drawings of one length."""

    def __init__(self, encoder: model.Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def initial_state(self, batch_size: int) -> Reading:
        own = self.encoder
        return Reading(own.forwards.initial_state(batch_size), own.backwards.initial_state(batch_size))

    def forward(self, inputs: BothWays, state: Reading, context: None = None) -> tuple[Posterior, Reading]:
        own, bound = self.encoder, model.LARGEST_LOG_VARIANCE
        ahead, forwards = own.forwards(cell_inputs(own.forwards, inputs.ahead, None), state.forwards)  # type: ignore[arg-type]
        back, backwards = own.backwards(cell_inputs(own.backwards, inputs.back, None), state.backwards)  # type: ignore[arg-type]
        mu, log_variance = in_full(own.posterior, torch.cat([ahead, back], dim=1)).chunk(2, dim=1)
        return Posterior(mu, log_variance.clamp(-bound, bound)), Reading(forwards, backwards)


def graphs(trained: AnyTrained) -> Graphs:
    """Return the graphs of a network that draws, or of one that reads."""
    generator, core = torch.Generator().manual_seed(0), trained.core
    if not isinstance(core, Sketch):
        return {"network": Graph(core, PenInputs(torch.randn(STEPS, EXAMPLES, FEATURES, generator=generator)))}
    z = torch.randn(EXAMPLES, trained.config.latent, generator=generator)
    given = Given(z, torch.arange(EXAMPLES) % len(trained.facts.classes))
    moves = torch.randn(STEPS, EXAMPLES, PEN, generator=generator)
    found = {"network": Graph(core, PenInputs(moves), given)}
    if core.encoder is not None:
        found["encoder"] = Graph(Encoder(core.encoder), BothWays(moves, moves.flip(0)))
    return found
