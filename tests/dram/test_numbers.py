"""The shipped network on pictures of numbers, from fonts and hands."""

from pathlib import Path

import pytest

import saccade
from saccade.dram.reader import Reader
from saccade.images.mnist import load_mnist
from saccade.pipeline.checkpoint.locate import shipped_names
from tests.dram.numbers import numbers


@pytest.mark.slow
def test_numbers_in_pictures_are_read_or_doubted(mnist: Path) -> None:
    if "dram-digits" not in shipped_names():
        pytest.skip("no dram-digits is shipped")
    test = load_mnist(str(mnist))[1]
    hands = [(test.pixels[i, 0].numpy(), int(test.labels[i])) for i in range(400)]
    network, made = saccade.load("dram-digits"), list(numbers(hands))
    assert isinstance(network, Reader)
    found = network.read([one.image for one in made])
    right = [one.text == picture.truth for one, picture in zip(found, made, strict=True)]
    wrong_and_sure = sum(not good and one.doubt is None for good, one in zip(right, found, strict=True))
    assert sum(right) >= 81  # measured: 83, and 85 and 82 with other seeds
    assert wrong_and_sure <= 6  # measured: 5, 2 and 2
