"""The encoder: two recurrent cells read the sentence, one from each end (Bahdanau et al. 2015, section 3.2)."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from saccade.recurrent.cells import GRU, LSTM
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.unroll import unroll

CELLS = {"gru": GRU, "lstm": LSTM}


class Advance(RecurrentCore[Tensor, Any, None, Tensor]):
    """A cell whose inputs' products are computed for all steps before the unroll: inputs are what `enter` returned."""

    def __init__(self, cell: GRU | LSTM) -> None:
        super().__init__()
        self.cell = cell

    def initial_state(self, batch_size: int) -> Any:
        return self.cell.initial_state(batch_size)

    def forward(self, inputs: Tensor, state: Any, context: None = None) -> tuple[Tensor, Any]:
        return self.cell.advance(inputs, state)


class Encoder(nn.Module):
    """Annotations h_j = [forward h_j; backward h_j] of every symbol, equation 7."""

    def __init__(self, kind: str, embedding: int, hidden: int) -> None:
        super().__init__()
        self.forwards, self.backwards = CELLS[kind](embedding, hidden), CELLS[kind](embedding, hidden)
        self.steps = [Advance(self.forwards), Advance(self.backwards)]

    def forward(
        self, vectors: Float[Tensor, "B S E"], lengths: Int64[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B S two_H"], Float[Tensor, "B two_H"]]:
        """Read sentences; return the annotations, and [last of forward; first of backward].

        Padding comes after each sentence for both directions, so that it changes no annotation of the sentence; the
        annotations of the padding itself mean nothing.
        """
        places = torch.arange(vectors.shape[1], device=vectors.device)[None]
        mirrored = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)  # [B, S]
        rows = torch.arange(len(lengths), device=vectors.device)[:, None]
        there = self._read(0, vectors)
        back = self._read(1, vectors[rows, mirrored])
        end = rows[:, 0], lengths - 1
        ends = torch.cat([there[end], back[end]], dim=1)
        return torch.cat([there, back[rows, mirrored]], dim=2), ends

    def _read(self, direction: int, vectors: Float[Tensor, "B S E"]) -> Float[Tensor, "B S H"]:
        """Unroll one direction."""
        core = self.steps[direction]
        steps = vectors.transpose(0, 1)
        entered = core.cell.enter(steps.flatten(0, 1)).view(*steps.shape[:2], -1)  # [S, B, gates]
        outputs, _ = unroll(core, entered, core.initial_state(len(vectors)))
        return outputs.transpose(0, 1)
