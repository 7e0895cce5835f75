"""300 pictures as a person might give them: read right, or in doubt. See `pictures.py`."""

import os
from collections import Counter

import pytest
import torch

import saccade
from saccade.errors import InputError
from saccade.glimpse.reader import Reader
from saccade.images.mnist import load_mnist
from tests.images.pictures import OTHERS, TREATMENTS, Made, others, singles

MNIST = os.environ.get("SACCADE_DATA")
needs_mnist = pytest.mark.skipif(MNIST is None, reason="SACCADE_DATA names no folder that holds MNIST")


@pytest.fixture(scope="module")
def reader() -> Reader:
    found = saccade.load("ram-mnist")
    assert isinstance(found, Reader)
    return found


def answer(reader: Reader, made: Made) -> tuple[str, bool]:
    """Read a picture; return its digits, and if the answer warns: by a doubt, by several digits, by no ink."""
    try:
        found = reader.read(made.image)
    except InputError:
        return "", True
    return "".join(reading.label for reading in found), len(found) > 1 or any(reading.doubt for reading in found)


def misread(reader: Reader, pictures: list[Made]) -> list[str]:
    return [
        f"{made.name}: {made.truth} read {said}" for made in pictures if (said := answer(reader, made)[0]) != made.truth
    ]


def unwarned(reader: Reader, pictures: list[Made]) -> list[str]:
    return [made.name for made in pictures if not answer(reader, made)[1]]


def test_a_few_pictures_of_every_kind(reader: Reader) -> None:
    wrong = misread(reader, list(singles([], len(TREATMENTS))))
    assert len(wrong) <= 2, wrong
    missed = unwarned(reader, list(others(len(OTHERS))))
    assert len(missed) <= 1, missed


def test_the_pictures_are_the_same_every_time() -> None:
    for one, other in zip(singles([], 17), singles([], 17), strict=True):
        assert one.name == other.name and one.image.tobytes() == other.image.tobytes()


def test_digits_side_by_side_are_read_one_after_another(reader: Reader) -> None:
    several = [made for made in others(64) if made.truth]
    wrong = misread(reader, several)
    assert len(several) == 8 and len(wrong) <= 1, wrong


@pytest.mark.slow
@needs_mnist
@pytest.mark.parametrize(("seed", "first_hand"), [(0, 11), (1, 11), (2, 24)])
def test_three_hundred_pictures(reader: Reader, seed: int, first_hand: int) -> None:
    """Seed 0 was looked at while the framing was written, seed 1 before the threshold was set; seed 2, with other
    handwritten digits, after all was fixed.
    """
    images, labels = load_mnist(MNIST)[1]
    hands = [(images[i, 0].numpy(), int(labels[i])) for i in range(first_hand, first_hand + 3700, 37)]
    wrong = misread(reader, list(singles(hands, seed=seed)))
    missed = unwarned(reader, list(others(seed=seed)))
    print(f"misread {len(wrong)} of 200: {wrong}\nnot warned of {len(missed)} of 100: {missed}")
    assert len(wrong) <= 6, wrong
    assert len(missed) <= 10, Counter(name.split(",")[0][4:] for name in missed)


@pytest.mark.slow
@needs_mnist
def test_few_test_digits_are_in_doubt_as_they_are_or_framed(reader: Reader) -> None:
    images = load_mnist(MNIST)[1].pixels
    as_they_are = [reading.doubt for part in images.split(500) for reading in reader.read(part)]
    assert sum(map(bool, as_they_are)) / len(as_they_are) <= 0.02
    anew = reader.trace(images[:4000], framed=True).batch
    warned = {int(part[0]) for part, doubt in zip(anew.part, anew.doubt, strict=True) if doubt or part[2] > 1}
    assert len(warned) / 4000 <= 0.02


def test_reading_leaves_the_random_numbers_alone(reader: Reader) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    list(map(reader.read, [made.image for made in singles([], 1)]))
    assert torch.equal(torch.rand(2), expected)
