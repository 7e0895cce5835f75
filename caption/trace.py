"""The inputs, the context, the state and the outputs of Show, Attend and Tell."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from saccade.recurrent.cells import CoreState
from saccade.recurrent.soft_attention import Memory


class Reading(NamedTuple):
    """A step's inputs in training. Rows are captions: those of B pictures lie B apart."""

    word: Int64[Tensor, " R"] | None
    """y_{t-1}: BEGIN at first. None where the network draws its own words."""
    target: Int64[Tensor, " R"] | None
    """y_t; PAD after the end."""
    chance: Float[Tensor, " R"] | None = None
    """Noise in [0, 1) that samples the place of hard attention; NaN: see `Config.looks`."""
    kept_word: Bool[Tensor, "R E"] | None = None
    """False where the word's vector is dropped."""
    kept_output: Bool[Tensor, "R E"] | None = None
    """False where the output layer's input is dropped."""
    uniform: Float[Tensor, " R"] | None = None
    """Noise in [0, 1) that draws y_t from the network's own probabilities."""


class Sight(NamedTuple):
    """The context: pictures as the encoder sees them, or before it."""

    vectors: Float[Tensor, "B L D"] | UInt8[Tensor, "B 1 S S"]
    """Annotation vectors a_i; for scenes the pixels, which the network's own CNN looks at."""
    kept: Bool[Tensor, "B V"] | None = None
    """False where a projected channel is dropped."""


class Seen(NamedTuple):
    """The context as a step sees it."""

    memory: Memory
    """The annotation vectors, projected, and their keys."""
    mean: Float[Tensor, "B V"]
    """Their mean."""
    first: tuple[Float[Tensor, "B H"], ...]
    """Initial states of the core's leaves."""


class State(NamedTuple):
    """The core's state; before the first step it is empty, since it follows from the picture."""

    core: CoreState
    word: Int64[Tensor, " R"]
    """y_t, if the network drew it, else PAD; BEGIN before the first step."""


class Look(NamedTuple):
    """Choice of a place by hard attention."""

    log_probability: Float[Tensor, " R"]
    """log alpha of the sampled place; 0 where none was sampled."""
    entropy: Float[Tensor, " R"]
    """Of alpha, nats."""
    expected: Float[Tensor, " R"]
    """The baseline b_t: expected log-probability of the rest of the caption."""


class Step(NamedTuple):
    """The output of a step alone; `readout` makes a `Told` of the stacked steps."""

    hidden: Float[Tensor, "R H"]
    """h_t."""
    seen: Float[Tensor, "R V"]
    """z_t."""
    weights: Float[Tensor, "R L"]
    """alpha_t."""
    gate: Float[Tensor, " R"]
    """beta_t; 1 without the gate."""
    look: Look | None
    reading: Reading | None
    """The sentences that were read, or drawn; None while the network writes."""


class Told(NamedTuple):
    """The outputs of an unroll over known sentences."""

    cost: Float[Tensor, "T R"]
    """Cross-entropy of the target, smoothed, nats; 0 after the end."""
    log_probability: Float[Tensor, "T R"]
    """Of the target, detached."""
    weights: Float[Tensor, "T R L"]
    """alpha."""
    gate: Float[Tensor, "T R"]
    """beta."""
    look: Look | None
    word: Int64[Tensor, "T R"]
    """The target y_t, given or drawn; PAD after the end."""
