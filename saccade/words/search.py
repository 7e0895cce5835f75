"""Beam search and sampling for any core that reads symbols: choices over beams, stepped by the one loop over time.

A core's inputs are the numbers of symbols [B]; `logits` turns its output at one step into scores [B, V]. As in
`Feedback`, what is chosen is what the next step reads; a beam search chooses for all beams of a sentence at once, and
reorders the core's state by it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.tree import Tree, count, map_tensors, take
from saccade.recurrent.unroll import unroll
from saccade.words.largest import largest, normaliser
from saccade.words.symbols import BEGIN, END, NEVER_WRITTEN, PAD

Logits = Callable[[Any], Tensor]
"""From a core's output at one step to scores [B, V], not normalised; before any `readout`."""

Spread = Callable[[Any, int], Any]
"""From what a core's `prepare` returned for B examples, and K, to the context of K B rows, those of an example B apart.
A core whose attention takes several queries of a memory can read it as it is."""

ROWS = 256
"""Rows whose scores are computed and ranked at once: few enough to stay in the processor's cache."""

STEPS_AT_ONCE = 2
"""Steps between two looks at which sentences are done; the results do not depend on it."""


class Hypotheses(NamedTuple):
    """The n best sentences of each of B examples, the best first."""

    symbols: Int64[Tensor, "B K T"]
    """The symbols, END the last of each; PAD after it."""
    lengths: Int64[Tensor, "B K"]
    """Symbols of each, END included; 0 where fewer than K sentences were found."""
    scores: Float[Tensor, "B K"]
    """Log-probability, nats, divided by length ** length_penalty; -inf where there is no sentence."""

    def sentences(self) -> list[list[list[int]]]:
        """Return the symbols without END as lists: of each example, of each sentence that was found."""
        pairs = zip(self.symbols.tolist(), self.lengths.tolist(), strict=True)
        return [[row[: n - 1] for row, n in zip(rows, sizes, strict=True) if n] for rows, sizes in pairs]


class Beams(NamedTuple):
    """State of a beam search for B sentences: K beams that are being written (one before the first step), and what is
    finished."""

    core: Any
    """The core's state of every beam, every leaf [K B, ...]: the beams of a sentence lie B apart."""
    symbols: Int64[Tensor, "B K T"]
    scores: Float[Tensor, "B K"]
    """Log-probability of what is written so far; -inf where there are fewer sentences."""
    finished: Int64[Tensor, "B K T"]
    finished_scores: Float[Tensor, "B K"]
    """Normalised; -inf where fewer are finished."""
    most: Int64[Tensor, " B"]
    """Most symbols of each sentence, END included."""


