"""A trained network in Python: it writes sentences about photographs, and is measured by what it writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from saccade.caption.cider import cider_d
from saccade.caption.config import SCENES, CaptionFacts, Config
from saccade.caption.model import Teller
from saccade.caption.source import Captioned, encoded
from saccade.caption.trace import Sight
from saccade.errors import InputError
from saccade.json_types import Record, Values
from saccade.pipeline.contract import AnySource, Split, Trace
from saccade.pipeline.device import own_device
from saccade.pipeline.evaluate import evaluate as evaluation
from saccade.pipeline.progress import track
from saccade.pipeline.trained import Trained
from saccade.recurrent.tree import count, take
from saccade.words.bleu import bleu
from saccade.words.search import Hypotheses, beam_search
from saccade.words.vocabulary import Vocabulary

BEAMS = (1, 3, 5)
"""Beams with which a network is measured, next to its own."""

PICTURES_AT_ONCE = 100


class Sentence(NamedTuple):
    """A written sentence."""

    words: list[str]
    score: float
    """Log-probability, nats, divided by a power of the length (`Config.length_penalty`)."""

    @property
    def text(self) -> str:
        """The sentence as text."""
        return " ".join(self.words)


class Telling(NamedTuple):
    """Sentences about some pictures."""

    sentences: list[list[Sentence]]
    """Of each picture, the best first."""
    trace: Trace
    """The best of each, word by word, for `saccade.film`."""


class Writer(Trained[Config, Captioned, CaptionFacts]):
    """A trained Show, Attend and Tell."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Its words."""
        return Vocabulary(self.facts.words)

    def write(self, pictures: str | Path | Sequence[str | Path]) -> Telling:
        """Describe photographs, each by the best sentences of a beam search.

        Args:
            pictures: files; the middle square of each is looked at.

        Raises:
            InputError: a file that is no picture, or the encoder is not installed.
        """
        files = [pictures] if isinstance(pictures, str | Path) else list(pictures)
        if not files:
            raise InputError("one picture or more", "none", "give at least one")
        batch = self._photographs([Path(file) for file in files])
        found = self.search(batch)
        return Telling(self._sentences(found), self._read(batch, found))

    def search(self, batch: Captioned, *, beams: int | None = None, length_penalty: float | None = None) -> Hypotheses:
        """Write the best sentences for a batch's pictures, by beam search; never with a true word."""
        config, core = self.config, self.core
        assert isinstance(core, Teller)
        most = torch.full((len(batch.vectors),), config.most_words + 1, device=batch.vectors.device)
        penalty = config.length_penalty if length_penalty is None else length_penalty
        sight = Sight(batch.vectors)
        several = beams or config.beams
        shared = lambda seen, _: seen  # noqa: E731 # the captions of a picture look at the same memory
        return beam_search(core, core.logits, sight, most, beams=several, length_penalty=penalty, spread=shared)

    def written(self, whole: Captioned, *, beams: int, length_penalty: float | None = None) -> list[list[str]]:
        """Return the words of the best sentence for each of any number of pictures."""
        vocabulary, found = self.vocabulary, []
        starts = range(0, count(whole), PICTURES_AT_ONCE)
        for start in track(starts, f"writing with {beams} beams", len(starts)):
            part = take(whole, slice(start, start + PICTURES_AT_ONCE))
            hypotheses = self.search(part, beams=beams, length_penalty=length_penalty)
            found += [vocabulary.decode(sentences[0]) for sentences in hypotheses.sentences()]
        return found

    def look(self, batch: Captioned, condition: str | None = None) -> Trace:
        """Write the best sentence for each picture, and return it word by word."""
        return self._read(batch, self.search(batch), condition)

    def held_out(self, source: AnySource, split: Split, index: int, number: int) -> Captioned:
        """Return `number` pictures of a split from `index` on, with their pixels."""
        batch: Captioned = super().held_out(source, split, index, number)
        return batch._replace(pixels=source.pixels(batch, split))  # type: ignore[attr-defined]

    def evaluate(
        self, split: Split = "test", source: AnySource | None = None, further: Values | None = None
    ) -> tuple[Record, list[str]]:
        """Measure it on a held-out split by the sentences that it writes itself, see `Trained.evaluate`."""
        source = source or self.source()
        measured = self.measure(source, split)
        return super().evaluate(split, source, measured | dict(further or {}))

    def measure(self, source: AnySource, split: Split) -> Record:
        """Return BLEU-1 to 4 and CIDEr-D of its own sentences by beams; for scenes also the share of true ones."""
        whole, references = source.held_out(split), source.references(split)  # type: ignore[attr-defined]
        own, exact = self.config.beams, self.facts.encoder == SCENES
        measured = {
            beams: scores(self.written(whole, beams=beams), references, exact=exact) for beams in sorted({*BEAMS, own})
        }
        compared = ("bleu_4", "bleu_1", "cider", *(["exact_percent"] if exact else []))
        by_beams = {f"{key}_by_beams": {str(n): found[key] for n, found in measured.items()} for key in compared}
        return {**measured[own], "beams": own, **by_beams}

    def _photographs(self, files: Sequence[Path]) -> Captioned:
        """Look at photographs."""
        facts = self.facts
        if facts.encoder == SCENES:
            do = "give a network that was trained on photographs, e.g. caption-flickr8k"
            raise InputError("a network that looks at photographs", "one for scenes of digits", do)
        from saccade.caption.encoder import load_encoder, square

        pixels = [square(file) for file in files]
        encoder = load_encoder(facts.encoder, facts.encoder_weights)
        if encoder.fingerprint != facts.fingerprint:
            found = f"{encoder.fingerprint}, other weights or another preparation of pictures"
            raise InputError(f"the encoder {facts.encoder} of fingerprint {facts.fingerprint}", found, OTHER)
        device = own_device()
        empty = torch.zeros(len(files), 1, 1, dtype=torch.int64, device=device)
        shown = torch.from_numpy(np.stack(pixels))
        return Captioned(encoder.encode(pixels).to(device), empty, torch.arange(len(files), device=device), shown)

    def _read(self, batch: Captioned, found: Hypotheses, condition: str | None = None) -> Trace:
        """Unroll the network on the best sentences that it wrote."""
        best = [sentences[0] for sentences in found.sentences()]
        words = encoded([[sentence] for sentence in best]).to(batch.words.device)
        spoken = batch._replace(words=words)
        trace = evaluation.trace(self.run, self.core, spoken, self.facts, condition=condition)
        return trace._replace(remark=self.remark(self.measured()))

    def _sentences(self, found: Hypotheses) -> list[list[Sentence]]:
        vocabulary = self.vocabulary
        pairs = zip(found.sentences(), found.scores.tolist(), strict=True)
        return [
            [Sentence(vocabulary.decode(numbers), score) for numbers, score in zip(several, values, strict=False)]
            for several, values in pairs
        ]


OTHER = "install the version of the encoder's package that the network was trained with"


def scores(written: list[list[str]], references: list[list[list[str]]], *, exact: bool) -> Record:
    """Return BLEU-1 to 4 and CIDEr-D of sentences, in percent, and their mean length; the share of true ones."""
    joined = [" ".join(words) for words in written]
    against = [[" ".join(words) for words in several] for several in references]
    measured = bleu(joined, against, tokenizer="none")
    found: Record = {f"bleu_{n}": score for n, score in enumerate(measured.cumulative, start=1)}
    found |= {"brevity_penalty": measured.brevity_penalty, "signature": measured.signature}
    found["cider"] = cider_d(written, references)
    found["mean_words"] = sum(map(len, written)) / len(written)
    if exact:
        right = sum(sentence in several for sentence, several in zip(joined, against, strict=True))
        found["exact_percent"] = 100 * right / len(written)
    return found
