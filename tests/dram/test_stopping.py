"""Stopping against exact enumeration; the loss's rewards and orders against brute force."""

import itertools
import math

import numpy as np
import pytest
import torch

from saccade.dram.loss import returns
from saccade.dram.order import best_order
from saccade.dram.stopping import exact_objective, reinforce_objective, returns_of_stops, stop_log_probabilities
from saccade.recurrent.reinforce import leave_one_out
from saccade.recurrent.sequence import lengths_until

HALTING = torch.tensor([[-1.0, 0.3], [0.5, -2.0], [1.5, 0.7], [9.0, -9.0]])
"""Logits of two examples at four objects; the last does not matter, since all stop there."""


def enumerated(logits: list[float]) -> list[float]:
    """Multiply the probabilities of every way to go on and to stop."""
    chance = [1 / (1 + math.exp(-x)) for x in logits[:-1]] + [1.0]
    return [math.prod(1 - p for p in chance[:s]) * chance[s] for s in range(len(chance))]


def test_the_probability_of_every_stop_is_enumerated() -> None:
    found = stop_log_probabilities(HALTING).exp()
    wanted = torch.tensor([enumerated(column) for column in HALTING.t().tolist()]).t()
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(found.sum(0), torch.ones(2))


def test_stopping_earns_what_was_read_and_pays_for_what_was_missed_and_for_glimpses() -> None:
    rewards = torch.tensor([[1.0, 2.0], [3.0, 77.0], [5.0, 77.0]])
    found = returns_of_stops(rewards, torch.tensor([3, 1]), floor=-4.0, price=0.5)
    wanted = [[1 - 8 - 0.5, 2 - 0.5], [1 + 3 - 4 - 1.0, 2 - 1.0], [1 + 3 + 5 - 1.5, 2 - 1.5]]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_reinforce_estimates_the_exact_gradient_of_the_expected_return() -> None:
    rewards, count = torch.tensor([[1.0], [3.0], [-2.0], [0.5]]), torch.tensor([2])
    gained = returns_of_stops(rewards, count, floor=-3.0, price=0.4)
    logits = HALTING[:, :1].clone().requires_grad_()
    (exact,) = torch.autograd.grad(exact_objective(logits, gained).sum(), logits)
    by_hand = torch.zeros(4)
    for k in range(4):  # central differences of the enumerated expectation
        for sign in (1, -1):
            moved = HALTING[:, 0].clone()
            moved[k] += sign * 1e-3
            value = sum(p * r for p, r in zip(enumerated(moved.tolist()), gained[:, 0].tolist(), strict=True))
            by_hand[k] += sign * value / 2e-3
    torch.testing.assert_close(exact[:, 0], by_hand, atol=2e-3, rtol=1e-2)
    draws, rollouts = 60_000, 4
    wide = logits.detach().expand(-1, draws).clone().requires_grad_()
    halts = torch.rand(4, draws, generator=torch.Generator().manual_seed(1)) < wide.detach().sigmoid()
    stop = lengths_until(halts)
    earned = gained.expand(-1, draws).gather(0, stop[None] - 1).squeeze(0)
    objective = reinforce_objective(wide, stop, leave_one_out(earned, rollouts))
    (sampled,) = torch.autograd.grad(objective.sum(), wide)
    mean, error = sampled.mean(1), sampled.std(1) / draws**0.5
    assert ((mean - exact[:, 0]).abs() <= 4.5 * error + 1e-6).all(), (mean, exact[:, 0], error)


def test_a_price_above_the_gain_teaches_to_stop_at_once_and_none_to_read_on() -> None:
    for price, first_is_best in ((8.0, True), (0.0, False)):
        gained = returns_of_stops(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([3]), floor=-3.0, price=price)
        logits = torch.zeros(3, 1, requires_grad=True)
        for _ in range(200):
            (gradient,) = torch.autograd.grad(exact_objective(logits, gained).sum(), logits)
            logits = (logits + gradient).detach().requires_grad_()
        assert bool(stop_log_probabilities(logits)[0].exp() > 0.9) is first_is_best


def test_returns_discount_the_objects_that_follow() -> None:
    rewards = torch.tensor([[1.0, 0.0], [2.0, -1.0], [4.0, 8.0]])
    torch.testing.assert_close(returns(rewards, 0.5), torch.tensor([[3.0, 1.5], [4.0, 3.0], [4.0, 8.0]]))
    torch.testing.assert_close(returns(rewards, 0.0), rewards)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_the_best_order_equals_brute_force(number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    costs = torch.rand(6, 8, 7, generator=generator)
    labels = torch.randint(6, (8, 6), generator=generator)
    at = torch.arange(6)
    targets = labels.masked_fill(at == number, 6).masked_fill(at > number, -1)
    found = best_order(costs, targets, torch.full((8,), number))
    for example in range(8):
        words = targets[example, :number].tolist()
        cheapest = min(
            sum(costs[s, example, k].item() for s, k in enumerate(order)) for order in itertools.permutations(words)
        )
        chosen = found[example, :number].tolist()
        assert (
            sorted(chosen) == sorted(words) and found[example, number:].tolist() == targets[example, number:].tolist()
        )
        assert sum(costs[s, example, k].item() for s, k in enumerate(chosen)) == pytest.approx(cheapest)


def test_the_order_of_each_example_is_its_own() -> None:
    costs = torch.ones(2, 2, 3)
    costs[0, 0, 1] = costs[1, 0, 0] = 0.0  # the first example reads 1, then 0
    targets = torch.tensor([[0, 1], [0, 1]])
    assert best_order(costs, targets, torch.tensor([2, 2]))[0].tolist() == [1, 0]
    assert np.array_equal(best_order(costs, targets, torch.tensor([1, 1])), targets)
