"""Nested tuples of tensors: the shape of every state, input and output."""

from collections.abc import Callable
from typing import Any

from torch import Tensor


def map_tensors(function: Callable[..., Any], *trees: Any) -> Any:
    """Apply `function` to the corresponding tensors of equally built trees of (named) tuples; keep the structure."""
    first = trees[0]
    if isinstance(first, tuple):
        mapped = [map_tensors(function, *branches) for branches in zip(*trees, strict=True)]
        return type(first)(*mapped) if hasattr(first, "_fields") else tuple(mapped)
    return function(*trees)


def named_tensors(tree: Any, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a tree by their path, as `field.field` (plain tuples count from 0)."""
    if not isinstance(tree, tuple):
        return {prefix: tree}
    names = getattr(tree, "_fields", None) or [str(i) for i in range(len(tree))]
    found: dict[str, Tensor] = {}
    for name, branch in zip(names, tree, strict=True):
        found |= named_tensors(branch, f"{prefix}.{name}" if prefix else name)
    return found
