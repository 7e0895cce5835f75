"""Sampling sentences with `Feedback`: choices of a symbol from a core's scores and one uniform number a step."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.core import AnyCore
from saccade.recurrent.feedback import Feedback
from saccade.recurrent.sequence import lengths_until
from saccade.recurrent.tree import Tree, count
from saccade.recurrent.unroll import unroll
from saccade.words.search import Logits
from saccade.words.symbols import BEGIN, END, NEVER_WRITTEN


def drawn_symbol(logits: Float[Tensor, "B V"], uniform: Float[Tensor, " B"]) -> Int64[Tensor, " B"]:
    """Return a symbol for each example, drawn from the softmax of all scores by inversion, in the symbols' order."""
    reached = torch.softmax(logits, dim=1).cumsum(1)
    return (reached <= uniform[:, None] * reached[:, -1:]).sum(1).clamp(max=logits.shape[1] - 1)


def sampled_symbol(
    logits: Float[Tensor, "B V"], uniform: Float[Tensor, " B"], temperature: float = 1.0, nucleus: float = 1.0
) -> Int64[Tensor, " B"]:
    """Return a symbol for each example, drawn by inversion of the distribution function.

    Args:
        logits: scores, not normalised; -inf is never drawn.
        uniform: noise in [0, 1).
        temperature: divides the scores; near 0 the most probable symbol is drawn.
        nucleus: draw from the most probable symbols that together have this probability (Holtzman et al. 2020).
    """
    ranked, order = torch.softmax(logits.double() / temperature, dim=1).sort(dim=1, descending=True, stable=True)
    before = ranked.cumsum(1) - ranked
    ranked = ranked.masked_fill(before >= nucleus, 0)  # the first one always stays
    reached = ranked.cumsum(1)
    place = (reached <= uniform[:, None].double() * reached[:, -1:]).sum(1, keepdim=True)
    last = (ranked > 0).sum(1, keepdim=True) - 1
    return order.gather(1, torch.minimum(place, last)).squeeze(1)


@torch.no_grad()
def sample(
    core: AnyCore,
    logits: Logits,
    context: Tree,
    uniform: Float[Tensor, "T B"],
    *,
    temperature: float = 1.0,
    nucleus: float = 1.0,
    never: Sequence[int] = NEVER_WRITTEN,
) -> list[list[int]]:
    """Draw one sentence for each of B examples, of at most T symbols (one that reaches them is cut there).

    Args:
        core: reads symbols [B].
        logits: see `saccade.words.search.Logits`.
        context: the core's context, every leaf [B, ...].
        uniform: the noise, in [0, 1).
        temperature, nucleus: see `sampled_symbol`.
        never: symbols that are not written.

    Returns:
        The symbols without END.

    Raises:
        InputError: a temperature of 0 or less, or a nucleus outside (0, 1].
    """
    if not temperature > 0 or not 0 < nucleus <= 1:
        found = f"{temperature} and {nucleus}"
        raise InputError("a temperature above 0 and a nucleus above 0, up to 1", found, "change them")

    def choose(output: Any, noise: Tensor) -> Tensor:
        scores = logits(output).float()
        scores[:, list(never)] = -torch.inf
        return sampled_symbol(scores, noise, temperature, nucleus)

    return _written(core, choose, context, uniform)


def _written(core: AnyCore, choose: Callable[[Any, Tensor], Tensor], context: Tree, noise: Tensor) -> list[list[int]]:
    """Return what `Feedback` writes, each sentence up to its END."""
    first = lambda size: torch.full((size,), BEGIN, device=noise.device)  # noqa: E731
    feedback = Feedback(core, choose, first)
    fed, _ = unroll(feedback, noise, feedback.initial_state(count(noise, axis=1)), context)
    ends = fed.choice == END  # [T, B]
    lengths = (lengths_until(ends) - ends.any(0).long()).tolist()
    return [row[:n] for row, n in zip(fed.choice.t().tolist(), lengths, strict=True)]
