"""Masks and masked sums against loops over the examples."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from saccade.recurrent.sequence import clear_padding, last, lengths_until, mask, masked_mean, masked_sum

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=5)


@given(lengths=LENGTHS, extra=st.integers(0, 2))
def test_they_equal_a_loop_whatever_the_padding_holds(lengths: list[int], extra: int) -> None:
    steps = max(lengths) + extra
    values = torch.randn(steps, len(lengths), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    given_lengths = torch.tensor(lengths)
    values[~mask(given_lengths, steps)] = torch.nan
    own = [values[:length, i] for i, length in enumerate(lengths)]
    torch.testing.assert_close(masked_sum(values, given_lengths), torch.stack([part.sum(0) for part in own]))
    torch.testing.assert_close(masked_mean(values, given_lengths), torch.cat(own).mean(0))
    assert torch.equal(last(values, given_lengths), torch.stack([part[-1] for part in own]))
    assert clear_padding(values, mask(given_lengths, steps)).isfinite().all()


def test_without_lengths_every_step_counts() -> None:
    values = torch.randn(4, 3, 2)
    torch.testing.assert_close(masked_sum(values), values.sum(0))
    torch.testing.assert_close(masked_mean(values), values.mean((0, 1)))
    assert torch.equal(last((values, None))[0], values[-1])


def test_the_padding_gives_no_gradient() -> None:
    values = torch.full((3, 2), torch.nan).index_fill(0, torch.tensor([0]), 2.0).requires_grad_()
    masked_mean(values.log(), torch.tensor([1, 1])).backward()
    assert values.grad is not None
    assert values.grad[0].tolist() == [0.25, 0.25]


def test_a_bool_or_integer_padding_is_cleared_too() -> None:
    running = mask(torch.tensor([2, 1]), 2)
    assert clear_padding(torch.ones(2, 2, dtype=torch.bool), running).tolist() == [[True, True], [True, False]]
    assert clear_padding(torch.ones(2, 2, dtype=torch.int64), running).tolist() == [[1, 1], [1, 0]]


def test_lengths_end_with_the_first_end() -> None:
    ended = torch.tensor([[False, True, False], [True, False, False], [True, False, False]])
    assert lengths_until(ended).tolist() == [2, 1, 3]
    assert lengths_until(ended.cummax(0).values).tolist() == [2, 1, 3]
