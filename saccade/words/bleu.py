"""BLEU (Papineni et al. 2002) of a corpus with one or more references, by the library sacreBLEU. Torch-free."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple, cast

from saccade.errors import InputError


class Bleu(NamedTuple):
    """BLEU of a corpus, in percent."""

    score: float
    """BLEU up to the longest n-grams that were asked for."""
    cumulative: tuple[float, ...]
    """BLEU-1, BLEU-2, ... up to those: the geometric mean of the precisions so far, times the brevity penalty."""
    precisions: tuple[float, ...]
    """Precision of the 1-grams, 2-grams, ..., each alone."""
    brevity_penalty: float
    signature: str
    """Case, tokenisation, smoothing and version: two scores compare only where the signatures are equal."""


def bleu(
    written: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    lower: bool = False,
    tokenizer: Literal["13a", "none", "char", "intl"] = "13a",
    longest: int = 4,
) -> Bleu:
    """Measure the BLEU of a corpus.

    Args:
        written: a sentence each.
        references: the references of each sentence, one or more; their number may differ.
        lower: compare without case.
        tokenizer: sacreBLEU's; "none" for text whose tokens are separated by spaces already.
        longest: length of the longest n-grams.

    Raises:
        InputError: no sentence, another number of references than sentences, a sentence without a reference; or
            sacreBLEU is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise InputError("the package sacrebleu", "none", "install it: pip install sacrebleu") from None
    if not written or len(written) != len(references) or not all(references):
        found = f"{len(written):,} and {len(references):,}" if all(references) else "a sentence without a reference"
        raise InputError("sentences and as many lists of references", found, "give one or more references for each")
    streams = cast(Sequence[Sequence[str]], list(zip_longest(*references)))  # of each rank, None where there is none
    metrics = [
        BLEU(lowercase=lower, tokenize=tokenizer, max_ngram_order=order, force=True) for order in range(1, longest + 1)
    ]
    scores = [metric.corpus_score(list(written), streams) for metric in metrics]
    full = scores[-1]
    cumulative = tuple(score.score for score in scores)
    return Bleu(full.score, cumulative, tuple(full.precisions), full.bp, str(metrics[-1].get_signature()))
