"""The adding problem: its sequences, and who learns it."""

import pytest
import torch
from saccade.cores.adding import (
    BLIND_ERROR,
    HELD_OUT_SEED,
    KINDS,
    Adder,
    Lesson,
    answers,
    held_out_error,
    sequences,
    train,
)

from saccade.errors import InputError


@pytest.mark.parametrize("length", [2, 3, 10, 101])
def test_one_number_in_each_half_is_marked_and_their_sum_is_asked(length: int) -> None:
    inputs, sums = sequences(length, 200, seed=3)
    assert inputs.shape == (length, 200, 2)
    numbers, marks = inputs.unbind(2)
    assert numbers.min() >= 0
    assert numbers.max() <= 1
    half = length // 2
    for part in (marks[:half], marks[half:]):
        assert torch.equal(part.sum(0), torch.ones(200))
    assert set(marks.unique().tolist()) <= {0.0, 1.0}
    for example in (0, 57, 199):
        assert sums[example] == sum(numbers[t, example] for t in range(length) if marks[t, example] == 1)


def test_sequences_are_those_of_their_seed_and_every_place_is_marked_in_some() -> None:
    assert torch.equal(sequences(10, 5, 1).inputs, sequences(10, 5, 1).inputs)
    assert not torch.equal(sequences(10, 5, 1).inputs, sequences(10, 5, 2).inputs)
    assert (sequences(10, 2000, 0).inputs[:, :, 1].sum(1) > 300).all()  # 400 expected in every place


def test_always_answering_one_has_the_error_that_is_said() -> None:
    sums = sequences(20, 200_000, 0).sums
    assert (sums - 1).square().mean().item() == pytest.approx(BLIND_ERROR, rel=0.02)


def test_one_number_is_refused() -> None:
    with pytest.raises(InputError, match="2 numbers or more"):
        sequences(1, 3, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
def test_an_adder_answers_a_number_for_every_sequence(kind: str, layers: int) -> None:
    inputs, sums = sequences(7, 5, 0)
    assert answers(Adder(kind, hidden=6, layers=layers), inputs).shape == sums.shape


def test_training_is_a_function_of_its_seed_and_lowers_the_error() -> None:
    def trained() -> tuple[Adder, list[float]]:
        torch.manual_seed(0)
        adder = Adder("gru", hidden=16)
        return adder, train(adder, Lesson(length=4, updates=150))

    (one, errors), (other, _) = trained(), trained()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert len(errors) == 150
    assert held_out_error(one, 4) < 0.02 < errors[0]


def test_training_never_draws_the_held_out_sequences() -> None:
    lesson = Lesson(length=2, updates=100_000, seed=999_999)
    assert lesson.seed * 1_000_003 + lesson.updates < HELD_OUT_SEED


def test_a_training_that_diverges_says_so() -> None:
    with pytest.raises(InputError, match="a finite error"):
        train(Adder("rnn-relu", hidden=8), Lesson(length=50, updates=20, learning_rate=1e30, clip=1e30))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute and a half on a quiet machine
@pytest.mark.parametrize("seed", [0, 1])
def test_an_lstm_learns_what_a_vanilla_rnn_fails_to_learn_in_the_same_budget(seed: int) -> None:
    lesson = Lesson(length=60, updates=1000, seed=seed)
    errors = {}
    for kind in KINDS:
        torch.manual_seed(seed)
        adder = Adder(kind)
        train(adder, lesson)
        errors[kind] = held_out_error(adder, lesson.length)
    print(errors)
    assert errors["lstm"] < 0.1 * BLIND_ERROR
    assert errors["rnn-tanh"] > 0.7 * BLIND_ERROR
    assert errors["rnn-relu"] > 0.7 * BLIND_ERROR
