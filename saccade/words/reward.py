"""BLEU of single sentences of symbols, all at once: the reward of a network that writes (Ranzato et al. 2016).

`saccade.words.bleu` measures a corpus of text by sacreBLEU; this is its score of one sentence, with the smoothing
`add-k`, of symbols, as tensors: fast enough for every step of a training.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from saccade.words.symbols import PAD, UNKNOWN

TINY = 1e-6


def sentence_bleu(
    written: Int64[Tensor, "R T"],
    references: Int64[Tensor, "R C U"],
    *,
    longest: int = 4,
    smoothing: float = 0.1,
    brevity: float = 2.0,
) -> Float[Tensor, " R"]:
    """Return the smoothed BLEU of each sentence, in [0, 1]; END counts as a word, and is the last.

    Args:
        written: the sentences; PAD after the end. A sentence of PAD alone has 0.
        references: of each sentence, padded alike; one of PAD alone is none. A word outside the vocabulary matches
            nothing.
        longest: length of the longest n-grams.
        smoothing: is added to the counts of 2-grams and longer ones, for sentences that lack some. Adding 1, as Lin &
            Och (2004) do, favours short sentences.
        brevity: power of the brevity penalty. With BLEU's own, 1, a network that is rewarded sentence by sentence
            learns to write sentences that are too short for a corpus.
    """
    said, meant = written != PAD, references != PAD
    length, lengths = said.sum(1), meant.sum(2)
    apart = (lengths - length[:, None]).abs().masked_fill(lengths == 0, written.shape[1] + references.shape[2])
    nearest = apart == apart.amin(1, keepdim=True)
    closest = torch.where(nearest, lengths, lengths.amax() + 1).amin(1)  # the shorter of two that are as close
    own = (written[:, :, None] == written[:, None, :]) & said[:, :, None] & said[:, None, :]
    known = (said & (written != UNKNOWN))[:, None, :, None]
    match = (written[:, None, :, None] == references[:, :, None, :]) & known  # [R, C, T, U]
    own_n, match_n, score = own, match, torch.zeros(len(written), device=written.device)
    for n in range(1, longest + 1):
        if n > 1:
            own_n, match_n = _longer(own_n, own, n), _longer(match_n, match, n)
        occurs = own_n.sum(2)  # times that the n-gram which begins here is written; 0 where none begins
        allowed = match_n.sum(3).amax(1)  # the most times that a reference has it
        clipped = (torch.minimum(occurs, allowed) / occurs.clamp(min=1)).sum(1)
        added = smoothing if n > 1 else 0.0
        score = score + ((clipped + added) / (length - n + 1 + added).clamp(min=max(added, TINY))).log()
    short = (1 - closest / length.clamp(min=1)).clamp(max=0)
    return torch.where(length > 0, (score / longest + brevity * short).exp(), 0.0)


def _longer(grams: Bool[Tensor, "..."], words: Bool[Tensor, "..."], n: int) -> Bool[Tensor, "..."]:
    """Return where n-grams are equal, from where (n-1)-grams and words are; the last word lies n - 1 on."""
    return grams[..., :-1, :-1] & words[..., n - 1 :, n - 1 :]
