"""Trees: nested tuples of tensors. Every state, input, output, batch and episode is one.

A tree is a tensor, None (a branch without leaves), or a plain or named tuple of trees.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, overload

from torch import Tensor

from saccade.errors import InputError

if TYPE_CHECKING:
    Tree: TypeAlias = "Tensor | tuple[Tree, ...] | None"
else:
    Tree = Any  # a checker at run time cannot follow the recursion

Branch = TypeVar("Branch", bound=Tree)


@overload
def map_tensors(function: Callable[[Tensor], object], first: Branch, /) -> Branch: ...
@overload
def map_tensors(function: Callable[[Tensor, Tensor], object], first: Branch, second: Branch, /) -> Branch: ...
@overload
def map_tensors(function: Callable[..., object], first: Branch, /, *others: Branch) -> Branch: ...
def map_tensors(function: Callable[..., object], first: Branch, /, *others: Branch) -> Branch:
    """Apply `function` to the corresponding tensors of trees of one structure; return a tree of that structure.

    Raises:
        ValueError: tuples of different lengths.
    """
    return cast(Branch, _mapped(function, (first, *others)))


def _mapped(function: Callable[..., object], trees: tuple[Tree, ...]) -> object:
    """Return the tree of what `function` returns, which may be anything."""
    first = trees[0]
    if first is None:
        return None
    if not isinstance(first, tuple):
        return function(*trees)
    branches = zip(*cast("tuple[tuple[Tree, ...], ...]", trees), strict=True)
    mapped = [_mapped(function, together) for together in branches]
    return cast(Callable[..., object], type(first))(*mapped) if hasattr(first, "_fields") else tuple(mapped)


def named_tensors(tree: Tree, prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors of a tree by their path, as `field.field` (plain tuples count from 0)."""
    if tree is None:
        return {}
    if not isinstance(tree, tuple):
        return {prefix: tree}
    names: Iterable[object] = getattr(tree, "_fields", range(len(tree)))
    found: dict[str, Tensor] = {}
    for name, branch in zip(names, tree, strict=True):
        found |= named_tensors(branch, f"{prefix}.{name}" if prefix else str(name))
    return found


def count(tree: Tree, axis: int = 0) -> int:
    """Return the size that all leaves share along an axis: the examples of a batch, the steps of a sequence.

    Raises:
        InputError: no leaf, a leaf without that axis, or leaves of different sizes.
    """
    leaves = named_tensors(tree)
    sizes = {name: int(leaf.shape[axis]) if leaf.ndim > axis else None for name, leaf in leaves.items()}
    size = next(iter(sizes.values()), None)
    if size is None or len(set(sizes.values())) > 1:
        found = ", ".join(f"{name or 'a tensor'} {list(leaf.shape)}" for name, leaf in leaves.items()) or "no tensor"
        raise InputError(f"tensors of one size along axis {axis}", found, "give every leaf the same number")
    return size


def take(tree: Branch, index: int | slice | Tensor, axis: int = 0) -> Branch:
    """Index every leaf along an axis: by an integer (the axis goes), a slice, or a tensor of indices or bools."""
    where = (slice(None),) * axis + (index,)
    return map_tensors(lambda leaf: leaf[where], tree)


def rows(tree: Branch) -> list[Branch]:
    """Return the trees along the first axis of every leaf, as `take` gives them one by one.

    The gradient of a leaf is then stacked once; T indexings would each make one as large as the whole leaf.
    """
    unbound: dict[int, tuple[Tensor, ...]] = {}
    map_tensors(lambda leaf: unbound.setdefault(id(leaf), leaf.unbind()), tree)
    return [map_tensors(lambda leaf, t=t: unbound[id(leaf)][t], tree) for t in range(count(tree))]
