"""Sequences of the adding problem: what is marked, how long they are, and that they are drawn once and for all."""

import hashlib
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from saccade.adding.config import SPEC, AddingData, AddingFacts
from saccade.adding.sequences import BLIND_ERROR, AddingSource, Sequences, draw
from saccade.errors import InputError
from saccade.pipeline.config import default_run, override


def of_length(length: int, count: int, seed: int = 0) -> Sequences:
    return draw(seed, "test", 0, count, length, length)


def equal(one: Sequences, other: Sequences) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("length", [2, 3, 10, 101])
def test_one_number_in_each_half_is_marked_and_their_sum_is_asked(length: int) -> None:
    numbers, marks, lengths, sums = of_length(length, 200, seed=3)
    assert numbers.shape == marks.shape == (200, length)
    assert numbers.dtype == marks.dtype == sums.dtype == torch.float32
    assert (lengths == length).all() and lengths.dtype == torch.int64
    assert numbers.min() >= 0
    assert numbers.max() <= 1
    half = length // 2
    for part in (marks[:, :half], marks[:, half:]):
        assert torch.equal(part.sum(1), torch.ones(200))
    assert set(marks.unique().tolist()) <= {0.0, 1.0}
    for example in (0, 57, 199):
        assert sums[example] == sum(numbers[example, t] for t in range(length) if marks[example, t] == 1)


def test_the_halves_are_those_of_each_sequences_own_length() -> None:
    _, marks, lengths, _ = draw(1, "test", 0, 3000, 2, 11)
    for example in range(3000):
        length = int(lengths[example])
        half = length // 2
        assert marks[example, :half].sum() == 1
        assert marks[example, half:length].sum() == 1
        assert marks[example, length:].sum() == 0


def test_every_place_is_marked_in_some_sequence() -> None:
    assert (of_length(10, 2000).marks.sum(0) > 300).all()  # 400 expected in every place
    drawn = draw(0, "test", 0, 20_000, 2, 6)
    for length in range(2, 7):
        assert (drawn.marks[drawn.lengths == length, :length].sum(0) > 0).all()


def test_lengths_cover_the_range_and_each_is_as_likely() -> None:
    counts = draw(0, "test", 0, 10_000, 3, 7).lengths.bincount(minlength=9).tolist()
    assert sum(counts[3:8]) == 10_000
    assert min(counts[3:8]) > 1800  # 2000 expected of each; the standard deviation is 40
    assert max(counts[3:8]) < 2200


def test_the_padding_is_zero() -> None:
    numbers, marks, lengths, _ = draw(0, "test", 0, 500, 2, 30)
    padding = torch.arange(30) >= lengths[:, None]
    assert padding.any()
    assert (numbers[padding] == 0).all() and (marks[padding] == 0).all()
    assert (numbers[~padding] > 0).all()  # a number is 0 once in 16 million


def test_numbers_are_uniform() -> None:
    numbers = of_length(50, 4000).numbers.flatten()
    shares = torch.histc(numbers, 10, 0, 1) / len(numbers)
    torch.testing.assert_close(shares, torch.full((10,), 0.1), atol=0.003, rtol=0)


def test_always_answering_one_has_the_error_that_is_said() -> None:
    for drawn in (of_length(20, 200_000), draw(0, "test", 0, 200_000, 2, 9)):
        assert (drawn.sums - 1).square().mean().item() == pytest.approx(BLIND_ERROR, rel=0.02)


def source(seed: int = 0, **settings: Any) -> AddingSource:
    return AddingSource(AddingData(**settings), seed)


def test_batches_are_pure_functions_of_seed_and_step() -> None:
    one, other = source(5), source(5)
    batches = {step: one.batch(step, 16) for step in (0, 7, 3, 2_000_000, 3)}
    for step in sorted(batches):
        assert equal(other.batch(step, 16), batches[step])
    for different in (one.batch(4, 16), source(6).batch(3, 16)):
        assert not torch.equal(different.numbers, batches[3].numbers)
        assert not torch.equal(different.lengths, batches[3].lengths)
        assert not torch.equal(different.marks, batches[3].marks)


def test_the_source_tells_its_facts() -> None:
    data = source(shortest=4, longest=9, epoch_examples=60)
    assert data.facts == AddingFacts(4, 9)
    assert data.examples == 60
    assert data.device == torch.device("cpu")
    batch = data.batch(2, 60)
    assert batch.numbers.shape == (60, 9)
    assert set(batch.lengths.tolist()) == {4, 5, 6, 7, 8, 9}


DIGESTS = {
    "test": "5305760bf062d2dc94849aefcf783ae065b5200d1915b81400810f8d17a633f3",
    "validation": "419ece4e6485ca50a95a846d9876569665d4347d16086fe9d6ef669cc50b9809",
}


@pytest.mark.parametrize("split", ["test", "validation"])
def test_held_out_sequences_never_change(split: Any) -> None:
    """Errors compare only on the same sequences: these sums are for good."""
    held = source(seed=3).held_out(split)
    assert held.numbers.shape == (1000, 100)
    assert equal(held, source(seed=4).held_out(split))
    digest = hashlib.sha256(b"".join(leaf.numpy().tobytes() for leaf in held)).hexdigest()
    assert digest == DIGESTS[split]


def test_no_training_draws_a_held_out_sequence() -> None:
    data = source(seed=0, held_out=200)  # the held-out sets are drawn with the seed 0, too
    rows = [{row.tobytes() for row in data.held_out(split).numbers.numpy()} for split in ("test", "validation")]
    assert not rows[0] & rows[1]
    for step in range(20):
        trained = {row.tobytes() for row in data.batch(step, 200).numbers.numpy()}
        assert not trained & (rows[0] | rows[1])


def test_a_batch_larger_than_an_epoch_is_refused() -> None:
    said = "at most the 60 sequences of an epoch, found a batch of 61; lower --batch-size"
    with pytest.raises(InputError, match=said):
        source(epoch_examples=60).batch(0, 61)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shortest": 1}, "greater than or equal to 2, found 1 for --shortest"),
        ({"shortest": 11, "longest": 10}, "a shortest sequence no longer than the longest"),
        ({"shortest": 101}, "a shortest sequence no longer than the longest"),  # than the default's 100
        ({"longest": 100_001}, "less than or equal to 100000, found 100001 for --longest"),
        ({"epoch_examples": 0}, "greater than or equal to 1, found 0 for --epoch_examples"),
        ({"held_out": 0}, "greater than or equal to 1, found 0 for --held_out"),
        ({"shortest": "long"}, "found 'long' for --shortest"),
        ({"length": 5}, "a known key"),
    ],
)
def test_settings_that_make_no_sequences(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        override(default_run("adding", SPEC), {"data": settings}, lambda table, key: f"--{key}")
    assert "\n" not in str(error.value)


def test_facts_from_a_stranger_are_checked() -> None:
    with pytest.raises(ValidationError):
        AddingFacts(1, 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_batches_are_the_same_on_a_gpu() -> None:
    here, there = source(5), AddingSource(AddingData(), 5, "cuda")
    for mine, its in ((here.batch(3, 32), there.batch(3, 32)), (here.held_out("test"), there.held_out("test"))):
        assert its.numbers.is_cuda
        assert equal(mine, Sequences(*(leaf.cpu() for leaf in its)))
