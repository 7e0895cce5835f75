"""The inputs, the state and the outputs of DRAM."""

from typing import NamedTuple

from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from saccade.gaze.sensor import PreparedImages
from saccade.recurrent.cells import CoreState


class GazeInputs(NamedTuple):
    """A step's inputs: all randomness, the locations that override the policy, and the clock."""

    noise: Float[Tensor, "B 2"]
    """N(0, 1), for the location policy."""
    chance: Float[Tensor, " B"]
    """Uniform in [0, 1): halt if the halting probability is larger."""
    forced: Float[Tensor, "B 2"]
    """A location to look at; NaN leaves the choice to the policy."""
    std: Float[Tensor, " B"]
    """Standard deviation of the location policy, image coordinates."""
    first: Float[Tensor, " B"]
    """1 at the first step, where the glance starts the upper layer's state; else 0."""
    clock: Float[Tensor, "B N"]
    """One-hot: the glimpse of the current object."""
    object: Float[Tensor, " B"]
    """Number of the current object, 0, 1, 2, ..."""
    places: Float[Tensor, "B L 2"]
    """Middles of the symbols, NaN if unknown. Only metrics read them; the model does not."""


class Seen(NamedTuple):
    """The context of a step, prepared once per unroll."""

    images: PreparedImages
    glance: Float[Tensor, "B U"]
    """C(I_coarse), the start of the upper layer's state; of width 0 without a glance."""
    coarse: UInt8[Tensor, "B C q q"]
    """The coarse picture itself, 0 to 255, for drawings; of side 0 without a glance."""


class State(NamedTuple):
    """State of the model."""

    lower: CoreState
    """Of the layer that sees and answers."""
    upper: CoreState
    """Of the layer that looks; () if there is none."""
    location: Float[Tensor, "B 2"]
    """The last location, in [-1, 1]; the centre before the first glimpse."""


class GazeStep(NamedTuple):
    """The output of a step alone; `DRAM.readout` makes a `Reading` of the stacked steps."""

    location: Float[Tensor, "B 2"]
    extents: Float[Tensor, "B R 2"]
    """Half the width and height of each scale's window, image coordinates."""
    patches: Float[Tensor, "B R C g g"]
    coarse: UInt8[Tensor, "B C q q"]
    mean: Float[Tensor, "B 2"]
    sample: Float[Tensor, "B 2"]
    chosen: Bool[Tensor, " B"]
    answers: Bool[Tensor, " B"]
    before: Float[Tensor, "B U"]
    """State that the policy read, detached."""
    lower: Float[Tensor, "B H"]
    """r1_n."""
    top: Float[Tensor, "B U"]
    """r2_n, of the layer that looks."""
    chance: Float[Tensor, " B"]


class Reading(NamedTuple):
    """The outputs of an unroll: locations, patches, answers and stops."""

    location: Float[Tensor, "T B 2"]
    """l_n, (x, y) in [-1, 1]."""
    windows: Float[Tensor, "T B R 4"]
    """For each scale (x, y, half-width, half-height) in image coordinates."""
    patches: Float[Tensor, "T B R C g g"]
    """The retina's output."""
    coarse: UInt8[Tensor, "T B C q q"]
    """The glance's coarse picture, the same at every step; of side 0 without a glance."""
    logits: Float[Tensor, "T B K1"]
    """Belief about the current object after each glimpse: K symbols, and the end symbol."""
    answers: Bool[Tensor, "T B"]
    """True at the last glimpse of an object, after which the belief is the answer."""
    stops: Bool[Tensor, "T B"]
    """True at answers after which the network would stop; it stops at the first."""
    ends: Bool[Tensor, "T B"]
    """True at answers that are the end symbol, where the network stops by it: no symbol of the text."""
    halting: Float[Tensor, "T B"]
    """Logit of the halting probability."""
    mean: Float[Tensor, "T B 2"]
    """Mean of the location policy."""
    sample: Float[Tensor, "T B 2"]
    """The policy's sample, before it is clamped to the image."""
    chosen: Bool[Tensor, "T B"]
    """True where the policy chose the location, so that REINFORCE applies."""
    baseline: Float[Tensor, "T B"]
    """b_n, the return expected before the glimpse."""
