"""The output layer over a vocabulary, evaluated for the true symbols alone: no [T, B, V] tensor leaves it.

With the softmax p = softmax(W h + b) it gives, for each row, log p of the true symbol and the mean of log p over the
vocabulary, which is what label smoothing needs (Szegedy et al. 2016, section 7).
"""

# torch declares an autograd function's backward with *args:
# pyright: reportIncompatibleMethodOverride=false

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.autograd.function import once_differentiable

from saccade.recurrent.shared_weights import compute_type, sum_rows

ROWS = 256
"""Rows that are normalised at once: few enough to stay in the processor's cache."""


class Judged(NamedTuple):
    """The probabilities of true symbols."""

    log_p: Float[Tensor, " R"]
    """Log-probability of the true symbol, nats."""
    mean_log_p: Float[Tensor, " R"]
    """Mean of the log-probabilities of all symbols."""
    right: Bool[Tensor, " R"]
    """True where no symbol is more probable than the true one."""


def smoothed_loss(log_p: Float[Tensor, "..."], mean_log_p: Float[Tensor, "..."], smoothing: float) -> Tensor:
    """Return the cross-entropy with a target of 1 - smoothing on the true symbol and `smoothing` spread evenly."""
    return -(1 - smoothing) * log_p - smoothing * mean_log_p


def judge(
    h: Float[Tensor, "R E"], weight: Float[Tensor, "V E"], bias: Float[Tensor, " V"], target: Int64[Tensor, " R"]
) -> Judged:
    """Return the probabilities of the true symbols under softmax(W h + b).

    The products are computed in the autocast type where autocast is on; the softmax at least in float32.
    """
    return Judged(*_Judge.apply(h, weight, bias, target))  # type: ignore[misc]


class _Judge(torch.autograd.Function):
    """`judge` with its derivative."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dtype = compute_type(weight)
        rows, cast = h.to(dtype), weight.to(dtype)
        logits = F.linear(rows, cast, bias.to(dtype))  # [R, V]
        fine = torch.promote_types(dtype, torch.float32)
        totals, truth, means, right = [], [], [], []
        for part, true in zip(logits.split(ROWS), target.split(ROWS), strict=True):
            values = part.to(fine)
            highest = values.amax(1)
            own = values.gather(1, true[:, None]).squeeze(1)
            means.append(values.mean(1))
            totals.append(
                values.sub_(highest[:, None]).exp_().sum(1).log_().add_(highest)
                if part.dtype != fine
                else torch.logsumexp(values, 1)
            )
            truth.append(own)
            right.append(own >= highest)
        total = torch.cat(totals)
        ctx.types = h.dtype, weight.dtype, bias.dtype
        ctx.save_for_backward(rows, cast, logits, total, target)
        judged = torch.cat(right)
        ctx.mark_non_differentiable(judged)
        return torch.cat(truth) - total, torch.cat(means) - total, judged

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_log_p: Tensor, d_mean: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, logits, total, target = ctx.saved_tensors
        d_logits = torch.empty_like(logits)
        both, share = d_log_p + d_mean, d_mean / logits.shape[1]
        for start in range(0, len(logits), ROWS):
            part = slice(start, start + ROWS)
            p = (logits[part].to(total.dtype) - total[part, None]).exp_()
            p.mul_(-both[part, None]).add_(share[part, None])
            p.scatter_add_(1, target[part, None], d_log_p[part, None])
            d_logits[part] = p
        types = ctx.types
        d_h = (d_logits @ weight).to(types[0])
        return d_h, (d_logits.t() @ rows).to(types[1]), sum_rows(d_logits).to(types[2]), None
