"""Random places in a picture, in proportion to their contrast: a gaze for the time before a policy is learned."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

CELLS = 24
"""Cells of the grid over a picture, across and down."""

LEAST = 1e-3
"""Weight of a cell without contrast."""


def salient_places(
    images: Float[Tensor, "B C H W"], steps: int, generator: torch.Generator
) -> Float[Tensor, "{steps} B 2"]:
    """Draw places (x, y) in [-1, 1], uniform within cells that are drawn in proportion to their contrast.

    Contrast is the mean distance of a cell's pixels from the picture's median. Random numbers are drawn on the
    generator's device.
    """
    cells = min(CELLS, *images.shape[2:])
    median = images.flatten(2).median(dim=2).values[:, :, None, None]
    contrast = F.adaptive_avg_pool2d((images - median).abs().mean(1, keepdim=True), cells).flatten(1) + LEAST
    chosen = torch.multinomial(contrast.cpu(), steps, replacement=True, generator=generator).t()  # [T, B]
    within = torch.rand(steps, len(images), 2, generator=generator)
    cell = torch.stack([chosen % cells, chosen // cells], dim=2)
    return ((cell + within) * (2 / cells) - 1).to(images.device)