class BeamSearch(RecurrentCore[Tensor, Beams, Any, Tensor]):
    """A core that writes K sentences for each example at once. Inputs: the number of the step, int64 [1].

    Of the extensions of all beams by one symbol the best K that do not end are kept. An extension that ends is finished
    if it is among the best K of all. A sentence is done when K are finished, or at its own `most` symbols, where all
    beams end. The context is what the core's `prepare` returned: for the first step, where all beams would be the same,
    as it is, then as `spread` returned it.
    """

    def __init__(
        self, core: AnyCore, logits: Logits, beams: int, length_penalty: float, never: Sequence[int] = NEVER_WRITTEN
    ) -> None:
        super().__init__()
        self.core, self.logits, self.beams, self.length_penalty = core, logits, beams, length_penalty
        self.never = sorted({*never, PAD, END})

    def begin(self, most: Int64[Tensor, " B"]) -> Beams:
        """Return the state before the first step: one empty sentence for each example."""
        size, steps = len(most), int(most.max())
        symbols = torch.full((size, self.beams, steps), PAD, device=most.device)
        none = torch.full((size, self.beams), -torch.inf, device=most.device)
        return Beams(self.core.initial_state(size), symbols[:, :1], torch.zeros_like(none[:, :1]), symbols, none, most)

    def forward(self, inputs: Int64[Tensor, " 1"], state: Beams, context: Any) -> tuple[Tensor, Beams]:
        step, (size, beams) = int(inputs), state.scores.shape
        previous = state.symbols[:, :, step - 1] if step else torch.full_like(state.symbols[:, :, 0], BEGIN)
        output, core = self.core(previous.t().flatten(), state.core, context)
        by_sentence = lambda rows: rows.view(beams, size, -1).transpose(0, 1)  # noqa: E731
        found, symbols, end = (by_sentence(torch.cat(parts)) for parts in zip(*self._ranked(output), strict=True))
        ending = state.scores + end.squeeze(2)  # [B, K]
        values = state.scores[:, :, None] + found
        values = values.masked_fill((state.most == step + 1)[:, None, None], -torch.inf)  # at its end no beam goes on
        among = values.flatten(1)
        missing = max(0, self.beams - among.shape[1])  # fewer symbols than beams: the rest write what is never best
        kept, places = F.pad(among, (0, missing), value=-torch.inf).topk(self.beams, dim=1)  # [B, K]
        places = places.clamp(max=among.shape[1] - 1)
        parents = places // values.shape[2]
        chosen = symbols.flatten(1).gather(1, places)
        finished, finished_scores = self._finish(state, step, ending, kept)
        written = state.symbols.gather(1, parents[:, :, None].expand(-1, -1, state.symbols.shape[2])).clone()
        written[:, :, step] = chosen
        rows = (size * parents + torch.arange(size, device=parents.device)[:, None]).t().flatten()
        after = Beams(_picked(core, rows), written, kept, finished, finished_scores, state.most)
        return done(after, step + 1), after

    def _ranked(self, output: Any) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield, of some rows at a time, the largest log-probabilities [R, k], their symbols, and that of END [R]."""
        for start in range(0, count(output), ROWS):
            logits = self.logits(take(output, slice(start, start + ROWS)))
            fine = torch.promote_types(logits.dtype, torch.float32)
            end, apart = logits[:, END], logits[:, self.never].to(fine).logsumexp(1)
            logits = logits.index_fill(1, logits.new_tensor(self.never, dtype=torch.int64), -torch.inf)
            found, symbols = largest(logits, min(self.beams, logits.shape[1]))
            total = torch.logaddexp(normaliser(logits, found[:, 0]), apart)
            yield (found - total[:, None]).float(), symbols, (end - total).float()

    def _finish(self, state: Beams, step: int, ending: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Return the best K finished sentences and their scores, after those that end at this step."""
        beams = self.beams
        ranks = torch.cat([ending, kept], dim=1).topk(beams, dim=1).indices  # among all, the first K are the ends
        among = torch.zeros(len(ending), ending.shape[1] + beams, dtype=torch.bool, device=ending.device)
        among.scatter_(1, ranks, True)
        open_ = ~done(state, step)[:, None]
        new = torch.where(among[:, : ending.shape[1]] & open_, ending / (step + 1) ** self.length_penalty, -torch.inf)
        ended = state.symbols.clone()
        ended[:, :, step] = END
        scores, best = torch.cat([state.finished_scores, new], dim=1).topk(beams, dim=1)
        both = torch.cat([state.finished, ended], dim=1)
        return both.gather(1, best[:, :, None].expand(-1, -1, both.shape[2])), scores


def done(state: Beams, step: int) -> Bool[Tensor, " B"]:
    """Return which sentences are done after `step` steps: K are finished, or no symbol may follow."""
    return (state.finished_scores[:, -1] > -torch.inf) | (state.most <= step)


def repeated(prepared: Tree, beams: int) -> Tree:
    """Return what a core's `prepare` returned, every leaf [B, ...], for all beams of each example: [K B, ...]."""
    return map_tensors(lambda leaf: leaf.repeat(beams, *[1] * (leaf.ndim - 1)), prepared)


