"""An LSTM with layer normalisation (Ba et al. 2016, equations 20 to 22) and recurrent dropout (Semeniuta et al. 2016).

Each gate's input is normalised, with its own gain and bias; so is the cell where it gives h. Dropout acts on the
candidate g alone, so that it never wipes out what the cell remembers. The mask comes in with the inputs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from saccade.recurrent.cells import LSTMState
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.fused_lstm import Weights, lstm_steps
from saccade.recurrent.sequence import Lengths, last
from saccade.recurrent.shared_weights import affine, compute_type

EPSILON = 1e-5
"""Added to the variance."""


class DroppedInputs(NamedTuple):
    """Inputs, and the units whose candidate is kept."""

    x: Float[Tensor, "*axes I"]
    keep: Bool[Tensor, "*axes H"] | None
    """None keeps all, as in evaluation."""


class LayerNormLSTM(RecurrentCore[DroppedInputs, LSTMState, object, Tensor]):
    """The LSTM. Gates in torch's order: input, forget, candidate, output; the forget gate's bias starts at 1."""

    def __init__(self, input_size: int, hidden_size: int, kept: float = 1.0) -> None:
        """Build it.

        Args:
            input_size: features I of x.
            hidden_size: units H.
            kept: probability with which the masks keep a unit; what is kept is divided by it.
        """
        super().__init__()
        self.output_size, self.kept = hidden_size, kept
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.gain = nn.Parameter(torch.ones(4, hidden_size))
        self.bias = nn.Parameter(torch.zeros(4, hidden_size))
        self.cell_gain = nn.Parameter(torch.ones(hidden_size))
        self.cell_bias = nn.Parameter(torch.zeros(hidden_size))
        nn.init.xavier_uniform_(self.weight_ih)
        with torch.no_grad():
            for gate in self.weight_hh.chunk(4):
                nn.init.orthogonal_(gate)
            self.bias[1] = 1.0

    def initial_state(self, batch_size: int) -> LSTMState:
        zeros = self.weight_hh.new_zeros(batch_size, self.output_size)
        return LSTMState(zeros, zeros)

    def forward(
        self, inputs: DroppedInputs, state: LSTMState, context: object = None
    ) -> tuple[Float[Tensor, "B H"], LSTMState]:
        x, keep = inputs
        sums = affine((x, state.h), (self.weight_ih, self.weight_hh)).to(state.c.dtype)
        gates = _normalised(sums.view(len(sums), 4, -1)) * self.gain + self.bias  # (20)
        i, f, g, o = gates.unbind(1)
        candidate = torch.tanh(g) if keep is None else torch.tanh(g) * keep / self.kept
        c = torch.sigmoid(f) * state.c + torch.sigmoid(i) * candidate  # (21)
        h = torch.sigmoid(o) * torch.tanh(_normalised(c) * self.cell_gain + self.cell_bias)  # (22)
        return h, LSTMState(h, c)

    def fused(
        self, inputs: DroppedInputs, state: LSTMState, context: object = None, lengths: Lengths = None
    ) -> tuple[Float[Tensor, "T B H"], LSTMState]:
        """Take all steps at once: see `saccade.recurrent.fused_lstm`."""
        hs, cs = self.steps(inputs, self.weight_ih.new_zeros(1, 4 * self.output_size), state)
        return hs, last(LSTMState(hs, cs), lengths)

    def steps(
        self, inputs: DroppedInputs, constant: Float[Tensor, "_ four_H"], state: LSTMState
    ) -> tuple[Float[Tensor, "T B H"], Float[Tensor, "T B H"]]:
        """Take all steps; return h and c after each. x may lack its last features: their product is in `constant`."""
        of_inputs = self.weight_ih[:, : inputs.x.shape[2]]
        weights = Weights(of_inputs, self.weight_hh, constant, state.h, state.c)
        norm = (self.gain, self.bias, self.cell_gain, self.cell_bias)
        gating = NormGating([parameter.detach() for parameter in norm], inputs.keep, self.kept)
        return lstm_steps(inputs.x, weights, compute_type(self.weight_hh), gating, norm)


class _Saved(NamedTuple):
    """The values of a step that its derivative needs."""

    normalised: Float[Tensor, "B 4 H"]
    scale: Float[Tensor, "B 4 1"]
    """1 / standard deviation of the gates' inputs."""
    gates: Float[Tensor, "B 4 H"]
    kept: Float[Tensor, "B H"] | None
    """The mask over its probability."""
    cell: Float[Tensor, "B H"]
    """Normalised."""
    cell_scale: Float[Tensor, "B 1"]
    tanh: Float[Tensor, "B H"]


