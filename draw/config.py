"""Settings of DRAW. Torch-free, so that the command line starts at once."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from saccade.images.config import ImageData, ImageFacts
from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Metric, Spec


@dataclass(frozen=True, config=STRICT)
class Config:
    """The model, its likelihood, and the growth of its number of steps. The defaults learn the embedded digits."""

    steps: int = Field(default=10, ge=1, le=1000)
    """Number of steps T per image; the weights do not depend on it."""
    first_steps: int = Field(default=10, ge=1, le=1000)
    """Number of steps at the start of training; it grows to T. A model that starts with 64 steps learns nothing."""
    grow_until: float = Field(default=0.5, ge=0, le=1)
    """Fraction of the training in which the number of steps grows geometrically; 0 trains with T from the start."""
    attention: bool = True
    """Read and write through windows of Gaussian filters; off: the whole image at every step."""
    read: int = Field(default=2, ge=1, le=1000)
    """Filters along each side of the reading window."""
    write: int = Field(default=5, ge=1, le=1000)
    """Filters along each side of the writing window."""
    hidden: int = Field(default=256, ge=1, le=16384)
    """Units of the encoder and of the decoder."""
    latent: int = Field(default=100, ge=1, le=16384)
    """Number of latent variables z per step."""
    core: Literal["rnn", "lstm", "gru"] = "lstm"
    """Recurrent core of encoder and decoder; the paper's is an LSTM."""
    layers: int = Field(default=1, ge=1, le=16)
    """Number of recurrent layers in encoder and in decoder, each with its own weights."""
    labelled: bool = False
    """Give the class to encoder and decoder, so that the model can draw a given class."""
    likelihood: Literal["bernoulli", "logistic"] = "bernoulli"
    """Likelihood of a pixel: bernoulli for black and white, a discretised logistic for grey and colour."""
    samples: int = Field(default=1, ge=1, le=100_000)
    """Number of samples z per image in a training step; their bounds are averaged."""
    importance_samples: int = Field(default=10, ge=1, le=100_000)
    """Number of samples K per image for the importance-weighted estimate (evaluation)."""


NOTE = (
    "The variational bound on the test images, nats per image, one sample each; in the next columns the "
    "importance-weighted estimate, and the KL part of the bound."
)

SPEC = Spec(
    config=Config,
    data=ImageData(binarise="auto"),
    facts=ImageFacts,
    unit="images",
    metrics=(
        Metric("bound_nats", "measured", "nats, bound", NOTE),
        Metric("importance_weighted_nats", "importance-weighted", sample_label="K"),
        Metric("kl_nats", "KL"),
    ),
    train=TrainConfig(
        epochs=60,
        batch_size=128,
        learning_rate=6e-3,
        warmup=0.2,  # a short training needs a long warm-up: with 0.03, the loss stalls for 10 epochs
        final_learning_rate=0.02,
        clip=10.0,
        ema=0.99,
        beta2=0.99,
    ),
)
