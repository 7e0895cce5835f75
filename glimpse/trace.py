"""The inputs, the state and the outputs of the Recurrent Attention Model."""

from typing import NamedTuple, TypeAlias

from jaxtyping import Bool, Float
from torch import Tensor

from saccade.recurrent.cells import CoreState


class MovingState(NamedTuple):
    """State of a model whose action is a move."""

    core: CoreState
    location: Float[Tensor, "B 2"]
    """The last location, in [-1, 1]; the centre before the first glimpse."""


State: TypeAlias = CoreState | MovingState
"""State of the model: the core's alone if its action is a place."""


class GlimpseInputs(NamedTuple):
    """A step's inputs: all randomness, the locations that override the policy, and the digit's place."""

    noise: Float[Tensor, "B 2"]
    """N(0, 1), for the location policy."""
    forced: Float[Tensor, "B 2"]
    """A location to look at; NaN leaves the choice to the policy."""
    std: Float[Tensor, " B"]
    """Standard deviation of the location policy, image coordinates."""
    step: Float[Tensor, "B T"]
    """t as a one-hot vector, which selects the location prior."""
    digit: Float[Tensor, "B 2"]
    """Middle of the digit, NaN if unknown. Only metrics read it; the model does not."""


class GlimpseStep(NamedTuple):
    """The output of a step alone; `RAM.readout` makes a `Glimpse` of the stacked steps."""

    location: Float[Tensor, "B 2"]
    extents: Float[Tensor, "B S 2"]
    """Half the width and height of each scale's window, image coordinates."""
    patches: Float[Tensor, "B S C g g"]
    mean: Float[Tensor, "B 2"]
    sample: Float[Tensor, "B 2"]
    chosen: Bool[Tensor, " B"]
    before: Float[Tensor, "B H"]
    """h_{t-1}, detached."""
    after: Float[Tensor, "B H"]
    """h_t, detached."""
    last: Bool[Tensor, "B 1"]
    """True at the last of the T glimpses."""


class Glimpse(NamedTuple):
    """The outputs of an unroll: locations, patches and beliefs."""

    location: Float[Tensor, "T B 2"]
    """l_t, (x, y) in [-1, 1]."""
    windows: Float[Tensor, "T B S 4"]
    """For each scale (x, y, half-width, half-height) in image coordinates."""
    patches: Float[Tensor, "T B S C g g"]
    """The retina's output."""
    logits: Float[Tensor, "T B K"]
    """Belief after each glimpse: the classifier's after the last one, the probe's before."""
    mean: Float[Tensor, "T B 2"]
    """Mean of the location policy."""
    sample: Float[Tensor, "T B 2"]
    """The policy's sample, before it is clamped to the image."""
    chosen: Bool[Tensor, "T B"]
    """True where the policy chose the location, so that REINFORCE applies."""
    baseline: Float[Tensor, "T B"] | Float[Tensor, "T B K"]
    """b_t, the expected reward before the glimpse; one for each class that may be the true one, if it depends on it."""
