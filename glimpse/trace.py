"""What passes through a Recurrent Attention Model: a step's inputs, its state, what it did and what it saw."""

from typing import Any, NamedTuple

from torch import Tensor


class Looking(NamedTuple):
    """A step's inputs, [B, ...]: all randomness, and who decides."""

    noise: Tensor  # N(0, 1) for the location policy [B, 2]
    forced: Tensor  # where to look instead of where the policy says, NaN where the policy decides [B, 2]
    std: Tensor  # of the location policy, image coordinates [B]
    step: Tensor  # t as a one-hot vector, which selects the location prior [B, T]
    digit: Tensor  # where the digit is, NaN where nobody knows; read by the gaze's measures alone [B, 2]


class Eye(NamedTuple):
    """State of a model that moves its eye: the core's, and where it looked last."""

    core: Any
    place: Tensor  # (x, y) in [-1, 1], the centre before the first glimpse [B, 2]


class Act(NamedTuple):
    """What a step itself gives, [B, ...]; `RAM.readout` makes a `Glimpse` of the stacked acts."""

    location: Tensor  # [B, 2]
    extents: Tensor  # half the width and height of each scale's window [B, S, 2]
    patches: Tensor  # [B, S, C, g, g]
    mean: Tensor  # [B, 2]
    sample: Tensor  # [B, 2]
    chosen: Tensor  # [B]
    before: Tensor  # h_{t-1}, detached [B, hidden]
    after: Tensor  # h_t, detached [B, hidden]
    last: Tensor  # whether this is the last of the T glimpses [B, 1]


class Glimpse(NamedTuple):
    """What was done, seen and believed, [T, B, ...]."""

    location: Tensor  # l_t, (x, y) looked at, in [-1, 1] [T, B, 2]
    windows: Tensor  # per scale (x, y, half-width, half-height) in image coordinates [T, B, S, 4]
    patches: Tensor  # what the retina saw [T, B, S, C, g, g]
    logits: Tensor  # belief after each glimpse: the classifier's after the last one, before it the probe's [T, B, K]
    mean: Tensor  # of the location policy [T, B, 2]
    sample: Tensor  # the policy's draw, before it is clamped to the image [T, B, 2]
    chosen: Tensor  # whether the policy chose this location (and REINFORCE applies) [T, B]
    baseline: Tensor  # b_t, the reward expected before looking [T, B], or that for each true class [T, B, K]
