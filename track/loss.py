"""The loss of a tracker: localisation, appearance (Kahou et al. 2015, section 3), place and confidence.

Frames in which the target is hidden teach the confidence alone.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from saccade.pipeline.contract import Loss
from saccade.track.config import Config
from saccade.track.model import Step
from saccade.track.window import overlap, read_box

RIGHT = 0.4
"""An answer that overlaps the truth more than this is right; it is what the confidence tells."""

TRUE_WIDTH = 0.7
"""Deviation, in filters, of the distribution over places that the response is compared with."""

INSIDE = 16
"""Filters along each side of the box whose contents the appearance loss compares."""


class Truth(NamedTuple):
    """The targets of every step."""

    box: Float[Tensor, "T B 4"]
    visible: Bool[Tensor, "T B"]


def loss(outputs: Step, frames: UInt8[Tensor, "T B C H W"], truth: Truth, config: Config) -> Loss:
    """Return the weighted sum of the parts, each a mean over the steps in which the target is visible."""
    weight = truth.visible.to(outputs.box.dtype)
    parts = {
        "localisation": localisation(outputs.box, truth.box),
        "response": response(outputs, truth.box),
        "appearance": appearance(outputs.box, truth.box, frames) if config.appearance else torch.zeros_like(weight),
    }
    means = {name: (part * weight).sum() / weight.sum().clamp(min=1) for name, part in parts.items()}
    means["confidence"] = surety(outputs, truth).mean()
    total = torch.stack([getattr(config, name) * mean for name, mean in means.items()]).sum()
    return Loss(total, {name: mean.detach() for name, mean in means.items()})


def localisation(box: Float[Tensor, "T B 4"], true: Float[Tensor, "T B 4"]) -> Float[Tensor, "T B"]:
    """Return the error of centre and size: squared where small, absolute where large, in sizes of the true box."""
    moved = (box[..., :2] - true[..., :2]) / true[..., 2:]
    grown = (box[..., 2:] / true[..., 2:]).log()
    return F.smooth_l1_loss(torch.cat([moved, grown], dim=-1), torch.zeros_like(box), beta=0.3, reduction="none").sum(
        -1
    )


def response(outputs: Step, true: Float[Tensor, "T B 4"]) -> Float[Tensor, "T B"]:
    """Return the cross-entropy of the place of the target's centre; 0 where it is not in the window."""
    count = outputs.place.shape[-1]
    offset = (true[..., :2] - outputs.window[..., :2]) / outputs.window[..., 2:] * (count / 2)  # filters
    within = (offset.abs() < count / 2).all(-1)
    cells = torch.arange(count, device=true.device, dtype=true.dtype) - (count - 1) / 2
    bumps = torch.softmax(-0.5 * ((cells - offset[..., None]) / TRUE_WIDTH) ** 2, dim=-1).detach()  # [T, B, 2, N]
    entropy = -torch.einsum("tbi,tbj,tbij->tb", bumps[:, :, 1], bumps[:, :, 0], outputs.place)
    return entropy * within


def appearance(
    box: Float[Tensor, "T B 4"], true: Float[Tensor, "T B 4"], frames: UInt8[Tensor, "T B C H W"]
) -> Float[Tensor, "T B"]:
    """Return the mean squared difference of the pixels in the answer's box from those in the true one."""
    flat = frames.flatten(0, 1)
    own, wanted = (read_box(flat, boxes.flatten(0, 1), INSIDE) for boxes in (box, true.detach()))
    return (own - wanted).square().mean((1, 2, 3)).view(box.shape[:2])


def surety(outputs: Step, truth: Truth) -> Float[Tensor, "T B"]:
    """Return the cross-entropy of the confidence: does the answer overlap a target that can be seen?"""
    right = (overlap(outputs.box.detach(), truth.box) > RIGHT) & truth.visible
    return F.binary_cross_entropy_with_logits(outputs.confidence, right.to(outputs.confidence.dtype), reduction="none")
