"""Soft attention against NumPy transcriptions of the equations; masks; gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.cells import LSTMState
from saccade.recurrent.soft_attention import AdditiveAttention, DotProductAttention
from saccade.recurrent.unroll import unroll
from tests.recurrent.cases import Attending

B, N, D, Q, A = 3, 5, 4, 6, 7

BUILD = {
    "additive": lambda: AdditiveAttention(D, Q, A),
    "general": lambda: DotProductAttention(D, Q),
    "general-scaled": lambda: DotProductAttention(D, Q, scaled=True),
    "dot": lambda: DotProductAttention(D, D, projected=False),
    "dot-scaled": lambda: DotProductAttention(D, D, projected=False, scaled=True),
}


def made(name: str, dtype: torch.dtype = torch.float64) -> tuple[Any, Tensor, Tensor, Tensor]:
    """The attention, a memory [B, N, D], a query [B, Q], and a mask whose last row is empty [B, N]."""
    torch.manual_seed(0)
    attention = BUILD[name]().to(dtype)
    memory = torch.randn(B, N, D, dtype=dtype)
    query = torch.randn(B, D if name.startswith("dot") else Q, dtype=dtype)
    mask = torch.tensor([[True, False, True, True, False], [False, False, True, False, False], [False] * N])
    return attention, memory, query, mask


def score(name: str, weights: dict[str, np.ndarray], s: np.ndarray, m: np.ndarray) -> float:
    """One query s against one place m, in the papers' letters."""
    if name == "additive":  # Bahdanau et al. 2015, appendix A.1.2: v_a^T tanh(W_a s_{i-1} + U_a h_j), here with a bias
        inner = weights["query.weight"] @ s + weights["key.weight"] @ m + weights["key.bias"]
        return (weights["score.weight"] @ np.tanh(inner)).item()
    found = s @ m if name.startswith("dot") else s @ weights["key.weight"] @ m  # Luong et al. 2015, equation 8
    return float(found / np.sqrt(len(s)) if name.endswith("scaled") else found)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", BUILD)
def test_it_is_the_papers(name: str, masked: bool) -> None:
    attention, memory, query, mask = made(name)
    attended = attention(query, attention.prepare(memory, mask if masked else None))
    weights = {key: p.detach().numpy() for key, p in attention.named_parameters()}
    m, s = memory.numpy(), query.numpy()
    for b in range(B):
        places = [j for j in range(N) if not masked or mask[b, j]]
        e = np.array([score(name, weights, s[b], m[b, j]) for j in places])
        alpha = np.zeros(N)
        alpha[places] = np.exp(e) / np.exp(e).sum()
        np.testing.assert_allclose(attended.weights[b].detach().numpy(), alpha, atol=1e-12)
        np.testing.assert_allclose(attended.context[b].detach().numpy(), alpha @ m[b], atol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", BUILD)
def test_gradients_equal_finite_differences(name: str, masked: bool) -> None:
    attention, memory, query, mask = made(name)
    read = lambda memory, query: tuple(attention(query, attention.prepare(memory, mask if masked else None)))  # noqa: E731
    assert torch.autograd.gradcheck(read, (memory.requires_grad_(), query.requires_grad_()))


@pytest.mark.parametrize("junk", [0.0, 1e30, float("nan"), float("inf")])
@pytest.mark.parametrize("name", BUILD)
def test_masked_places_have_no_weight_no_gradient_and_no_say(name: str, junk: float) -> None:
    attention, memory, query, mask = made(name)
    expected = attention(query, attention.prepare(memory, mask))
    memory = memory.masked_fill(~mask[:, :, None], junk).requires_grad_()
    query.requires_grad_()
    found = attention(query, attention.prepare(memory, mask))
    assert torch.equal(found.weights, expected.weights) and torch.equal(found.context, expected.context)
    assert (found.weights[~mask] == 0).all()
    (found.context.sin().sum() + found.weights.cos().sum()).backward()
    assert memory.grad is not None and query.grad is not None
    assert (memory.grad[~mask] == 0).all()
    assert memory.grad.isfinite().all() and query.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in attention.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", BUILD)
def test_where_all_places_are_masked_the_answer_is_zero(name: str) -> None:
    attention, memory, query, mask = made(name)
    found = attention(query, attention.prepare(memory, mask))
    assert (found.weights[-1] == 0).all() and (found.context[-1] == 0).all()
    torch.testing.assert_close(found.weights[:-1].sum(1), torch.ones(B - 1, dtype=torch.float64))


@pytest.mark.parametrize("name", BUILD)
def test_large_scores_stay_finite(name: str) -> None:
    attention, memory, query, mask = made(name, torch.float32)
    found = attention(1e15 * query, attention.prepare(1e15 * memory, mask))
    assert found.weights.isfinite().all()
    torch.testing.assert_close(found.weights.sum(1), mask.any(1).float())


def test_under_autocast_the_answer_keeps_the_memorys_type() -> None:
    for name in BUILD:
        attention, memory, query, mask = made(name, torch.float32)
        exact = attention(query, attention.prepare(memory, mask))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = attention(query, attention.prepare(memory, mask))
        assert {part.dtype for part in found} == {torch.float32}
        for ours, theirs in zip(found, exact, strict=True):
            torch.testing.assert_close(ours, theirs, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("attention", [AdditiveAttention(D, 7, A), DotProductAttention(D, 7)])
def test_the_keys_are_projected_once_per_unroll(attention: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    core = Attending(attention)
    calls: list[int] = []
    prepare = attention.prepare
    monkeypatch.setattr(attention, "prepare", lambda *given: calls.append(1) or prepare(*given))
    context = torch.randn(B, N, D), torch.ones(B, N, dtype=torch.bool)
    outputs, state = unroll(core, torch.randn(9, B, 3), core.initial_state(B), context)
    assert outputs.shape == (9, B, 7) and isinstance(state, LSTMState)
    assert len(calls) == 1


def test_a_dot_product_of_different_sizes_is_refused() -> None:
    with pytest.raises(InputError, match="as wide as the query, found 4 and 6"):
        DotProductAttention(4, 6, projected=False)
