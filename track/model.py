"""The tracker: a recurrent core that steers a Gaussian window by what it last saw, and says where the target is.

After RATM (Kahou et al. 2015): what the window sees passes through a feature network into a recurrent core, whose state
gives the next window's place, strides and widths; trained end to end. What is added to it is a model of the target's
appearance (`saccade.track.appearance`), so that the core follows the thing in the first box and not any thing.
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Complex, Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.recurrent.cells import CoreState, build_core
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.shared_weights import affine
from saccade.track.appearance import Appearance, Features, average, learn, match, respond
from saccade.track.config import Config
from saccade.track.window import Grid, read, sizes_of, stride_around

SCALES = (0.93, 1.0, 1.07)
"""Sizes of the target, relative to its box, at which its first appearance is learned."""

MAPS = len(SCALES) + 1
FAR, LARGE = 2.0, 1.6
"""Farthest centre of a box, in [-1, 1]; largest change of its size, as a logarithm."""

POOLED = 4
"""Side of the coarse map of the target's place that the core is given."""


class First(NamedTuple):
    """The context: the first frame, and the box in it."""

    frame: UInt8[Tensor, "B C H W"]
    box: Float[Tensor, "B 4"]
    """(x, y, w, h), see `saccade.track.window`."""


class Target(NamedTuple):
    """The context as a step sees it."""

    box: Float[Tensor, "B 4"]
    numerators: tuple[Complex[Tensor, "B F N M"], ...]
    """Of the first appearance, at each of the `SCALES`."""
    powers: Float[Tensor, "B 3 N M"]


class State(NamedTuple):
    """Memory of the tracker from frame to frame."""

    core: CoreState
    moved: Float[Tensor, "B 2"]
    """From the first box's centre to the next window's, in [-1, 1]."""
    grown: Float[Tensor, " B"]
    """Logarithm of the target's size, relative to the first box."""
    numerator: Float[Tensor, "B F N M 2"]
    """Running mean of the later appearances, each weighted by its gate: real and imaginary part of the numerator,"""
    power: Float[Tensor, "B N M"]
    """and the denominator."""
    first: Float[Tensor, " B"]
    """Weight that the first appearance still has beside it."""
    width: Float[Tensor, " B"]
    """Deviation of the next window's filters, in strides."""


class Step(NamedTuple):
    """A step's output. A box is (x, y, w, h), see `saccade.track.window`."""

    box: Float[Tensor, "B 4"]
    """The answer: where the target is in this frame."""
    place: Float[Tensor, "B N N"]
    """Logarithm of the probability that the target's centre is at each filter of the window."""
    confidence: Float[Tensor, " B"]
    """Logit of the probability that the answer is right; below 0 the target is lost."""
    gate: Float[Tensor, " B"]
    """Weight of this frame in the running appearance."""
    window: Float[Tensor, "B 4"]
    """The window through which the frame was seen: centre and half sizes, a box."""
    sigma: Float[Tensor, "B 2"]
    """Deviation of its filters, in pixels."""
    patch: Float[Tensor, "B C N N"]
    """The window's contents."""


