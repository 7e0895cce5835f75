"""A trained network that translates, in Python: write sentences, see what it attended to, measure BLEU."""

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from saccade.errors import InputError, shown
from saccade.json_types import Record, Values
from saccade.pipeline.contract import AnySource, Split, Trace
from saccade.pipeline.device import keep_freed_memory, mixed_precision, own_device
from saccade.pipeline.progress import work
from saccade.pipeline.trained import Trained
from saccade.translate.config import Config, TranslateFacts
from saccade.translate.model import EncoderDecoder, Writer, for_beams
from saccade.translate.pairs import Pairs, Source
from saccade.translate.scores import Judged, scores
from saccade.translate.source import PairSource, encode_source, padded
from saccade.words.sampling import sample
from saccade.words.search import beam_search
from saccade.words.subwords import Subwords
from saccade.words.vocabulary import tidy

ROWS = 800
"""Sentences that are written at once, each beam counted."""

MANY = 32
"""Sentences for which it pays to compute what follows from a symbol alone once for all symbols."""

LONGER, MORE = 2, 10
"""A translation has at most LONGER times the source's subwords and MORE, its end included."""


class Candidate(NamedTuple):
    """A translation that the search found."""

    text: str
    score: float
    """Log-probability, nats, divided by length ** length_penalty."""


class Translation(NamedTuple):
    """A sentence and its translation."""

    source: str
    text: str
    """The best translation, or the sample."""
    candidates: list[Candidate]
    """The best translations, this one first; empty for a sample."""
    unknown: list[str]
    """Words of the sentence with letters that the network does not know: their translation is a guess."""


