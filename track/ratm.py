"""RATM as published (Kahou et al. 2015, section 3): a recurrent network alone steers, and learns what to follow.

The state after frame t - 1 gives the window on frame t, before that frame is seen; the window is the answer. The
equations are those of the paper's section 3.1 with a softmax for the filters' normalisation (no epsilon).
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from saccade.recurrent.cells import CoreState, build_core
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.shared_weights import affine
from saccade.track.config import Config
from saccade.track.model import First, Step
from saccade.track.window import Grid, read, sizes_of

FEATURES = 128
"""Width of the features of what the window sees."""

SMALLEST = 1e-3
"""Least stride and deviation, as fractions of their units."""


class Given(NamedTuple):
    """The context as a step sees it."""

    box: Float[Tensor, "B 4"]
    features: Float[Tensor, "B 128"]
    """Of the first box."""


class RatmState(NamedTuple):
    """Memory from frame to frame."""

    core: CoreState
    features: Float[Tensor, "B 128"]
    """Of the last window."""
    begun: Float[Tensor, " B"]
    """0 before the first step, then 1."""


class RATM(RecurrentCore[Tensor, RatmState, Given, Step]):
    """RATM. Inputs: frames uint8 [B, C, H, W], from the second one on; context: `First`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv2d(3, 16, 5, stride=2, padding=2)
        self.second = nn.Conv2d(16, config.features, 3, stride=2, padding=1)
        side = math.ceil(math.ceil(config.window / 2) / 2)
        self.features = nn.Linear(config.features * side**2, FEATURES)
        self.core = build_core(config.core, FEATURES, config.hidden, config.layers)
        self.steer = nn.Linear(self.core.output_size, 7)
        with torch.no_grad():
            self.steer.weight.mul_(0.1)
            self.steer.bias.copy_(torch.tensor([0.0, 0, 0.4, 0.4, 0.5, 0.5, 0]))

    def initial_state(self, batch_size: int) -> RatmState:
        zeros = self.steer.weight.new_zeros(batch_size)
        core = self.core.initial_state(batch_size)
        return RatmState(core, self.steer.weight.new_zeros(batch_size, FEATURES), zeros)

    def prepare(self, context: Any) -> Given:
        """See what is in the first box."""
        if isinstance(context, Given):
            return context
        assert isinstance(context, First)
        frame, box = context
        stride = box[:, 2:] * sizes_of(frame, box) / self.config.window
        return Given(box, self.see(read(frame, Grid(box[:, :2], stride, 0.5 * stride), self.config.window)))

    def forward(self, inputs: UInt8[Tensor, "B C H W"], state: RatmState, context: Given) -> tuple[Step, RatmState]:
        config, size = self.config, sizes_of(inputs, context.box)
        features = torch.where(state.begun[:, None] > 0, state.features, context.features)
        # h_t = RNN(f(x_t), h_{t-1}); phi_t = W_loc h_t + b
        h, core = self.core(features, state.core)
        phi = affine((h,), (self.steer.weight,), (self.steer.bias,)).to(context.box.dtype)
        centre, extent, width = phi[:, :2], phi[:, 2:4].abs() + SMALLEST, phi[:, 4:6].abs() + SMALLEST
        # g = (g~ + 1) / 2 A; delta = (A - 1) / (N - 1) |delta~|; sigma = |sigma~|, here in strides
        stride = (size - 1) / (config.window - 1) * extent
        sigma = stride * width
        patch = read(inputs, Grid(centre, stride, sigma), config.window)
        box = torch.cat([centre, config.window * stride / size], dim=1)
        place = phi.new_full((len(phi), config.window, config.window), -2 * math.log(config.window))
        step = Step(box, place, phi[:, 6], torch.zeros_like(state.begun), box, sigma, patch)
        return step, RatmState(core, self.see(patch), torch.ones_like(state.begun))

    def see(self, patch: Float[Tensor, "B C N N"]) -> Float[Tensor, "B 128"]:
        """Return the features of what a window sees."""
        colour = patch.expand(-1, 3, -1, -1) if patch.shape[1] == 1 else patch
        seen = torch.relu(self.second(torch.relu(self.first(colour - 0.5))))
        return torch.relu(self.features(seen.flatten(1))).to(patch.dtype)