class Tracker(RecurrentCore[Tensor, State, Target, Step]):
    """The tracker. Inputs: frames uint8 [B, C, H, W], from the second one on; context: `First`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.features = Features(config.window, config.features)
        self.log_ridge = nn.Parameter(torch.tensor(math.log(0.3)))
        self.sharpen = nn.Conv2d(MAPS, 8, 3, padding=1)
        self.merge = nn.Linear(8, 1)
        self.gains = nn.Parameter(torch.full((MAPS,), 6.0))
        self.scale_gain = nn.Parameter(torch.tensor(10.0))
        self.focus = nn.Parameter(torch.tensor(3.0))
        self.core = build_core(config.core, POOLED**2 + MAPS + 5, config.hidden, config.layers)
        self.steer = nn.Linear(self.core.output_size, 9)
        with torch.no_grad():
            self.merge.weight.mul_(0.1)
            self.steer.weight.mul_(0.1)
            self.steer.bias.zero_()
            self.steer.bias[0] = -2.0  # the running appearance changes slowly at first
        cells = torch.arange(config.window) - (config.window - 1) / 2
        self.register_buffer("cells", cells, persistent=False)
        self.register_buffer("log_scales", torch.tensor(SCALES).log(), persistent=False)

    cells: Tensor
    log_scales: Tensor

    @property
    def ridge(self) -> Tensor:
        """The regularisation lambda of the correlation filters."""
        return self.log_ridge.exp()

    def initial_state(self, batch_size: int) -> State:
        weights, count = self.steer.weight, self.config.window
        zero, half = weights.new_zeros(batch_size), count // 2 + 1
        numerator = weights.new_zeros(batch_size, self.config.features, count, half, 2)
        power, still = weights.new_zeros(batch_size, count, half), weights.new_zeros(batch_size, 2)
        return State(self.core.initial_state(batch_size), still, zero, numerator, power, zero + 1, zero + 0.5)

    def prepare(self, context: Any) -> Target:
        """Learn the first appearance, at several sizes; of a `Target` nothing is left to do."""
        if isinstance(context, Target):
            return context
        assert isinstance(context, First)
        frame, box = context
        middle = box.new_full((len(box), 2), (self.config.window - 1) / 2)
        found = []
        for scale in SCALES:  # seen through a smaller window it looks larger
            grid = self.grid(box, torch.tensor(1 / scale), sizes_of(frame, box), box.new_full((len(box),), 0.5))
            found.append(learn(self.features(read(frame, grid, self.config.window)), middle))
        return Target(box, tuple(each.numerator for each in found), torch.stack([each.power for each in found], dim=1))

    def grid(self, box: Float[Tensor, "B 4"], scale: Tensor, size: Tensor, width: Float[Tensor, " B"]) -> Grid:
        """Return the window around a box: its strides follow from the box's size, its widths from `width` strides."""
        stride = stride_around(box[:, 2:] * scale, size, self.config.reach, self.config.window)
        return Grid(box[:, :2], stride, stride * width[:, None])

    def forward(self, inputs: UInt8[Tensor, "B C H W"], state: State, context: Target) -> tuple[Step, State]:
        config, size = self.config, sizes_of(inputs, context.box)
        extent = context.box[:, 2:] * state.grown.exp()[:, None]
        looked = torch.cat([context.box[:, :2] + state.moved, extent], dim=1)
        # section 3, attention: the window that the last state chose, and what it sees
        grid = self.grid(looked, extent.new_ones(()), size, state.width)
        patch = read(inputs, grid, config.window)
        # section 3, features; then their likeness to the target: three first appearances, and the running one
        features = self.features(patch)
        maps = self.compare(features, context, state)  # [B, 4, N, N]
        place = self.locate(maps)  # [B, N, N]
        # section 3, the recurrent core: from what was seen to the next window
        found, sizes, summary = self.summarise(maps, place)
        h, core = self.core(summary, state.core)
        steering = affine((h,), (self.steer.weight,), (self.steer.bias,)).to(patch.dtype)
        gate, sure, grow, width = steering[:, :4].unbind(1)
        ahead, correction = torch.tanh(steering[:, 4:6]), torch.tanh(steering[:, 6:8])
        gate = config.memory * torch.sigmoid(gate)
        unit = grid.stride * 2 / size  # a filter's distance, in [-1, 1]
        offset = found + correction  # filters
        centre = (looked[:, :2] + offset * unit).clamp(-FAR, FAR)
        growth = sizes * torch.sigmoid(steering[:, 8]) + 0.03 * torch.tanh(grow)
        grown = (state.grown + growth).clamp(-LARGE, LARGE)
        box = torch.cat([centre, context.box[:, 2:] * grown.exp()[:, None]], dim=1)
        numerator, power, first = self.remember(features, offset, state, gate)
        moved = centre + ahead * 2 * unit - context.box[:, :2]
        next_state = State(core, moved, grown, numerator, power, first, 0.3 + 0.4 * torch.sigmoid(width))
        window = torch.cat([looked[:, :2], config.window / 2 * unit], dim=1)
        return Step(box, place, sure, gate, window, grid.sigma, patch), next_state

    def compare(self, features: Tensor, target: Target, state: State) -> Float[Tensor, "B 4 N N"]:
        """Return the response of each appearance to a window's features."""
        middle = SCALES.index(1.0)
        keep = state.first[:, None, None]
        matched = match(features, *target.numerators, torch.view_as_complex(state.numerator))
        # the running appearance is the weighted sum of the first one and those since
        running = matched[:, -1] + matched[:, middle] * keep
        power = torch.cat([target.powers, (target.powers[:, middle] * keep + state.power)[:, None]], dim=1)
        return respond(torch.cat([matched[:, :-1], running[:, None]], dim=1), power, self.ridge)

    def locate(self, maps: Float[Tensor, "B 4 N N"]) -> Float[Tensor, "B N N"]:
        """Return the logarithm of the probability of each place, from the responses around it."""
        sharp = torch.relu(self.sharpen(maps)).flatten(2)  # [B, 8, N N]
        merged = (self.merge.weight.to(sharp.dtype) @ sharp)[:, 0].view_as(maps[:, 0]).to(maps.dtype) + self.merge.bias
        logits = merged + (maps * self.gains[:, None, None]).sum(1)
        return F.log_softmax(logits.flatten(1), dim=1).view_as(logits)

    def summarise(
        self, maps: Float[Tensor, "B 4 N N"], place: Float[Tensor, "B N N"]
    ) -> tuple[Float[Tensor, "B 2"], Float[Tensor, " B"], Float[Tensor, "B S"]]:
        """Return the expected place (x, y) in filters from the middle, the expected growth, and the core's input."""
        probability = place.exp()
        # sharpened: of two likely places the mean is at neither
        focused = torch.softmax(self.focus * place.flatten(1), dim=1).view_as(place)
        x, y = focused.sum(1) @ self.cells, focused.sum(2) @ self.cells
        peaks = maps.flatten(2).amax(2)  # [B, 4]
        likely = torch.softmax(self.scale_gain * peaks[:, : len(SCALES)], dim=1)
        growth = likely @ self.log_scales
        spread = -(probability * place).sum((1, 2)) / math.log(place[0].numel())
        highest = probability.flatten(1).amax(1)
        found = torch.stack([x, y], dim=1)
        coarse = F.adaptive_avg_pool2d(probability[:, None], POOLED).flatten(1) * (place.shape[1] / POOLED) ** 2
        numbers = torch.stack([spread, highest, 10 * growth], dim=1)
        summary = torch.cat([coarse, peaks, found / (place.shape[1] / 4), numbers], dim=1)
        return found, growth, summary

    def remember(
        self, features: Tensor, offset: Float[Tensor, "B 2"], state: State, gate: Float[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B F N M 2"], Float[Tensor, "B N M"], Float[Tensor, " B"]]:
        """Average the appearance at the answer into the running one; the first one's weight falls alike."""
        running = Appearance(torch.view_as_complex(state.numerator), state.power)
        after = average(running, features, offset + (self.config.window - 1) / 2, gate)
        return torch.view_as_real(after.numerator), after.power, (1 - gate) * state.first
