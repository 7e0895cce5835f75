"""Settings of the Recurrent Attention Model. Torch-free, so that the command line starts at once."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from saccade.images.config import ImageData, ImageFacts
from saccade.pipeline.config import STRICT
from saccade.pipeline.systems import Metric, Spec


@dataclass(frozen=True, config=STRICT)
class Config:
    """The model, its policy and its loss. The defaults are our best settings for 28 x 28 digits."""

    glimpses: int = Field(default=6, ge=1, le=1000)
    """Number of glimpses T before the answer."""
    patch: int = Field(default=8, ge=1, le=1000)
    """Height and width of a patch in pixels; the finest patch covers the same area of the image."""
    scales: int = Field(default=1, ge=1, le=6)
    """Number of patches per glimpse; each covers twice the side of the one before, and all are scaled to one size."""
    hidden: int = Field(default=256, ge=1, le=16384)
    """Units of the recurrent core, and of the glimpse network's output g_t."""
    features: int = Field(default=128, ge=1, le=16384)
    """Units of each of the glimpse network's two input layers: content and location."""
    core: Literal["rnn", "lstm", "gru"] = "rnn"
    """The recurrent core; the paper's classifier has a rectified vanilla RNN."""
    layers: int = Field(default=1, ge=1, le=16)
    """Recurrent layers, each with its own weights."""
    policy: Literal["learned", "random", "centre", "fixed-scan", "oracle"] = "learned"
    """Choice of the locations: the learned policy, or a control: random, centre, fixed-scan, or oracle (the fixed scan
    around the digit, whose place the data must know)."""
    action: Literal["place", "move"] = "place"
    """The policy's output and the glimpse network's input: a location (the paper's), or the move from the last one."""
    policy_reads: Literal["detached", "state"] = "detached"
    """Input of the policy: the detached state, so that REINFORCE trains the policy's own layer only, or the state, so
    that it also trains the core and the glimpse network."""
    start: Literal["centre", "uniform", "learned"] = "centre"
    """First location: the centre, uniform over the image (the paper's), or learned (the first entry of the prior)."""
    prior: Literal["none", "scan"] = "scan"
    """Learned location per step, added to the policy's output: none (the paper's), or scan (first the fixed scan)."""
    scan_radius: float = Field(default=0.3, ge=0, le=1)
    """Distance of the fixed scan's locations from the centre, horizontally and vertically, in image coordinates."""
    attention: Literal["hard", "gaussian"] = "hard"
    """Hard patches trained by REINFORCE, or DRAW's differentiable Gaussian windows trained by back-propagation."""
    policy_gain: float = Field(default=0.05, gt=0)
    """Factor on the policy's inputs (the paper's is 1); with Adam, a smaller one slows the learning of the policy."""
    std: float = Field(default=0.1, gt=0)
    """Standard deviation of the location policy at the start of training, image coordinates."""
    final_std: float = Field(default=0.03, gt=0)
    """Standard deviation at the end of training; it falls geometrically."""
    gaze: Literal["sampled", "mean"] = "sampled"
    """Look at the policy's sample, or at its mean (for evaluation only)."""
    rollouts: int = Field(default=1, ge=1, le=1000)
    """Number of rollouts M per image; with 2 or more, the baseline is the other rollouts' mean reward."""
    baseline: Literal["state", "label", "greedy"] = "state"
    """Baseline of a single rollout: the reward expected from the state (the paper's), from the state and the true
    class (label), or the reward of the policy's mean on the same image (greedy; Rennie et al. 2017)."""
    reward: Literal["correct", "log-probability", "log-odds"] = "log-probability"
    """Reward: 1 for a correct answer (the paper's), the log-probability of the true class, or its log-odds
    log p / (1 - p), which rise even when the answer is almost certain."""
    reward_floor: float = Field(default=-3.0, lt=0)
    """Lower bound of the log-probability and log-odds rewards, nats."""
    reward_ceiling: float = Field(default=6.0, gt=0)
    """Upper bound of the log-odds reward, nats."""
    reinforce_weight: float = Field(default=1.0, ge=0)
    """Weight of the REINFORCE term in the loss."""


NOTE = (
    "Test error in percent, one rollout with the policy's mean; in the next columns other ways to answer, and the same "
    "weights at other locations: a fixed scan, random ones, the centre, those of another image, the digit's (oracle)."
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
        Metric("controls.oracle", "oracle", optional=True),
    ),
)