class NormGating:
    """The gates of `LayerNormLSTM` for `lstm_steps`."""

    def __init__(self, parameters: Sequence[Tensor], keep: Tensor | None, kept: float) -> None:
        """Make it of gain and bias of the gates, and of the cell; `keep` [T, B, H]."""
        self.parameters, self.keep, self.kept = parameters, keep, kept
        self.found = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.saved: list[_Saved] = []

    def open(self, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        gain, bias, cell_gain, cell_bias = self.parameters
        step, (examples, size) = len(self.saved), c.shape
        normalised, _, scale = torch.native_layer_norm(gates.view(examples, 4, size), [size], None, None, EPSILON)
        opened = torch.addcmul(bias, normalised, gain)
        opened[:, 2].mul_(2)  # tanh(g) = 2 sigmoid(2 g) - 1
        opened.sigmoid_()
        opened[:, 2].mul_(2).sub_(1)
        i, f, g, o = opened.unbind(1)
        kept = None if self.keep is None else self.keep[step].to(c.dtype).div_(self.kept)
        new = torch.addcmul(f * c, i, g if kept is None else g * kept)
        cell, _, cell_scale = torch.native_layer_norm(new, [size], None, None, EPSILON)
        tanh = torch.addcmul(cell_bias, cell, cell_gain).mul_(2).sigmoid_().mul_(2).sub_(1)
        self.saved.append(_Saved(normalised, scale, opened, kept, cell, cell_scale, tanh))
        return o * tanh, new

    def differentiate(self, dh: Tensor, dc: Tensor, c: Tensor, step: int, out: Tensor) -> Tensor:
        normalised, scale, gates, kept, cell, cell_scale, tanh = self.saved[step]
        gain, _, cell_gain, _ = self.parameters
        dgain, dbias, dcell_gain, dcell_bias = self.found
        i, f, g, o = gates.unbind(1)
        inside = torch.ops.aten.tanh_backward(dh * o, tanh)
        dcell_gain.add_((inside * cell).sum(0))
        dcell_bias.add_(inside.sum(0))
        dc = dc + _through_norm(inside.mul_(cell_gain), cell, cell_scale)
        slopes = torch.addcmul(gates, gates, gates, value=-1)  # sigmoid' = s (1 - s), for i, f and o
        di, df, dg, do = slopes.unbind(1)
        di.mul_(g if kept is None else g * kept).mul_(dc)
        df.mul_(c).mul_(dc)
        do.mul_(tanh).mul_(dh)
        torch.mul(torch.ops.aten.tanh_backward(dc if kept is None else dc * kept, g), i, out=dg)
        dgain.add_((slopes * normalised).sum(0))
        dbias.add_(slopes.sum(0))
        out.copy_(_through_norm(slopes.mul_(gain), normalised, scale).flatten(1))
        return dc * f

    def gradients(self) -> Sequence[Tensor | None]:
        found, self.found = self.found, [torch.zeros_like(parameter) for parameter in self.parameters]
        return found  # and another backward pass through the same graph begins with zeros


def _normalised(x: Float[Tensor, "... H"]) -> Float[Tensor, "... H"]:
    """Return x with mean 0 and variance 1 along its last axis."""
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON)


def _through_norm(gradient: Tensor, normalised: Tensor, scale: Tensor) -> Tensor:
    """Return dL/dx from dL/dy, y = (x - mean) * scale; the gradient is overwritten."""
    along = (gradient * normalised).mean(-1, keepdim=True)
    gradient.sub_(gradient.mean(-1, keepdim=True)).addcmul_(normalised, along, value=-1)
    return gradient.mul_(scale)
