"""The comparison: a residual convolutional network that sees all at once, with an output layer for each place.

It is a core whose step s gives output layer s, so that it trains, evaluates and makes pictures as DRAM does.
It sees the picture once, before the first step.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from saccade.dram.config import Config, SequenceFacts
from saccade.dram.trace import GazeInputs, Reading
from saccade.recurrent.core import RecurrentCore

GROUPS = 8
"""Groups of the group normalisation."""

COARSEST = 13
"""Side in pixels below which the features are not halved any more: places must stay apart."""


class Block(nn.Module):
    """x plus two normalised 3 x 3 convolutions of x, rectified; with a stride, x is averaged and widened."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, filters, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(GROUPS, filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(GROUPS, filters)
        self.past = nn.Conv2d(inputs, filters, 1, stride=stride, bias=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B filters h w"]:
        change = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        return F.relu(self.past(x) + change)


class OneLook(RecurrentCore[GazeInputs, tuple[()], Tensor, Any]):
    """The network. Context: pictures [B, C, H, W] in [0, 1]; `prepare` computes the logits of all places [B, S, K1]."""

    def __init__(self, config: Config, facts: SequenceFacts) -> None:
        super().__init__()
        self.answers = facts.longest + (config.stop == "end-symbol")
        self.symbols = len(facts.classes) + 1
        self.ends = config.stop == "end-symbol"
        halvings = max(1, math.ceil(math.log2(min(facts.height, facts.width) / COARSEST)))
        widths = [min(16 * 2**i, 64) for i in range(halvings)]
        self.stem = nn.Conv2d(facts.channels, widths[0], 5, stride=2, padding=2)
        inputs = [widths[0], *widths[:-1]]
        self.body = nn.Sequential(
            *(Block(a, b, 1 if i == 0 else 2) for i, (a, b) in enumerate(zip(inputs, widths, strict=True)))
        )
        rows, columns = facts.height, facts.width
        for _ in range(halvings):
            rows, columns = -(-rows // 2), -(-columns // 2)
        self.hidden = nn.Linear(widths[-1] * rows * columns, config.features)
        self.heads = nn.Linear(config.features, self.answers * self.symbols)

    def initial_state(self, batch_size: int) -> tuple[()]:
        return ()

    def prepare(self, context: Float[Tensor, "B C H W"]) -> Float[Tensor, "B S K1"]:
        """See the picture, once."""
        features = self.body(F.relu(self.stem(context)))
        hidden = F.relu(self.hidden(features.flatten(1)))
        return self.heads(hidden).float().unflatten(1, (self.answers, self.symbols))

    def forward(
        self, inputs: GazeInputs, state: tuple[()], context: Float[Tensor, "B S K1"]
    ) -> tuple[tuple[Tensor, ...], tuple[()]]:
        """Give the belief about the current place."""
        place = inputs.object.long()[:, None, None].expand(-1, 1, self.symbols)
        return (context.gather(1, place).squeeze(1),), state

    def readout(self, outputs: tuple[Tensor, ...], state: tuple[()]) -> Reading:
        """Return the beliefs as a reading whose gaze rests at the centre and sees nothing."""
        (logits,) = outputs
        steps, examples = logits.shape[:2]
        centre, none = logits.new_zeros(steps, examples, 2), logits.new_zeros(steps, examples)
        ends = (logits.argmax(2) == self.symbols - 1) & self.ends
        whole = torch.tensor([0.0, 0.0, 1.0, 1.0], device=logits.device)
        return Reading(
            location=centre,
            windows=whole.expand(steps, examples, 1, 4),
            patches=logits.new_zeros(steps, examples, 1, 1, 0, 0),
            coarse=torch.zeros(steps, examples, 1, 0, 0, dtype=torch.uint8, device=logits.device),
            logits=logits,
            answers=torch.ones_like(ends),
            stops=ends,
            ends=ends,
            halting=none,
            mean=centre,
            sample=centre,
            chosen=torch.zeros_like(ends),
            baseline=none,
        )
