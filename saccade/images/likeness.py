"""Tell a digit from any other mark: a small convolutional network, trained against synthetic marks.

Trained by `experiments/digit_or_not.py`; weights, threshold and error rates lie beside this file. A classifier's own
evidence does not tell them apart: RAM finds an eight in most scribbles with full confidence.
"""

import functools
import json
from pathlib import Path

import safetensors.torch
import torch
from jaxtyping import Float
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("digit_or_not.safetensors")
FACTS = Path(__file__).with_name("digit_or_not.json")

SIDE = 28
UNLIKE = "does not look like a digit"


def build() -> nn.Sequential:
    """Return the untrained network: images [B, 1, 28, 28] in [0, 1] to a score [B, 1], high for what is no digit."""
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 5, 2, 2), nn.ReLU()),
        *(nn.Conv2d(12, 24, 5, 2, 2), nn.ReLU()),
        *(nn.Conv2d(24, 32, 3, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(512, 48), nn.ReLU(), nn.Linear(48, 1)),
    )


@functools.cache
def _trained() -> tuple[nn.Sequential, float]:
    """Return the trained network and the score from which an image is in doubt."""
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        network = build()
    network.load_state_dict(safetensors.torch.load_file(WEIGHTS))
    return network.eval(), float(json.loads(FACTS.read_text(encoding="utf-8"))["threshold"])


@torch.no_grad()
def unlike_a_digit(images: Float[Tensor, "B 1 28 28"]) -> list[bool]:
    """Tell for each image, light on dark and framed as MNIST's, if it does not look like a digit."""
    network, threshold = _trained()
    return (network(images.float())[:, 0] > threshold).tolist()
