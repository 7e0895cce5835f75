"""Scores of written sentences: BLEU with and without case, exact ones, and BLEU by the length of what was read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from saccade.json_types import Record
from saccade.words.bleu import bleu

LENGTHS = (8, 12, 16, 24)
"""Most words of a source sentence in each group but the last."""


class Judged(NamedTuple):
    """A test set: what was read, what was written, and the reference."""

    sources: Sequence[str]
    written: Sequence[str]
    references: Sequence[str]


def scores(sets: Mapping[str, Judged]) -> Record:
    """Return the part of metrics.json that is about what the network writes, by test set."""
    lowered = {name: bleu(one.written, _lists(one.references), lower=True) for name, one in sets.items()}
    cased = {name: bleu(one.written, _lists(one.references)) for name, one in sets.items()}
    first = next(iter(sets))
    return {
        "bleu_lowercased": {name: found.score for name, found in lowered.items()},
        "bleu": {name: found.score for name, found in cased.items()},
        "bleu_1_to_4_lowercased": list(lowered[first].cumulative),
        "exact_percent": {name: _exact(one) for name, one in sets.items()},
        "bleu_lowercased_by_source_words": by_length(sets[first]),
        "signature_lowercased": lowered[first].signature,
        "signature": cased[first].signature,
    }


def by_length(judged: Judged) -> dict[str, float]:
    """Return BLEU without case of sentences grouped by the number of words that were read."""
    groups: dict[str, list[int]] = {}
    for number, source in enumerate(judged.sources):
        words = len(source.split())
        upper = next((most for most in LENGTHS if words <= most), None)
        lower = max((most + 1 for most in LENGTHS if most < words), default=1)
        groups.setdefault(f"{lower}_to_{upper}" if upper else f"from_{lower}", []).append(number)
    ordered = sorted(groups, key=lambda name: min(len(judged.sources[i].split()) for i in groups[name]))
    return {name: _bleu_of(judged, groups[name]) for name in ordered}


def _bleu_of(judged: Judged, numbers: Sequence[int]) -> float:
    references = [[judged.references[i]] for i in numbers]
    return bleu([judged.written[i] for i in numbers], references, lower=True).score


def _exact(judged: Judged) -> float:
    """Return the percentage of sentences that are their reference, case included."""
    pairs = zip(judged.written, judged.references, strict=True)
    return 100 * sum(a == b for a, b in pairs) / len(judged.written)


def _lists(references: Sequence[str]) -> list[list[str]]:
    return [[reference] for reference in references]
