"""The largest of many scores and the sum of their exponentials, faster than a sort and a pass over all of them."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

BLOCK = 64
"""Scores in a block."""

ROWS = 32
"""Rows that are normalised at once: few enough to stay in the processor's cache."""


def largest(values: Float[Tensor, "R V"], k: int) -> tuple[Float[Tensor, "R k"], Int64[Tensor, "R k"]]:
    """Return the k largest values of each row, in falling order, and their places; as `topk`.

    The k largest lie in the k blocks with the largest maxima, so that only those are searched.
    """
    blocks, rest = divmod(values.shape[1], BLOCK)
    if blocks <= 2 * k:
        return values.topk(k, dim=1)
    head = values[:, : blocks * BLOCK].unflatten(1, (blocks, BLOCK))
    chosen = head.amax(2).topk(k, dim=1).indices  # [R, k]
    candidates = head.gather(1, chosen[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
    places = (chosen[:, :, None] * BLOCK + torch.arange(BLOCK, device=values.device)).flatten(1)
    if rest:
        tail = torch.arange(blocks * BLOCK, values.shape[1], device=values.device)
        candidates = torch.cat([candidates, values[:, -rest:]], dim=1)
        places = torch.cat([places, tail.expand(len(values), -1)], dim=1)
    found, among = candidates.topk(k, dim=1)
    return found, places.gather(1, among)


def normaliser(logits: Float[Tensor, "R V"], highest: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
    """Return the logarithm of the sum of exponentials of each row, computed in float32 (float64 for float64).

    Args:
        logits: scores.
        highest: of each row, as `largest` found it.
    """
    fine = torch.promote_types(logits.dtype, torch.float32)
    totals = []
    for part, top in zip(logits.split(ROWS), highest.to(fine).split(ROWS), strict=True):
        totals.append((part.to(fine) - top[:, None]).exp_().sum(1).log_().add_(top))
    return torch.cat(totals)
