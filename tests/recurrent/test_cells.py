"""The cells against torch's own layers, and goldens of their parameters."""

from typing import Any

import pytest
import torch
from torch import nn

from saccade.recurrent.cells import CELLS, GRU, LSTM, Stacked, VanillaRNN, build_core
from saccade.recurrent.unroll import unroll
from tests.recurrent.cases import sequence

GOLDENS = {
    "rnn": {"cell.weight_ih": [7, 3], "cell.weight_hh": [7, 7], "cell.bias_ih": [7], "cell.bias_hh": [7]},
    "lstm": {"cell.weight_ih": [28, 3], "cell.weight_hh": [28, 7], "cell.bias_ih": [28], "cell.bias_hh": [28]},
    "gru": {"cell.weight_ih": [21, 3], "cell.weight_hh": [21, 7], "cell.bias_ih": [21], "cell.bias_hh": [21]},
}
"""Names and shapes as they stand in shipped checkpoints: a change here makes those unreadable."""


@pytest.mark.parametrize("kind", CELLS)
def test_parameters_keep_their_names_and_shapes(kind: Any) -> None:
    found = {name: list(p.shape) for name, p in build_core(kind, 3, 7, layers=1).named_parameters()}
    assert found == GOLDENS[kind]
    deep = build_core(kind, 3, 7, layers=2)
    assert [name for name, _ in deep.named_parameters()] == [f"layers.{i}.{name}" for i in (0, 1) for name in found]
    assert deep.output_size == 7


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(VanillaRNN(3, 7), nn.RNN), (LSTM(3, 7), nn.LSTM), (GRU(3, 7), nn.GRU)],
    ids=["rnn", "lstm", "gru"],
)
def test_the_cells_equal_torchs_layers(ours: Any, theirs: Any) -> None:
    layer = theirs(3, 7, **({"nonlinearity": "relu"} if theirs is nn.RNN else {}))
    layer.load_state_dict({f"{name}_l0": parameter for name, parameter in ours.cell.state_dict().items()})
    inputs, _ = sequence(9, 5)
    outputs, _ = unroll(ours, inputs, ours.initial_state(5))
    torch.testing.assert_close(outputs, layer(inputs)[0])


def test_a_stack_gives_each_layer_its_own_weights_and_equals_torchs() -> None:
    ours = Stacked([LSTM(3, 7), LSTM(7, 7)])
    layer = nn.LSTM(3, 7, num_layers=2)
    weights = {f"{name}_l{i}": p for i in (0, 1) for name, p in ours.layers[i].cell.state_dict().items()}  # type: ignore[union-attr]
    layer.load_state_dict(weights)
    inputs, _ = sequence(5, 2)
    torch.testing.assert_close(unroll(ours, inputs, ours.initial_state(2))[0], layer(inputs)[0])
