"""One sentence being translated, symbol by symbol: the beam search of `Translator.write`, a step at a time."""

from typing import NamedTuple

import torch
from torch import Tensor

from saccade.recurrent.unroll import unroll
from saccade.translate.model import for_beams
from saccade.translate.pairs import Source
from saccade.translate.picture import Grid, align
from saccade.translate.source import padded
from saccade.translate.translator import LONGER, MORE, Candidate, Translator
from saccade.words.search import BeamSearch, done
from saccade.words.symbols import END


class Translated(NamedTuple):
    """Result of a search."""

    candidates: list[Candidate]
    """The best first; each text once."""
    grid: Grid
    """Attention of the best one, word by word."""
    unknown: list[str]


class Writing:
    """A search under way. What it finds is what `Translator.write` finds."""

    @torch.no_grad()
    def __init__(self, network: Translator, sentence: str, beams: int) -> None:
        """Read the sentence.

        Raises:
            InputError: as `Translator.write`.
        """
        (self.sentence,), encoded = network.read(sentence)
        symbols, lengths = padded(encoded)
        core, model = network.writer()
        self.network, self.steps = network, 0
        self._search = BeamSearch(core, model.logits, beams, network.config.length_penalty)
        with network.precision():
            self._prepared = core.prepare(Source(symbols, lengths))
        self._state = self._search.begin(LONGER * lengths + MORE)

    @property
    def done(self) -> bool:
        """True if no symbol can be added any more."""
        return bool(done(self._state, self.steps)[0])

    @torch.no_grad()
    def step(self) -> list[Candidate]:
        """Add a symbol to every beam; return what is being written, the most probable first."""
        number = torch.tensor([[self.steps]])
        with self.network.precision():
            _, self._state = unroll(self._search, number, self._state, self._prepared)
        if self.steps == 0:  # one beam has become several
            self._prepared = for_beams(self._prepared, self._search.beams)
        self.steps += 1
        texts, scores = self._texts(self._state.symbols, self.steps), self._state.scores[0].tolist()
        going = zip(texts, scores, strict=True)
        return [Candidate(text, score / self.steps) for text, score in going if score > -torch.inf]

    def found(self) -> Translated:
        """Return the finished translations."""
        scores = self._state.finished_scores[0].tolist()
        ended = [row[: row.index(END)] for row in self._state.finished[0].tolist() if END in row]
        candidates = self.network.candidates(ended, scores[: len(ended)])
        grid = align(self.network.trace(self.sentence, [candidates[0].text]), self.steps, 0)
        return Translated(candidates, grid, self.network.unknown(self.sentence))

    def _texts(self, symbols: Tensor, steps: int) -> list[str]:
        return [self.network.subwords.decode(row[:steps]) for row in symbols[0].tolist()]