class Translator(Trained[Config, Pairs, TranslateFacts]):
    """A trained network that translates."""

    @cached_property
    def subwords(self) -> Subwords:
        """Its subwords."""
        return Subwords(self.facts.alphabet, self.facts.merges)

    def write(
        self, sentences: str | Sequence[str], *, beams: int | None = None, candidates: int = 1
    ) -> list[Translation]:
        """Translate sentences by beam search; their order is kept.

        Args:
            sentences: one or more; each is translated as one sentence.
            beams: sentences that are written at once for each; by default the network's setting. 1: greedily.
            candidates: number of the best translations to return of each, at most `beams`; fewer, where the search
                found the same text twice.

        Raises:
            InputError: a sentence that is empty, too long, or in letters none of which the network knows; candidates
                that are no beams.
        """
        beams = beams or self.config.beams
        if not 1 <= candidates <= beams:
            raise InputError(f"1 to {beams} candidates of {beams} beams", str(candidates), "raise the beams")
        read, encoded = self.read(sentences)
        penalty = self.config.length_penalty

        writer = cache(lambda: self.writer(many=len(read) >= MANY))  # one for all batches, in the search's precision

        def search(source: Source, most: Tensor) -> list[list[Candidate]]:
            core, network = writer()
            found = beam_search(
                core, network.logits, source, most, beams=beams, length_penalty=penalty, spread=for_beams
            )
            rows = zip(found.sentences(), found.scores.tolist(), strict=True)
            return [self.candidates(own, scores[: len(own)]) for own, scores in rows]

        found = self._in_batches(encoded, max(1, ROWS // beams), search)
        pairs = zip(read, found, strict=True)
        return [Translation(a, own[0].text, own[:candidates], self.unknown(a)) for a, own in pairs]

    def sample(
        self, sentences: str | Sequence[str], *, seed: int = 0, temperature: float = 1.0, nucleus: float = 1.0
    ) -> list[Translation]:
        """Draw a translation of each sentence; the same seed and sentences give the same.

        Args:
            sentences: as for `write`.
            seed: of the noise.
            temperature, nucleus: see `saccade.words.sampling.sampled_symbol`.

        Raises:
            InputError: as `write`; or as `saccade.words.sampling.sample`.
        """
        read, encoded = self.read(sentences)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.rand(LONGER * self.facts.longest + MORE, len(read), generator=generator)
        columns = iter(torch.arange(len(read))[self._order(encoded)].split(ROWS))

        def draw(source: Source, most: Tensor) -> list[str]:
            core, network = self.writer()
            uniform = noise[: int(most.max()), next(columns)].to(own_device())
            drawn = sample(core, network.logits, source, uniform, temperature=temperature, nucleus=nucleus)
            return [self.subwords.decode(one) for one in drawn]

        texts = self._in_batches(encoded, ROWS, draw)
        return [Translation(a, text, [], self.unknown(a)) for a, text in zip(read, texts, strict=True)]

    def trace(self, sentences: str | Sequence[str], translations: Sequence[str] | None = None) -> Trace:
        """Return what the network did as it wrote translations: its own by default, or given ones."""
        read, encoded = self.read(sentences)
        texts = [one.text for one in self.write(read)] if translations is None else [tidy(t) for t in translations]
        if len(texts) != len(read):
            raise InputError(f"{len(read)} translations", str(len(texts)), "give one for each sentence")
        source, target = padded(encoded), padded(self.subwords.encode(texts))
        batch = Pairs(source[0], target[0], source[1], target[1], torch.arange(len(read)))
        return self.look(Pairs(*(leaf.to(own_device()) for leaf in batch)))

    def source(self, data_dir: str | None = None) -> PairSource:
        """Load the pairs that it was trained on. Arguments and errors as `Trained.source`."""
        return cast(PairSource, super().source(data_dir))

    def evaluate(
        self, split: Split = "test", source: AnySource | None = None, further: Values | None = None
    ) -> tuple[Record, list[str]]:
        """Measure it on a held-out split: BLEU of what it writes, and the perplexity of the references.

        Returns and raises as `Trained.evaluate`.
        """
        source = cast(PairSource, source or self.source())
        corpora = source.corpora(split)
        written = self.write([line for corpus in corpora for line in corpus.sources])
        sets, start = {}, 0
        for corpus in corpora:
            texts = [one.text for one in written[start : start + len(corpus.sources)]]
            references = [line.lower() if self.facts.lower == "both" else line for line in corpus.targets]
            sets[corpus.name] = Judged(corpus.sources, texts, references)
            start += len(texts)
        found = scores(sets) | {"beams": self.config.beams, "length_penalty": self.config.length_penalty}
        return super().evaluate(split, source, found | dict(further or {}))

    def read(self, sentences: str | Sequence[str]) -> tuple[list[str], list[list[int]]]:
        """Return the sentences, tidied, and their subwords; refuse what cannot be translated."""
        given = [sentences] if isinstance(sentences, str) else list(sentences)
        if not given:
            raise InputError("a sentence", "none", "give one or more")
        read = [tidy(sentence) for sentence in given]
        encoded = encode_source(self.facts, self.subwords, read)
        for number, sentence in enumerate(read, 1):
            known = set(self.subwords.alphabet)
            letters = [letter for letter in self._lowered(sentence) if letter.isalnum()]
            if letters and not known.intersection(letters):
                found = f"no letter of it in sentence {number:,}, {shown(sentence, 60)}"
                raise InputError(f"a sentence in the script of {self.facts.source}", found, "give another sentence")
        return read, encoded

    def candidates(self, found: Sequence[Sequence[int]], scores: Sequence[float]) -> list[Candidate]:
        """Return the translations of a sentence, the best first; a text that was found in two spellings only once."""
        best: dict[str, float] = {}
        for symbols, score in zip(found, scores, strict=True):
            best.setdefault(self.subwords.decode(symbols), score)
        return [Candidate(text, score) for text, score in best.items()]

    def unknown(self, sentence: str) -> list[str]:
        """Return the words of a sentence that hold unknown letters, as they were given."""
        return [word for word in dict.fromkeys(sentence.split()) if self.subwords.unknown(self._lowered(word))]

    def _lowered(self, sentence: str) -> str:
        return sentence if self.facts.lower == "none" else sentence.lower()

    def writer(self, *, many: bool = False) -> tuple[Writer, EncoderDecoder]:
        """Return the network as a search steps it, of many sentences or few, and itself."""
        network = cast(EncoderDecoder, self.core)
        return Writer(network, many=many), network

    def precision(self) -> torch.autocast:
        """Return a context in which the network computes as it was trained."""
        device = own_device()
        narrow = mixed_precision(self.run.train.precision, device) == "bf16"
        return torch.autocast(device.type, torch.bfloat16, enabled=narrow)

    @staticmethod
    def _order(encoded: Sequence[Sequence[int]]) -> list[int]:
        """Return the numbers of the sentences, the longest first."""
        return sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))

    def _in_batches(
        self, encoded: list[list[int]], size: int, write: Callable[[Source, Tensor], Sequence[Any]]
    ) -> list[Any]:
        """Return what `write` returns for each sentence; sentences of similar length go together."""
        keep_freed_memory()
        order, device = self._order(encoded), own_device()
        found: list[Any] = [None] * len(encoded)
        starts = range(0, len(order), size)
        with work("translating", len(starts)) as advance, torch.no_grad(), self.precision():
            for start in starts:
                chosen = order[start : start + size]
                symbols, lengths = padded([encoded[i] for i in chosen])
                source = Source(symbols.to(device), lengths.to(device))
                for i, one in zip(chosen, write(source, LONGER * source.lengths + MORE), strict=True):
                    found[i] = one
                advance(1)
        return found
