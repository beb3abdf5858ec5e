"""Trees of tensors: dataclasses, mappings, tuples and lists, such as what agents return; and functions mapped over members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor
from torch.func import vmap


def mapped(tree: Any, change: Callable[[Tensor], Any]) -> Any:
    """The tree with ``change(tensor)`` in the place of each tensor; all else stays."""
    match tree:
        case Tensor():
            return change(tree)
        case Mapping():
            return {name: mapped(part, change) for name, part in tree.items()}
        case tuple() | list():
            return type(tree)([mapped(part, change) for part in tree])
        case _ if is_dataclass(tree) and not isinstance(tree, type):
            return replace(tree, **{f.name: mapped(getattr(tree, f.name), change) for f in fields(tree) if f.init})
    return tree


def tensors(tree: Any) -> list[Tensor]:
    """The tensors of a tree, in the order in which ``mapped`` meets them."""
    found: list[Tensor] = []
    mapped(tree, found.append)
    return found


def over_members(call: Callable[..., Any], *trees: Any) -> Any:
    """``call(*trees)`` for each member: tensors have the members first, in the arguments and in what is returned.

    RuntimeError, of torch, where the call cannot be mapped: it draws numbers, or what it does depends on values.
    """
    returned: list[Any] = []

    def of_tensors(*parts: Tensor) -> tuple[Tensor, ...]:
        each = iter(parts)
        returned.append(call(*mapped(trees, lambda _: next(each))))
        return tuple(tensors(returned[0]))

    results = iter(vmap(of_tensors)(*tensors(trees)))
    return mapped(returned[0], lambda _: next(results))
