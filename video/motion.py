"""Places and motions of things between walls: a small bank of Kalman filters for each axis of each object.

Place p and velocity v along an axis are a mixture of Gaussians (Sorenson & Alspach 1971). A step of time moves each
Gaussian (Kalman 1960): p + v. Past a wall the thing is put at the wall and turns round. While p is uncertain, so is if
it reached the wall: each Gaussian parts in two, the part inside and the part at the wall, by the moments of a truncated
Gaussian (Johnson, Kotz & Balakrishnan 1994, section 13.10.1). The heaviest Gaussians are kept, and the next measurement
decides between them.

All lengths are in pixels. A place p between 0 and `room` stands for the whole pixel at or below it.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FARTHEST = 6.0
"""Standard deviations beyond which a wall counts as this far: further tails vanish in single precision."""

SMALLEST = 1e-3
"""Least variance, in square pixels."""


class Motion(NamedTuple):
    """Mixtures of H Gaussians over place and velocity, for both axes (x, y) of N objects: [B, N, 2, H]."""

    place: Float[Tensor, "B N 2 H"]
    velocity: Float[Tensor, "B N 2 H"]
    place_variance: Float[Tensor, "B N 2 H"]
    covariance: Float[Tensor, "B N 2 H"]
    velocity_variance: Float[Tensor, "B N 2 H"]
    weight: Float[Tensor, "B N 2 H"]
    """Sums to 1 over the H Gaussians."""


def unknown(like: Tensor, objects: int, paths: int, room: float, fast: float) -> Motion:
    """Return what is known before the first frame: nothing about places, velocities of 0 +- `fast` [B = len(like)]."""
    zeros = like.new_zeros(len(like), objects, 2, paths)
    weight = torch.cat([zeros[..., :1] + 1, zeros[..., 1:]], dim=3)
    return Motion(zeros + room / 2, zeros, zeros + 100 * room**2, zeros, zeros + fast**2, weight)


def expected(motion: Motion, room: float) -> Motion:
    """Return the motion a frame later, between walls at 0 and `room`: the H heaviest of 2 H Gaussians."""
    p, v, pp, pv, vv, weight = motion
    p, pp, pv = p + v, pp + 2 * pv + vv, pv + vv
    deviation = pp.clamp(min=SMALLEST**2).sqrt()
    low, high = (-p / deviation).clamp(-FARTHEST, FARTHEST), ((room - p) / deviation).clamp(-FARTHEST, FARTHEST)
    below, above = normal_below(low), normal_below(-high)
    inside = (1 - below - above).clamp(min=1e-9)
    # inside: mean and variance of a Gaussian cut off at both walls
    shift = (density(low) - density(high)) / inside
    ratio = 1 + (low * density(low) - high * density(high)) / inside - shift.square()
    free = given_place(v, pp, pv, vv, p, (p + deviation * shift).clamp(0, room), pp * ratio.clamp(min=SMALLEST))
    # beyond the nearer wall: what is known of p + v corrects v; then the thing is at the wall, and turns round
    at_low = below > above
    reached, edge = torch.where(at_low, below, above), torch.where(at_low, low, -high)
    beyond = density(edge) / reached
    mean = p + torch.where(at_low, -deviation, deviation) * beyond
    ratio = 1 - edge * beyond - beyond.square()
    stopped = given_place(v, pp, pv, vv, p, mean, pp * ratio.clamp(min=SMALLEST))
    wall = torch.where(at_low, torch.zeros_like(p), torch.full_like(p, room))
    turned = (wall, -stopped[1], torch.full_like(p, SMALLEST), torch.zeros_like(p), stopped[4])
    parts = [torch.cat(pair, dim=3) for pair in zip((*free, weight * inside), (*turned, weight * reached), strict=True)]
    kept = parts[5].topk(weight.shape[3], dim=3).indices
    heaviest = Motion(*(part.gather(3, kept) for part in parts))
    return heaviest._replace(weight=heaviest.weight / heaviest.weight.sum(3, keepdim=True))


def corrected(motion: Motion, measured: Float[Tensor, "B N 2"], variance: Float[Tensor, "B N"]) -> Motion:
    """Return the motion after its places were measured (Kalman 1960): what predicted well becomes heavier."""
    p, v, pp, pv, vv, weight = motion
    total = pp + variance[..., None, None]
    surprise = measured[..., None] - p
    of_place, of_velocity = pp / total, pv / total
    likely = weight.clamp(min=1e-30).log() - (surprise.square() / total + total.log()) / 2
    return Motion(
        p + of_place * surprise,
        v + of_velocity * surprise,
        (1 - of_place) * pp,
        (1 - of_place) * pv,
        vv - of_velocity * pv,
        likely.softmax(3),
    )


def given_place(
    v: Tensor, pp: Tensor, pv: Tensor, vv: Tensor, p: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the five moments of a Gaussian whose place has another mean and variance."""
    slope = pv / pp
    return mean, v + slope * (mean - p), variance, slope * variance, vv - slope * pv + slope.square() * variance


def likeliest(values: Float[Tensor, "B N 2 H"], weight: Float[Tensor, "B N 2 H"]) -> Float[Tensor, "B N 2"]:
    """Return the values of the heaviest Gaussian of each axis."""
    return values.gather(3, weight.argmax(3, keepdim=True)).squeeze(3)


def pixels(motion: Motion, room: int) -> Float[Tensor, "B N 2 {room}+1"]:
    """Return how probable each whole pixel from 0 to `room` is, along each axis."""
    edges = torch.arange(1, room + 1, dtype=motion.place.dtype, device=motion.place.device)
    deviation = motion.place_variance.clamp(min=SMALLEST).sqrt()
    below = normal_below((edges - motion.place[..., None]) / deviation[..., None])  # [B, N, 2, H, room]
    below = (motion.weight[..., None] * below).sum(3)
    return torch.cat([below, torch.ones_like(below[..., :1])], 3).diff(dim=3, prepend=torch.zeros_like(below[..., :1]))


def density(z: Tensor) -> Tensor:
    """Return the standard normal density."""
    return torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)


def normal_below(z: Tensor) -> Tensor:
    """Return the probability that a standard normal number is below z."""
    return torch.erfc(-z / math.sqrt(2)) / 2