@torch.no_grad()
def beam_search(
    core: AnyCore,
    logits: Logits,
    context: Tree,
    most: Int64[Tensor, " B"],
    *,
    beams: int = 5,
    length_penalty: float = 1.0,
    never: Sequence[int] = NEVER_WRITTEN,
    spread: Spread = repeated,
) -> Hypotheses:
    """Write the most probable sentences for each of B examples; with 1 beam, greedily.

    A sentence does not depend on the others of its batch. What the core did meanwhile, e.g. its attention, is seen by
    unrolling it on a found sentence as in training, see `teacher`.

    Args:
        core: reads symbols [B K]; its initial state does not depend on the context (its first step may).
        logits: see `Logits`.
        context: the core's context, before its `prepare`, every leaf [B, ...].
        most: most symbols of each sentence, END included, 1 or more.
        beams: number of sentences K that are written at once, and returned.
        length_penalty: exponent of the length by which a finished sentence's score is divided; 0 prefers short ones.
        never: symbols that are not written.
        spread: see `Spread`.

    Raises:
        InputError: fewer than 1 beam, or a sentence of fewer than 1 symbol.
    """
    _check(beams, most)
    search = BeamSearch(core, logits, beams, length_penalty, never)
    prepared, stepped = core.prepare(context), _Prepared(search)
    state, open_ = search.begin(most), torch.arange(len(most), device=most.device)
    symbols, scores, seen = state.finished.clone(), state.finished_scores.clone(), prepared
    numbers = torch.arange(int(most.max()), device=most.device)[:, None]
    for window in (numbers[:1], *filter(len, numbers[1:].split(STEPS_AT_ONCE))):
        state = unroll(stepped, window, state, seen)[1]
        seen = seen if window[0] else spread(prepared, beams)
        finished = done(state, int(window[-1]) + 1)
        symbols[open_[finished]], scores[open_[finished]] = state.finished[finished], state.finished_scores[finished]
        if finished.all():
            break
        if finished.any():  # what is done is stepped no more
            going = (~finished).nonzero().squeeze(1)
            open_, prepared, state = open_[going], _picked(prepared, going), _only(state, going)
            seen = spread(prepared, beams)
    lengths = (symbols != PAD).sum(2).masked_fill(scores == -torch.inf, 0)
    symbols = symbols.masked_fill((lengths == 0)[:, :, None], PAD)
    return Hypotheses(symbols[:, :, : int(lengths.max())], lengths, scores)


def _check(beams: int, most: Int64[Tensor, " B"]) -> None:
    """Refuse fewer than 1 beam, and sentences of no symbol."""
    if beams < 1 or len(most) == 0 or int(most.min()) < 1:
        found = f"{beams} beams for {len(most)} sentences of {most.min() if len(most) else 'no'} symbols"
        raise InputError("1 or more beams, sentences and symbols", found, "give more")


def _only(state: Beams, which: Int64[Tensor, " N"]) -> Beams:
    """Return the state of some of the sentences."""
    size, beams = state.scores.shape
    rows = (which + size * torch.arange(beams, device=which.device)[:, None]).flatten()
    return Beams(_picked(state.core, rows), *_picked(tuple(state[1:]), which))


def _picked(tree: Tree, rows: Int64[Tensor, " N"]) -> Any:
    """Return rows of every leaf; `take` by indices, but several times as fast."""
    return map_tensors(lambda leaf: leaf.index_select(0, rows), tree)


class _Prepared(RecurrentCore[Tensor, Any, Any, Any]):
    """A core whose context has been prepared: the windows of a search share it."""

    def __init__(self, core: AnyCore) -> None:
        super().__init__()
        self.core = core

    def forward(self, inputs: Tensor, state: Any, context: Any) -> tuple[Any, Any]:
        return self.core(inputs, state, context)


class Taught(NamedTuple):
    """Sentences as an unroll on the true sequence reads them."""

    inputs: Int64[Tensor, "T B"]
    """BEGIN, then all symbols but the last; PAD after the end."""
    targets: Int64[Tensor, "T B"]
    """The symbols, END the last; PAD after it."""
    lengths: Int64[Tensor, " B"]
    """Symbols of each sentence, END included."""


def teacher(sentences: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> Taught:
    """Return sentences, given without END, as inputs and targets of an unroll."""
    lengths = torch.tensor([len(sentence) + 1 for sentence in sentences])
    steps = int(lengths.max())
    targets = torch.tensor([[*s, END, *[PAD] * (steps - len(s) - 1)] for s in sentences]).t().contiguous()
    inputs = torch.cat([torch.full((1, len(sentences)), BEGIN), targets[:-1].masked_fill(targets[:-1] == END, PAD)])
    return Taught(inputs.to(device), targets.to(device), lengths.to(device))
