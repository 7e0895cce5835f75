"""CIDEr-D (Vedantam et al. 2015, section 5 and its variant D): agreement with the references by rare n-grams.

The public implementations come with a Java tokenizer or with language models, so it is written out here. Torch-free.
"""

import math
from collections import Counter
from collections.abc import Sequence

LONGEST = 4
"""Words of the longest n-grams."""

SIGMA = 6.0
"""Deviation of the penalty on a difference in length, words."""

Grams = list[Counter[tuple[str, ...]]]
"""Counts of the 1-grams, 2-grams, ..."""


def cider_d(written: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> float:
    """Return the mean CIDEr-D of a corpus, times 100 (a mean of 10 at most, as published, is 1,000 here).

    Args:
        written: the words of a sentence for each picture; at least two pictures, since rarity is measured on them.
        references: the words of each picture's references.
    """
    grams = [[_grams(reference) for reference in several] for several in references]
    pictures: Counter[tuple[str, ...]] = Counter()
    for several in grams:
        pictures.update({gram for reference in several for counts in reference for gram in counts})
    rarity = {gram: math.log(len(references)) - math.log(count) for gram, count in pictures.items()}
    total = 0.0
    for sentence, several in zip(written, grams, strict=True):
        own = _grams(sentence)
        total += sum(_likeness(own, reference, rarity, len(references)) for reference in several) / len(several)
    return 100 * total / len(written)


def _grams(words: Sequence[str]) -> Grams:
    """Count the n-grams of a sentence."""
    return [Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)) for n in range(1, LONGEST + 1)]


def _likeness(own: Grams, other: Grams, rarity: dict[tuple[str, ...], float], pictures: int) -> float:
    """Return ten times the mean over n of the clipped cosine of two sentences, less for different lengths."""
    unseen = math.log(pictures)
    difference = own[0].total() - other[0].total()
    if difference and pictures < 2:
        return 0.0
    found = 0.0
    for mine, theirs in zip(own, other, strict=True):
        weighed = {gram: count * rarity.get(gram, unseen) for gram, count in mine.items()}
        against = {gram: count * rarity.get(gram, unseen) for gram, count in theirs.items()}
        dot = sum(min(value, against[gram]) * against[gram] for gram, value in weighed.items() if gram in against)
        norms = math.sqrt(sum(v * v for v in weighed.values()) * sum(v * v for v in against.values()))
        found += dot / norms if norms else 0.0
    return 10 * found / LONGEST * math.exp(-(difference**2) / (2 * SIGMA**2))
