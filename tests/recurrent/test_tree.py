"""Trees: what is kept, what passes through, what is refused."""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.recurrent.tree import count, map_tensors, named_tensors, take


class Pair(NamedTuple):
    a: Any
    b: Any = None


TREE = Pair(torch.arange(6).view(3, 2), (torch.zeros(3, 2, 4), None, Pair(torch.ones(3, 2, dtype=torch.bool))))


def test_mapping_keeps_the_structure_and_passes_none_through() -> None:
    mapped = map_tensors(lambda leaf: leaf + leaf, TREE)
    assert type(mapped) is Pair and type(mapped.b) is tuple and type(mapped.b[2]) is Pair
    assert mapped.b[1] is None and mapped.b[2].b is None
    assert torch.equal(mapped.a, 2 * TREE.a)
    assert map_tensors(Tensor.detach, None) is None
    assert map_tensors(Tensor.detach, ()) == ()


def test_trees_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        map_tensors(torch.add, (torch.ones(1),), (torch.ones(1), torch.ones(1)))


def test_tensors_are_named_by_their_path() -> None:
    assert list(named_tensors(TREE)) == ["a", "b.0", "b.2.a"]
    assert list(named_tensors(torch.ones(1))) == [""]
    assert named_tensors(None) == {}


def test_examples_and_steps_are_counted() -> None:
    assert (count(TREE), count(TREE, axis=1)) == (3, 2)
    assert count(torch.zeros(5, 1)) == 5


@pytest.mark.parametrize(
    ("tree", "axis", "found"),
    [
        (None, 0, "no tensor"),
        ((), 0, "no tensor"),
        (Pair(torch.zeros(3), torch.zeros(4, 3)), 0, r"a \[3\], b \[4, 3\]"),
        (torch.zeros(3), 1, r"a tensor \[3\]"),
        (torch.tensor(1.0), 0, r"a tensor \[\]"),
    ],
)
def test_what_has_no_one_size_is_refused(tree: Any, axis: int, found: str) -> None:
    with pytest.raises(InputError, match=f"axis {axis}, found {found};"):
        count(tree, axis)


@pytest.mark.parametrize("index", [slice(1, None), 1, torch.tensor([2, 0]), torch.tensor([True, False, True])])
def test_every_leaf_is_indexed(index: Any) -> None:
    taken = take(TREE, index)
    assert torch.equal(taken.a, TREE.a[index]) and torch.equal(taken.b[0], TREE.b[0][index])
    assert taken.b[1] is None
    assert count(take(TREE, slice(1), axis=1), axis=1) == 1
