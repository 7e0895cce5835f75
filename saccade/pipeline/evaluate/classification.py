"""Error and confusion matrix of a classifier's answers."""

import torch
from torch import Tensor


def error_percent(probabilities: Tensor, target: Tensor) -> float:
    """Return the percentage of examples whose most probable class [B, K] is not the target [B]; four decimals."""
    return round(100 * (probabilities.argmax(1) != target).double().mean().item(), 4)


def confusion(probabilities: Tensor, target: Tensor) -> list[list[int]]:
    """Count how many examples of each class (row) got each answer (column), K x K, from probabilities [B, K]."""
    classes = probabilities.shape[1]
    cells = target * classes + probabilities.argmax(1)
    return torch.bincount(cells, minlength=classes**2).view(classes, classes).tolist()
