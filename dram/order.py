"""The order in which answers count: reading order, or any order that the network chooses."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def best_order(
    costs: Float[Tensor, "S B K1"], targets: Int64[Tensor, "B S"], count: Int64[Tensor, " B"]
) -> Int64[Tensor, "B S"]:
    """Return the targets in the order of least total cost: a permutation of the first `count` of each example.

    Args:
        costs: of every answer for every symbol, e.g. -log p.
        targets: the symbols, then the end symbol, which stays where it is, then padding.
        count: number of symbols of each example.
    """
    chosen = costs.detach().transpose(0, 1).gather(2, targets.clamp(min=0)[:, None].expand(-1, len(costs), -1))
    table, order = chosen.float().cpu().numpy(), np.tile(np.arange(targets.shape[1]), (len(targets), 1))
    for example, number in enumerate(count.tolist()):
        if number > 1:
            order[example, :number] = linear_sum_assignment(table[example, :number, :number])[1]
    return targets.gather(1, torch.from_numpy(order).to(targets.device))
