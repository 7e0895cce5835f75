"""Settings of the adding problem and of the network that solves it. Torch-free."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Facts, Metric, Spec


@dataclass(frozen=True, config=STRICT)
class AddingData:
    """Lengths and numbers of the sequences. They are generated; no data files are needed."""

    shortest: int = Field(default=50, ge=2, le=100_000)
    """Numbers in the shortest sequence; every length up to the longest is equally likely."""

    longest: int = Field(default=100, ge=2, le=100_000)
    """Numbers in the longest sequence."""

    epoch_examples: int = Field(default=5_000, ge=1, le=10_000_000)
    """Number of training sequences in an epoch."""

    held_out: int = Field(default=1_000, ge=1, le=100_000)
    """Number of sequences in the test set and in the validation set, the same in every run."""

    @model_validator(mode="after")
    def _ordered(self) -> "AddingData":
        if self.shortest > self.longest:
            raise ValueError("a shortest sequence no longer than the longest")
        return self


@dataclass(frozen=True, config=STRICT)
class AddingFacts(Facts):
    """Lengths of a run's sequences."""

    shortest: int = Field(ge=2)
    """Numbers in the shortest sequence."""

    longest: int = Field(ge=2)
    """Numbers in the longest sequence."""


@dataclass(frozen=True, config=STRICT)
class Config:
    """The network: a recurrent core and a linear output."""

    core: Literal["rnn-tanh", "rnn-relu", "lstm", "gru"] = "gru"
    """Recurrent core: a vanilla RNN with tanh or rectifier, an LSTM, or a GRU."""
    hidden: int = Field(default=32, ge=1, le=16384)
    """Units of each recurrent layer."""
    layers: int = Field(default=1, ge=1, le=16)
    """Number of recurrent layers, each with its own weights."""


SPEC = Spec(
    config=Config,
    data=AddingData(),
    facts=AddingFacts,
    unit="sequences",
    metrics=(
        Metric(
            "mean_squared_error",
            "measured",
            "mean squared error",
            "Mean squared error of the sum on new sequences; always answering 1 gives 0.167.",
        ),
        Metric("within_percent", "answers within 0.05", better="higher"),
    ),
    train=TrainConfig(epochs=8, batch_size=50, learning_rate=2e-2, warmup=0.0, clip=1.0),
)
