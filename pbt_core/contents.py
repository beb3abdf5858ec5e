"""What an object holds, wherever Python keeps it: attributes, slots, tensors' numbers, and what its class says.

An object that holds something which none of these shows, such as one that is written in C, says so: two of them would look
alike whatever they hold.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import hashlib
import inspect
import sys
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What is held beside attributes, by names that no attribute has.
CONTENT, MASK, SLOTS, OF_CLASS, CLOSURE = "its content", "its mask", "its slots", "class attributes", "closure"
#: What an object is as the number, the text or the container that its class is derived from.
BASE = "as its base"
_POINTER = tuple.__itemsize__


class Elsewhere(Exception):
    """An object holds something that cannot be seen."""


def held(value: Any) -> dict[str, Any]:
    """What an object that is no container holds, by name; Elsewhere if that is not all.

    Of a dataclass its fields but for those with ``compare=False``. Of others their attributes without the values of
    cached properties, or, where a class of the user's has a ``__getstate__``, what that gives.
    """
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare}
    if is_tensor(value):
        return {**vars(value), CONTENT: tensor_content(value)}
    kind = type(value)
    if hasattr(kind, "__pydantic_private__"):
        return {**vars(value), **(value.__pydantic_extra__ or {}), **(value.__pydantic_private__ or {})}
    if (state := _own_state(value)) is not None:
        return state
    slots = list(_slots(kind))
    if kind.__module__ == "builtins" or _holds_more(kind, len(slots)):
        raise Elsewhere
    attributes = vars(value) if hasattr(value, "__dict__") else {}
    shown = {name: item for name, item in attributes.items() if not _is_cache(kind, name)}
    filled = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return {**shown, SLOTS: filled} if slots else shown


def class_attributes(kind: type, besides: Collection[str] = ()) -> dict[str, Any]:
    """The public attributes of a class that are data, those of its bases included, without the names in ``besides``.

    Only of classes of the user's own: those of the standard library and of installed packages come with their versions. What
    stands in for a property or a method of a base is code as they are.
    """
    found: dict[str, Any] = {}
    code: set[str] = {"model_config"} if hasattr(kind, "__pydantic_private__") else set()
    for base in reversed(kind.__mro__):
        if not is_installed(base.__module__):
            own = {name: item for name, item in vars(base).items() if not name.startswith("_")}
            found.update(own)
            code.update(name for name, item in own.items() if isinstance(item, property) or inspect.isroutine(item))
    return {n: item for n, item in found.items() if n not in code and n not in besides and _is_data(item)}


def closure(kind: type) -> dict[str, Any]:
    """The constants that a class's functions have from the function in which the class was made.

    Two classes that one function made have one name. Lists and the like are no constants: they are what is written into.
    """
    found: dict[str, Any] = {}
    for function in filter(inspect.isfunction, vars(kind).values()):
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # a variable that has no value yet
                found[name] = cell.cell_contents
    return {n: item for n, item in found.items() if _is_data(item) and not isinstance(item, list | dict | set)}


def fields_of(value: Any) -> set[str]:
    """The names that an object has for itself, whatever its class says of them."""
    own = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    return own | set(getattr(value, "__dict__", ()))


def array_content(array: NDArray[Any]) -> dict[str, Any]:
    """Shape, type and checksum of an array."""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return {"array": list(array.shape), "dtype": str(array.dtype), "sha256": hashlib.sha256(flat.data).hexdigest()}


def is_tensor(value: Any) -> bool:
    """Whether it is one of torch's, which is not imported for this."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, getattr(torch, "Tensor", ()))


def tensor_content(tensor: Any) -> dict[str, Any]:
    """Shape, type and checksum of a tensor, and whether it is trained; Elsewhere for one without plain numbers."""
    torch = sys.modules["torch"]
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
        raise Elsewhere
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    content = array_content(plain.reshape(-1).view(torch.uint8).numpy())
    return {**content, "array": list(tensor.shape), "dtype": str(tensor.dtype), "requires_grad": tensor.requires_grad}


def is_of_library(kind: type) -> bool:
    """Whether a class derived from a container is one of the standard library, which is told by its content."""
    return kind.__module__.partition(".")[0] in sys.stdlib_module_names and kind.__module__ != "__main__"


@functools.cache
def is_installed(module: str) -> bool:
    """Whether a module is of the standard library or of an installed package."""
    if module.partition(".")[0] in sys.stdlib_module_names and module != "__main__":
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _own_state(value: Any) -> dict[str, Any] | None:
    """What ``__getstate__`` of a class of the user's own gives; None where there is none."""
    owner = next(base for base in type(value).__mro__ if "__getstate__" in vars(base))
    if is_installed(owner.__module__):
        return None
    state = value.__getstate__()
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):  # attributes and slots
        return {**(state[0] or {}), SLOTS: state[1]}
    return dict(state) if isinstance(state, dict) else {CONTENT: state}


def _slots(kind: type) -> Iterator[str]:
    """The names of an object's slots."""
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            private = name.startswith("__") and not name.endswith("__")
            if name not in ("__dict__", "__weakref__"):
                yield f"_{base.__name__.lstrip('_')}{name}" if private else name


def _holds_more(kind: type, slots: int) -> bool:
    """Whether objects have room for more than attributes, slots and weak references, as ``object.__reduce_ex__`` asks."""
    pointers = slots + (kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0)
    return kind.__itemsize__ > 0 or kind.__basicsize__ > object.__basicsize__ + pointers * _POINTER


def _is_cache(kind: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(kind, name, None), functools.cached_property)


def _is_data(value: Any) -> bool:
    """Whether an attribute of a class is a setting rather than code."""
    match value:
        case list() | tuple() | set() | frozenset():
            return all(map(_is_data, value))
        case dict():
            return all(map(_is_data, value)) and all(map(_is_data, value.values()))
        case None | bool() | int() | float() | str() | bytes() | enum.Enum() | PurePath() | np.ndarray() | np.generic():
            return True
    return is_tensor(value) or (dataclasses.is_dataclass(value) and not isinstance(value, type))
