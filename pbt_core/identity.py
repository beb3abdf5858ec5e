"""What is run, described as data: two runs are the same if their descriptions are, whatever their objects' addresses.

Dataclasses are described field by field (fields with ``compare=False`` are no part of it), functions by where they are
defined, numbers and texts as they are. What cannot be described is refused: a run that is identified by a ``repr`` might go
on with another model unnoticed.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from pbt_core.space import Space

#: In ``differences``, the value of a key that one side does not have.
_ABSENT = object()


def described(value: Any, name: str) -> Any:
    """``value`` as JSON; ``name`` says what it is in errors.

    An object may describe itself by a method ``identity()`` that returns something describable. Other objects are
    their class and the attributes they hold. ValueError, in one line, for what cannot be described.
    """
    match value:
        case np.generic():
            return described(value.item(), name)
        case None | bool() | int() | str() if not isinstance(value, enum.Enum):
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case enum.Enum():
            return {"type": _where(type(value)), "name": value.name}
        case PurePath():
            return str(value)
        case np.ndarray() if value.dtype != object:
            content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
            return {"array": list(value.shape), "dtype": str(value.dtype), "sha256": content}
        case Space():  # the order of dimensions is the order of draws
            dimensions = [[key, described(item, f"{name}.{key}")] for key, item in value.items()]
            rules = {key: rule for key in ("where", "repair") if (rule := getattr(value, key, None)) is not None}
            return {"dimensions": dimensions, **{key: described(rule, f"{name}.{key}") for key, rule in rules.items()}}
        case list() | tuple():
            return [described(item, f"{name}[{i}]") for i, item in enumerate(value)]
        case set() | frozenset():
            return {"set": sorted((described(item, name) for item in value), key=repr)}
        case Mapping():
            if all(isinstance(key, str) for key in value):
                return {key: described(item, f"{name}.{key}") for key, item in value.items()}
            return {
                "items": [[described(key, name), described(item, f"{name}[{key!r}]")] for key, item in value.items()]
            }
        case functools.partial():
            parts = {"function": value.func, "arguments": value.args, "keywords": value.keywords}
            return {
                "type": "functools.partial",
                **{key: described(part, f"{name}.{key}") for key, part in parts.items()},
            }
        case type():
            return {"class": _where(value)}
    if inspect.isroutine(value):
        return _function(value, name)
    return _object(value, name)


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Where two descriptions differ, one phrase each: ``task.size was 2 and is 64``."""
    flat, other = dict(_flat(before, name)), dict(_flat(now, name))
    return [
        f"{key} was {_shown(flat.get(key, _ABSENT))} and is {_shown(other.get(key, _ABSENT))}"
        for key in dict.fromkeys([*other, *flat])
        if flat.get(key, _ABSENT) != other.get(key, _ABSENT)
        or type(flat.get(key, _ABSENT)) is not type(other.get(key, _ABSENT))
    ]


def _object(value: Any, name: str) -> Any:
    kind = {"type": _where(type(value))}
    if callable(getattr(type(value), "identity", None)):
        return kind | {"identity": described(value.identity(), f"{name}.identity()")}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare}
    elif type(value).__module__ != "builtins" and hasattr(value, "__dict__"):
        fields = dict(vars(value))
    else:
        raise ValueError(_refused(value, name))
    return kind | {key: described(item, f"{name}.{key}") for key, item in fields.items()}


def _function(value: Any, name: str) -> Any:
    owner = getattr(value, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        return {"method": value.__name__, "of": described(owner, name)}
    named: Any = sys.modules.get(value.__module__ or "builtins")
    for part in value.__qualname__.split("."):
        named = getattr(named, part, None)
    if named is not value:
        raise ValueError(_refused(value, name))
    return {"function": _where(value)}


def _refused(value: Any, name: str) -> str:
    what = f"the function {value.__qualname__}" if inspect.isroutine(value) else f"a {type(value).__name__}"
    return (
        f"{name}: {what} cannot be described, so a resumed run could not tell whether it is the same; use settings in a "
        "dataclass (field(compare=False) for what is no setting), a function of a module, or a method identity()"
    )


def _where(kind: Any) -> str:
    """Module and name; a module that is run as a program keeps its own name."""
    module = kind.__module__
    if module == "__main__":
        module = getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", None) or module
    return f"{module}.{kind.__qualname__}"


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        parts = list(value.items())
        if _is_space(value):
            yield f"{name}: the names", [key for key, _ in value["dimensions"]]
            parts = [*value["dimensions"], *((key, rule) for key, rule in parts if key != "dimensions")]
        for key, item in parts:
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value:
        for i, item in enumerate(value):
            yield from _flat(item, f"{name}[{i}]")
    else:
        yield name, value


def _is_space(description: dict[str, Any]) -> bool:
    """Whether ``described`` wrote a space here, told by its form: records hold no other mark of it.

    What belongs to a task is another form, whatever it is called: beside its fields stands a type.
    """
    dimensions = description.get("dimensions")
    if not isinstance(dimensions, list) or not description.keys() <= {"dimensions", "where", "repair"}:
        return False
    return all(map(_is_dimension, dimensions)) and len({name for name, _ in dimensions}) == len(dimensions)


def _is_dimension(item: Any) -> bool:
    """Whether it is the name of a dimension and what it is."""
    return isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], dict)


def _shown(value: Any) -> str:
    text = "not there" if value is _ABSENT else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
