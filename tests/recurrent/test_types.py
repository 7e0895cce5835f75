"""The annotated shapes are enforced in tests: a wrong one stops where it enters."""

import jaxtyping
import pytest
import torch

from saccade.recurrent.cells import GRU, LSTM
from saccade.recurrent.gaussian_window import filterbank
from saccade.recurrent.sequence import masked_mean
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.soft_attention import DotProductAttention


def test_wrong_shapes_and_types_are_refused() -> None:
    one = torch.ones(1)
    wrong = [
        lambda: LSTM(3, 4)(torch.zeros(2, 3, 1), LSTM(3, 4).initial_state(2)),
        lambda: GRU(3, 4)(torch.zeros(2, 3, dtype=torch.int64), GRU(3, 4).initial_state(2)),
        lambda: filterbank(one, one, torch.ones(2), 3, 9),
        lambda: masked_mean(torch.zeros(4, 2), torch.ones(3, dtype=torch.int64)),
        lambda: affine((torch.zeros(2, 3),), (torch.zeros(4, 3),), (torch.zeros(5),)),
        lambda: DotProductAttention(3, 4).prepare(torch.zeros(2, 5, 3), torch.ones(2, 6, dtype=torch.bool)),
    ]
    for call in wrong:
        with pytest.raises(jaxtyping.TypeCheckError):
            call()
