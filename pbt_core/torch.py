"""Helpers for tasks built on torch.

``pack`` turns anything with a ``state_dict`` into a checkpoint without pickle, ``unpack`` loads it back, and ``seeded``
gives a block of code its own seed without touching the global generator.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch

from pbt_core.seeds import Stream
from pbt_core.store import OWN, Checkpoint, PlainJson


class Stateful(Protocol):
    """A module, an optimiser, a learning-rate scheduler, ..."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


def pack(**parts: Stateful) -> Checkpoint:
    """The state of named parts as a checkpoint: ``pack(model=model, optimizer=optimizer)``.

    Tensors keep type and shape; numbers, strings, lists, tuples and dictionaries come back as they were, keys that are
    numbers, strings or tuples of them included. TypeError names the place of anything else, such as a sparse tensor.

    A part whose name begins with ``own.`` stays with its member when it copies another's weights: ``pack(model=model,
    **{"own.env": env})``. ValueError for one named ``own``, of which the tensors alone would stay.
    """
    if OWN.rstrip(".") in parts:
        rule = f"what stays with its member when it copies another's weights is called {OWN}NAME"
        raise ValueError(f"pack: no part may be called {OWN.rstrip('.')!r}: {rule}")
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    skeleton = PlainJson((name, _take_apart(part.state_dict(), name, tensors)) for name, part in parts.items())
    return Checkpoint(tensors, skeleton)


def unpack(checkpoint: Checkpoint, **parts: Stateful) -> None:
    """Load each named part with what ``pack`` took from it. KeyError if the checkpoint has no such part."""
    for name, part in parts.items():
        part.load_state_dict(_put_together(checkpoint.json[name], checkpoint.tensors))


@contextlib.contextmanager
def seeded(seed: Stream) -> Iterator[None]:
    """Within the block torch's global CPU generator is at the beginning of ``seed``; afterwards it is as it was.

    For code that takes no generator, such as the constructors of layers and dropout.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would go through every kind of device that there is.
        torch.default_generator.manual_seed(seed.integer())
        yield


_SCALARS = {bool, int, float, str, type(None)}


def _take_apart(value: Any, path: str, tensors: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, torch.Tensor):
        while path in tensors:  # {"a": {"b": x}, "a.b": y}
            path += "'"
        if value.dtype is torch.bfloat16:  # numpy has none: its bits travel as integers
            tensors[path] = value.detach().view(torch.int16).numpy(force=True)
            return {"bfloat16": path}
        tensors[path] = _array(value, path)
        return {"tensor": path}
    # Most of an optimiser's state are plain numbers: no call for each of them.
    if isinstance(value, dict):
        # Optimisers count their parameters with integer keys, which JSON would turn into strings.
        return {
            "items": [
                [
                    key if key.__class__ in _SCALARS else _key(key, path),
                    item if item.__class__ in _SCALARS else _take_apart(item, f"{path}.{key}", tensors),
                ]
                for key, item in value.items()
            ]
        }
    if isinstance(value, list | tuple):
        parts = [
            item if item.__class__ in _SCALARS else _take_apart(item, f"{path}.{i}", tensors)
            for i, item in enumerate(value)
        ]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{path}: a {type(value).__name__} cannot be stored; only tensors, numbers, strings and containers")


def _array(tensor: torch.Tensor, path: str) -> np.ndarray[Any, Any]:
    try:
        return tensor.numpy(force=True)
    except (TypeError, RuntimeError) as error:  # sparse, quantised, of a type that numpy does not have, without memory
        raise TypeError(f"{path}: a tensor of {tensor.dtype} cannot be stored: {error}") from None


def _key(key: Any, path: str) -> Any:
    """A key that is no plain scalar, as ``_take_apart`` would have it as a value."""
    if isinstance(key, tuple):
        return {"tuple": [item if item.__class__ in _SCALARS else _key(item, path) for item in key]}
    if isinstance(key, np.generic):
        key = key.item()
    if isinstance(key, bool | int | float | str):
        return key
    raise TypeError(f"{path}: the key {key!r} is a {type(key).__name__}; keys are numbers, strings and tuples of them")


def _put_together(value: Any, tensors: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "items":
        return {
            key if key.__class__ is not dict else _put_together(key, tensors): _put_together(item, tensors)
            for key, item in content
        }
    if kind in ("list", "tuple"):
        parts = [_put_together(item, tensors) for item in content]
        return tuple(parts) if kind == "tuple" else parts
    # A copy: what was read from a file must not be changed by training.
    tensor = torch.from_numpy(np.array(tensors[content]))
    return tensor.view(torch.bfloat16) if kind == "bfloat16" else tensor
