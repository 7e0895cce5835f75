"""Sentences from a CTC network's symbols (Graves et al. 2006), and how many of their words are wrong.

Symbol 0 is the blank; symbol k + 1 is word k. A path of symbols stands for the sentence that is left when repetitions
are merged and blanks are removed.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

import jiwer
from torch import Tensor

BLANK = 0

MOST_SYMBOLS = 10
"""Likeliest symbols of a frame that a beam tries."""


def greedy(logits: Tensor, lengths: Tensor) -> list[list[int]]:
    """Return the words of each sentence along the likeliest path.

    Args:
        logits: [T, B, V].
        lengths: frames of each clip, int64 [B].
    """
    paths = logits.argmax(2).t().tolist()
    return [merged(path[:length]) for path, length in zip(paths, lengths.tolist(), strict=True)]


def merged(path: Sequence[int]) -> list[int]:
    """Return the words of a path: repetitions merged, blanks removed."""
    return [
        symbol - 1 for before, symbol in zip([BLANK, *path], path, strict=False) if symbol != before and symbol != BLANK
    ]


def beam_search(logits: Tensor, lengths: Tensor, width: int) -> list[list[int]]:
    """Return the words of the likeliest sentence of each clip, by prefix beam search (Hannun et al. 2014).

    Args:
        logits: [T, B, V].
        lengths: frames of each clip, int64 [B].
        width: prefixes that are kept after each frame.
    """
    likely = logits.float().log_softmax(2)
    top, symbols = likely.topk(min(MOST_SYMBOLS, likely.shape[2]), dim=2)
    blanks = likely[:, :, BLANK]
    found = []
    for example, length in enumerate(lengths.tolist()):
        frames = zip(
            blanks[:length, example].tolist(),
            symbols[:length, example].tolist(),
            top[:length, example].tolist(),
            strict=True,
        )
        found.append(_search(frames, width))
    return found


Prefix = tuple[int, ...]


def _search(frames: "zip[tuple[float, list[int], list[float]]]", width: int) -> list[int]:
    """Return the likeliest sentence; each frame gives the blank's log-probability, and its likeliest symbols."""
    beam: dict[Prefix, tuple[float, float]] = {(): (0.0, -math.inf)}  # log-probability of ending in a blank, or not
    for blank, symbols, scores in frames:
        after: dict[Prefix, list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        for prefix, (in_blank, in_word) in beam.items():
            both = _add(in_blank, in_word)
            after[prefix][0] = _add(after[prefix][0], both + blank)
            for symbol, score in zip(symbols, scores, strict=True):
                if symbol == BLANK:
                    continue
                longer = (*prefix, symbol)
                if prefix and prefix[-1] == symbol:  # the same word goes on; a new one needs a blank between
                    after[prefix][1] = _add(after[prefix][1], in_word + score)
                    after[longer][1] = _add(after[longer][1], in_blank + score)
                else:
                    after[longer][1] = _add(after[longer][1], both + score)
        ranked = sorted(after.items(), key=lambda item: -_add(*item[1]))[:width]
        beam = {prefix: (ends[0], ends[1]) for prefix, ends in ranked}
    best = max(beam, key=lambda prefix: _add(*beam[prefix]))
    return [symbol - 1 for symbol in best]


def _add(a: float, b: float) -> float:
    """Return log(e^a + e^b)."""
    low, high = min(a, b), max(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def error_counts(truths: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> list[int]:
    """Return the substitutions, deletions and insertions of each answer, as jiwer counts them."""
    counts = []
    for truth, answer in zip(truths, answers, strict=True):
        if not truth:  # jiwer asks for a word
            counts.append(len(answer))
            continue
        found = jiwer.process_words(" ".join(map(str, truth)), " ".join(map(str, answer)))
        counts.append(found.substitutions + found.deletions + found.insertions)
    return counts
