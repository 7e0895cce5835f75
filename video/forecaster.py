"""The next frame from the frames so far, by ConvLSTM (Shi et al. 2015), and what every forecaster takes and gives."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.errors import InputError
from saccade.recurrent.cells import Stacked
from saccade.recurrent.conv_lstm import ConvLSTM
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.feedback import Fed, Feedback
from saccade.video.config import Config
from saccade.videos.config import VideoFacts


class Given(NamedTuple):
    """Input of a step: a frame, and if the forecaster may see it (after it has predicted it)."""

    frame: Float[Tensor, "*T B C H W"]
    seen: Float[Tensor, "*T B"]
    """1 or 0. What is not seen changes nothing."""


class Found(NamedTuple):
    """The objects of a painting forecaster at one step."""

    place: Float[Tensor, "*T B N 2"]
    """Expected middle (x, y) of each object's window in [-1, 1], at which it is painted."""
    velocity: Float[Tensor, "*T B N 2"]
    """Its change a frame."""
    measured: Float[Tensor, "*T B N 2"]
    """The place that was read from the frame."""
    settled: Float[Tensor, "*T B N 2"]
    """The place after both were weighed; the expected one where the frame is not seen."""
    variance: Float[Tensor, "*T B N"]
    """Of each coordinate of the measured place, as the network estimates it, in square pixels; 0 if nothing is seen."""
    visible: Float[Tensor, "*T B N"]
    """Part of the object's ink that is brighter than all other objects at its place, from 0 to 1."""
    appearance: Float[Tensor, "*T B N P P"]
    """Its picture."""


class Forecast(NamedTuple):
    """Output of a step t: frame t, predicted from the frames before it."""

    frame: Float[Tensor, "*T B C H W"]
    found: Found | None
    """The objects, where the forecaster knows any."""


class ConvForecaster(RecurrentCore[Tensor, Any, object, Tensor]):
    """A stack of ConvLSTMs: frame t in, frame t + 1 out. Frames are folded into fewer pixels with more channels."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__()
        side = config.cells
        if facts.height % side or facts.width % side:
            found = f"{facts.height} x {facts.width} and --cells {side}"
            raise InputError("frames whose sides --cells divides", found, "choose another --cells")
        folded, height, width = facts.channels * side * side, facts.height // side, facts.width // side
        sizes = [folded] + [config.channels] * (config.layers - 1)
        self.layers = Stacked([ConvLSTM(size, config.channels, config.kernel, height, width) for size in sizes])
        self.output = nn.Conv2d(config.channels * config.layers, folded, 1)
        self.side = side

    def initial_state(self, batch_size: int) -> Any:
        return self.layers.initial_state(batch_size)

    def forward(
        self, inputs: Float[Tensor, "B C H W"], state: Any, context: object = None
    ) -> tuple[Float[Tensor, "B C H W"], Any]:
        _, state = self.layers(F.pixel_unshuffle(inputs, self.side), state)
        h = torch.cat([layer.h for layer in cast("Sequence[Any]", state)], dim=1)  # all layers, as in Shi et al. fig. 3
        y = self.output(h).to(inputs.dtype)
        return F.pixel_shuffle(y, self.side).sigmoid(), state


class FedForecaster(Feedback[Given, Any, object, Tensor, Tensor]):
    """A ConvForecaster that is fed the frames that it may see, and its own predictions in place of the others."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        core = ConvForecaster(config, facts)
        blank = lambda size: core.output.weight.new_zeros(size, facts.channels, facts.height, facts.width)  # noqa: E731
        super().__init__(core, fed, blank)

    def readout(self, outputs: Fed, state: Any) -> Any:
        """Return the predictions as a `Forecast`."""
        return Forecast(outputs.output, None)


def fed(prediction: Tensor, given: Given) -> Tensor:
    """Return the frame that the next step is fed: the true one where it is seen, else the prediction."""
    return torch.where(given.seen[:, None, None, None] > 0, given.frame, prediction)
