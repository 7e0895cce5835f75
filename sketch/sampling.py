"""Drawing: the model unrolled on its own moves (Ha & Eck 2017, section 3.2, last paragraphs)."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.feedback import Fed, Feedback, FeedbackState
from saccade.recurrent.sequence import lengths_until
from saccade.recurrent.tree import map_tensors, take
from saccade.recurrent.unroll import unroll
from saccade.sketch.episodes import start
from saccade.sketch.mixture import END, LIFTED, draw, mixture
from saccade.sketch.model import Given, PenInputs, PenState, Prepared, Seen, Sketch, Step

STEPS_AT_ONCE = 32
"""Moves between two looks if all drawings have ended."""


class Drawn(NamedTuple):
    """Drawings that the network made."""

    fed: Fed
    """The distribution of each move and the move, leaves [T, B, ...]."""
    lengths: Tensor
    """Moves of each drawing, without its end, int64 [B]."""
    ended: Tensor
    """False for a drawing that reached the most moves and is unfinished, bool [B]."""

    @property
    def moves(self) -> Float[Tensor, "B T 3"]:
        """The moves as rows (dx, dy, lifted)."""
        five: Tensor = self.fed.choice.move.transpose(0, 1)
        return torch.cat([five[:, :, :2], five[:, :, 2 + LIFTED : 3 + LIFTED]], dim=2)


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that is not above 0.

    Raises:
        InputError: 0, less, or not a number.
    """
    if not 0 < temperature <= 100:
        raise InputError("a temperature above 0, at most 100", f"{temperature:g}", "give e.g. 0.4")


def noise_for(steps: int, examples: int, generator: torch.Generator) -> Float[Tensor, "T B 4"]:
    """Draw the noise of each move: two uniform numbers and two normal ones."""
    uniform = torch.rand(examples, steps, 2, generator=generator)
    normal = torch.randn(examples, steps, 2, generator=generator)
    return torch.cat([uniform, normal], dim=2).transpose(0, 1)


class Chance(NamedTuple):
    """Inputs of the pen at a step."""

    numbers: Float[Tensor, "*axes 4"]
    """Noise, see `noise_for`."""
    temperature: Float[Tensor, "*axes"]


Pen = Feedback[Chance, PenState, Prepared, Step, PenInputs]


def pen_of(core: Sketch) -> Pen:
    """Return the model as a pen that is fed its own moves."""

    def choose(output: Step, chance: Chance) -> PenInputs:
        offset, pen = draw(mixture(output.y), chance.numbers, chance.temperature)
        return PenInputs(torch.cat([offset, F.one_hot(pen, 3).to(offset.dtype)], dim=1))

    return Feedback(core, choose, lambda size: PenInputs(start(size)))


@torch.no_grad()
def begin(core: Sketch, context: Given | Seen, first: PenInputs) -> FeedbackState:
    """Return the pen's state after its first moves.

    Args:
        first: the paper's S_0 to S_k [k + 1, B, 5].
    """
    state: PenState = core.initial_state(first.move.shape[1])
    if len(first.move) > 1:  # the moves before the last one are given: the core sees them as in training
        _, state = unroll(core, take(first, slice(-1)), state, context)
    return FeedbackState(state, take(first, -1))


@torch.no_grad()
def sample(
    core: Sketch,
    context: Given | Seen,
    noise: Float[Tensor, "T B 4"],
    temperature: float,
    begun: PenInputs | None = None,
) -> Drawn:
    """Draw until every drawing has ended, or for as many moves as there is noise.

    Args:
        begun: the first moves, the paper's S_0 to S_k [k + 1, B, 5]; by default S_0 alone.

    Raises:
        InputError: a temperature of 0 or less.
    """
    check_temperature(temperature)
    first = PenInputs(start(noise.shape[1]).to(noise)[None]) if begun is None else begun
    pen, at = pen_of(core), begin(core, context, first)
    chance = Chance(noise, torch.full_like(noise[..., 0], temperature))
    parts: list[Any] = []
    for start_of in range(0, len(noise), STEPS_AT_ONCE):
        fed, at = unroll(pen, take(chance, slice(start_of, start_of + STEPS_AT_ONCE)), at, context)
        parts.append(fed)
        if _ended(parts).any(0).all():
            break
    fed = map_tensors(lambda *leaves: torch.cat(leaves), *parts)
    ended = _ended(parts)
    lengths = torch.where(ended.any(0), lengths_until(ended) - 1, len(ended))
    most = max(1, int(lengths.max()))
    return Drawn(take(fed, slice(most)), lengths, ended.any(0))


def _ended(parts: list[Any]) -> Tensor:
    """Return at which steps the pen said END, bool [T, B]."""
    return torch.cat([part.choice.move[:, :, 2 + END] > 0.5 for part in parts])
