"""What a DRAW can be asked to be. Torch-free, so that the command line starts at once."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from saccade.images.config import ImageData, ImageFacts
from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Metric, Spec


@dataclass(frozen=True, config=STRICT)
class Config:
    """The model, its likelihood, and how its number of steps grows. The defaults learn the embedded digits."""

    steps: int = Field(default=10, ge=1, le=1000)
    """Number of steps T in which an image is written; the weights do not depend on it."""
    first_steps: int = Field(default=10, ge=1, le=1000)
    """Steps at the start of training, from which they grow to T: a model of 64 learns nothing if it begins with 64."""
    grow_until: float = Field(default=0.5, ge=0, le=1)
    """Part of the training in which the number of steps grows, geometrically; 0 trains at T from the start."""
    attention: bool = True
    """Read and write through windows of Gaussian filters, or the whole image at every step."""
    read: int = Field(default=2, ge=1, le=1000)
    """Filters along each side of the window that is read."""
    write: int = Field(default=5, ge=1, le=1000)
    """Filters along each side of the window that is written."""
    hidden: int = Field(default=256, ge=1, le=16384)
    """Units of the encoder and of the decoder."""
    latent: int = Field(default=100, ge=1, le=16384)
    """Latent variables z of a step."""
    core: Literal["rnn", "lstm", "gru"] = "lstm"
    """The recurrent core of encoder and decoder; the paper's is an LSTM."""
    layers: int = Field(default=1, ge=1, le=16)
    """Recurrent layers of encoder and decoder, each with its own weights."""
    labelled: bool = False
    """Give the class to encoder and decoder, so that a class can be asked for."""
    likelihood: Literal["bernoulli", "logistic"] = "bernoulli"
    """Of a pixel given the canvas: Bernoulli for black and white, a discretised logistic for grey and colour."""
    samples: int = Field(default=1, ge=1, le=100_000)
    """Samples z an image in a training step, whose bounds are averaged."""
    importance_samples: int = Field(default=10, ge=1, le=100_000)
    """Samples K an image of the importance-weighted estimate (evaluation)."""


NOTE = (
    "The variational bound on the test images, nats an image, one sample each; next to it the importance-weighted "
    "estimate, and the part of the bound that is KL."
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
        warmup=0.2,  # so few steps need as many to warm up as a long training: with 0.03, the loss stalls for 10 epochs
        final_learning_rate=0.02,
        clip=10.0,
        ema=0.99,
        beta2=0.99,
    ),
)
