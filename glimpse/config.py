"""What a Recurrent Attention Model can be asked to be. Torch-free, so that the command line starts at once."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from saccade.images.config import ImageData, ImageFacts
from saccade.pipeline.config import STRICT
from saccade.pipeline.systems import Metric, Spec


@dataclass(frozen=True, config=STRICT)
class Config:
    """The model, its policy and its loss. The defaults are the best recipe for 28 x 28 digits that we know."""

    glimpses: int = Field(default=6, ge=1, le=1000)
    """Number of glimpses T before the answer."""
    patch: int = Field(default=8, ge=1, le=1000)
    """Side of a glimpse's patches, pixels; the finest one covers as many pixels of the image."""
    scales: int = Field(default=1, ge=1, le=6)
    """Patches a glimpse, each covering twice the side of the one before, all brought to the same size."""
    hidden: int = Field(default=256, ge=1, le=16384)
    """Units of the recurrent core, and of the glimpse's code g_t."""
    features: int = Field(default=128, ge=1, le=16384)
    """Units of each of the glimpse network's two first layers: what was seen, and where."""
    core: Literal["rnn", "lstm", "gru"] = "rnn"
    """The recurrent core; the paper's classifier has a rectified vanilla RNN."""
    layers: int = Field(default=1, ge=1, le=16)
    """Recurrent layers, each with its own weights."""
    policy: Literal["learned", "random", "centre", "fixed-scan", "oracle"] = "learned"
    """Who chooses where to look: the network, or a control; the oracle knows where the digit is and scans there."""
    action: Literal["place", "move"] = "place"
    """What the policy chooses and the glimpse network is told: where to look (the paper's), or how far to move."""
    policy_reads: Literal["detached", "state"] = "detached"
    """Whether REINFORCE trains the policy's own layer alone, or through the state it reads all that made the state."""
    start: Literal["centre", "uniform", "learned"] = "centre"
    """The first location: the centre, uniform over the image (the paper's), or the location prior's first entry."""
    prior: Literal["none", "scan"] = "scan"
    """A learnable location per step, added to the policy's output: none (the paper's), or begun as the fixed scan."""
    scan_radius: float = Field(default=0.3, ge=0, le=1)
    """How far from the centre the scan's stations lie, in image coordinates."""
    attention: Literal["hard", "gaussian"] = "hard"
    """Hard patches trained by REINFORCE, or DRAW's differentiable Gaussian window trained by back-propagation."""
    policy_gain: float = Field(default=0.05, gt=0)
    """Factor on what the policy reads: under Adam, how fast the gaze moves with what was seen; the paper's is 1."""
    std: float = Field(default=0.1, gt=0)
    """Standard deviation of the location policy at the start of training, image coordinates."""
    final_std: float = Field(default=0.03, gt=0)
    """The same at the end of training; in between it falls geometrically."""
    gaze: Literal["sampled", "mean"] = "sampled"
    """Look where the policy samples, or at its mean (evaluation; never for training)."""
    rollouts: int = Field(default=1, ge=1, le=1000)
    """Rollouts M an image; with 2 or more, the others' mean reward is the baseline (leave one out)."""
    baseline: Literal["state", "label", "greedy"] = "state"
    """What one rollout's reward is compared with: what the state lets expect (the paper's), what the state and the true
    class let expect, or what the policy's mean earns on the same image (self-critical, Rennie et al. 2017)."""
    reward: Literal["correct", "log-probability", "log-odds"] = "log-probability"
    """1 for a right answer (the paper's), the true class's log-probability, or log p / (1 - p): no saturation."""
    reward_floor: float = Field(default=-3.0, lt=0)
    """The log-probability and log-odds rewards are never below this, nats."""
    reward_ceiling: float = Field(default=6.0, gt=0)
    """The log-odds reward is never above this, nats."""
    reinforce_weight: float = Field(default=1.0, ge=0)
    """Weight of the REINFORCE term in the loss."""


NOTE = (
    "Test error in percent, one rollout with the policy's mean; next to it other ways to answer, and the same weights "
    "made to look elsewhere: by a fixed scan, at random, at the centre, where another image was seen."
)

SPEC = Spec(
    config=Config,
    data=ImageData(),
    facts=ImageFacts,
    unit="images",
    learning_term="classification",
    metrics=(
        Metric("error_percent", "measured", "% test error", NOTE),
        Metric("error_percent.one_rollout", "one rollout"),
        Metric("error_percent.averaged", "average of 10"),
        Metric("controls.fixed_scan", "fixed scan"),
        Metric("controls.random", "random"),
        Metric("controls.centre", "centre"),
        Metric("controls.another_image", "another image's"),
        Metric("controls.oracle", "oracle"),
    ),
)
