"""Convolutional LSTM (Shi et al. 2015, equation 3) as a core: its states are maps, its products convolutions.

The channels of a place lie together in memory, so that the gates are those of an LSTM with a row for every place.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.lstm_gates import lstm_gates


class MapState(NamedTuple):
    """State of a ConvLSTM: output H and cell C."""

    h: Float[Tensor, "B C H W"]
    c: Float[Tensor, "B C H W"]


class ConvLSTM(RecurrentCore[Tensor, MapState, object, Tensor]):
    """Maps [B, I, H, W] in, maps [B, C, H, W] out. One convolution gives all four gates.

    Without the paper's peephole terms (W_ci * C and so on), as in most later work. The forget gate's bias starts at 1.
    """

    def __init__(self, inputs: int, channels: int, kernel: int, height: int, width: int) -> None:
        """Build a cell.

        Args:
            inputs: channels of the input.
            channels: channels of the state.
            kernel: height and width of the filters, odd.
            height: of the maps.
            width: of the maps.
        """
        super().__init__()
        self.gates = nn.Conv2d(inputs + channels, 4 * channels, kernel, padding=kernel // 2)
        self.output_size, self.height, self.width = channels, height, width
        with torch.no_grad():
            bias = self.gates.bias
            assert bias is not None
            bias.zero_()[channels : 2 * channels] = 1.0

    def initial_state(self, batch_size: int) -> MapState:
        zeros = self.gates.weight.new_zeros(batch_size, self.output_size, self.height, self.width)
        return MapState(zeros, zeros)

    def forward(
        self, inputs: Float[Tensor, "B I H W"], state: MapState, context: object = None
    ) -> tuple[Float[Tensor, "B C H W"], MapState]:
        both = torch.cat([inputs, state.h], dim=1).contiguous(memory_format=torch.channels_last)
        found = lstm_gates(_rows(self.gates(both)), _rows(state.c))
        h, c = (rows.view(len(both), *both.shape[2:], -1).permute(0, 3, 1, 2) for rows in found)  # H_t, C_t
        return h, MapState(h, c)


def _rows(maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "B_H_W C"]:
    """Return the channels of every place as a row; no copy where they lie together in memory."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
