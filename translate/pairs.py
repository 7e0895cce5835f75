"""A batch of sentence pairs, and the trees that the network reads and gives."""

from typing import Any, NamedTuple

from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from saccade.recurrent.soft_attention import Memory


class Pairs(NamedTuple):
    """Sentence pairs, padded: symbols from the left, PAD after each sentence's END."""

    source: Int64[Tensor, "B S"]
    target: Int64[Tensor, "B T"]
    source_lengths: Int64[Tensor, " B"]
    """Symbols, END included."""
    target_lengths: Int64[Tensor, " B"]
    """Symbols, END included."""
    number: Int64[Tensor, " B"]
    """Number of the pair in its split."""


class Source(NamedTuple):
    """Context of the network: the sentences to read."""

    symbols: Int64[Tensor, "B S"]
    lengths: Int64[Tensor, " B"]
    kept: Bool[Tensor, "B S E"] | None = None
    """False where a unit of a word vector is dropped; None: none is."""
    kept_memory: Bool[Tensor, "B S D"] | None = None
    """The same, of the encoder's annotations."""


class Words(NamedTuple):
    """Inputs of the network at one step, or at all."""

    previous: Int64[Tensor, "*T B"]
    """The symbol before, which it reads."""
    target: Int64[Tensor, "*T B"]
    """The true symbol, whose probability is measured; PAD after a sentence's end."""
    kept: Bool[Tensor, "*T B E"] | None = None
    """False where a unit of a word vector is dropped."""
    kept_vector: Bool[Tensor, "*T B F"] | None = None
    """The same, of the attentional vector."""


class Read(NamedTuple):
    """Sentences that the encoder has read: the context as every step sees it."""

    memory: Memory
    start: Float[Tensor, "B H"]
    """The decoder's first state."""


class DecoderState(NamedTuple):
    """State of the decoder."""

    cell: Any
    """State of the cell."""
    vector: Float[Tensor, "B F"]
    """The last attentional vector."""
    begun: Float[Tensor, "B 1"]
    """0 before the first step, 1 after it."""


class Step(NamedTuple):
    """Output of a step."""

    vector: Float[Tensor, "*T B F"]
    """The attentional vector, from which the output layer computes the probabilities."""
    attention: Float[Tensor, "*T B S"]
    """Weight of every source symbol; they sum to 1."""
    target: Int64[Tensor, "*T B"]


class Written(NamedTuple):
    """Outputs of an unroll."""

    attention: Float[Tensor, "T B S"]
    target: Int64[Tensor, "T B"]
    log_p: Float[Tensor, "T B"]
    """Log-probability of the true symbol, nats; 0 after the end."""
    mean_log_p: Float[Tensor, "T B"]
    """Mean of the log-probabilities of all symbols, for label smoothing; 0 after the end."""
    right: Shaped[Tensor, "T B"]
    """True where no other symbol is more probable."""
