"""What is run, described as data: two runs are the same if their descriptions are, whatever their objects' addresses.

Dataclasses are described field by field (fields with ``compare=False`` are no part of it), other objects by what they hold
(see ``contents``), functions by where they are defined, numbers and texts as they are. What cannot be described is refused:
a run that is identified by a ``repr`` might go on with another model unnoticed.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import inspect
import math
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pbt_core.contents import (
    BASE,
    CLOSURE,
    CONTENT,
    MASK,
    OF_CLASS,
    SLOTS,
    Elsewhere,
    array_content,
    class_attributes,
    closure,
    fields_of,
    held,
    is_of_library,
)
from pbt_core.space import Space
from pbt_core.values import base_of

#: In ``differences``, the value of a key that one side does not have.
_ABSENT = object()
#: Kinds of values that their ``repr`` describes in full, by name: they need not be imported.
_BY_REPR = {
    *("builtins.complex", "builtins.range", "decimal.Decimal", "torch.dtype", "torch.device", "zoneinfo.ZoneInfo"),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
}
#: What descriptions hold that those in older records lack.
_LATER = {CONTENT, MASK, SLOTS, OF_CLASS, CLOSURE}
_PROGRAMS = ("__main__", "__mp_main__")


def described(value: Any, name: str) -> Any:
    """``value`` as JSON; ``name`` says what it is in errors.

    An object may describe itself by a method ``identity()`` that returns something describable. Other objects are
    their class, with the data among its attributes, and what they hold. ValueError, in one line, for what cannot be described.
    """
    match value:
        case np.generic():
            return described(value.item(), name)
        case enum.Enum():
            return {"type": _where(type(value)), "name": value.name}
        case _ if (base := base_of(value)) is not None:
            return described(base, name) if is_of_library(type(value)) else _derived(value, base, name)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case PurePath():
            return str(value)
        case np.ndarray() if not value.dtype.hasobject:
            mask = {MASK: array_content(np.ma.getmaskarray(value))} if isinstance(value, np.ma.MaskedArray) else {}
            return array_content(np.ma.getdata(value)) | mask
        case bytes() | bytearray():
            return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        case re.Pattern():
            return {"type": "re.Pattern", "pattern": described(value.pattern, name), "flags": value.flags}
        case np.dtype() if not value.hasobject:
            return {"type": "numpy.dtype", "is": str(value)}
        case Space():  # the order of dimensions is the order of draws
            dimensions = [[key, described(item, f"{name}.{key}")] for key, item in value.items()]
            rules = {key: rule for key in ("where", "repair") if (rule := getattr(value, key, None)) is not None}
            return {"dimensions": dimensions, **{key: described(rule, f"{name}.{key}") for key, rule in rules.items()}}
        case list() | tuple():
            return [described(item, f"{name}[{i}]") for i, item in enumerate(value)]
        case set() | frozenset():
            return {"set": sorted((described(item, name) for item in value), key=repr)}
        case Mapping() if type(value) is not dict and not is_of_library(type(value)):
            return _derived(value, dict(value), name)
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
            if not _is_found(value):
                raise ValueError(_refused(value, name))
            return {"class": _where(value)} | _of_class(value, name)
    if _where(type(value)) in _BY_REPR:
        return {"type": _where(type(value)), "is": repr(value)}
    if inspect.isroutine(value) or (hasattr(value, "__wrapped__") and _is_found(value)):
        return _function(value, name)
    return _object(value, name)


def _derived(value: Any, base: Any, name: str) -> Any:
    """An object whose class is derived from a number, a text or a container: what it is as that, its class and the rest."""
    kind = {"type": _where(type(value))}
    if callable(getattr(type(value), "identity", None)):
        return kind | {"identity": described(value.identity(), f"{name}.identity()")}
    attributes = getattr(value, "__dict__", {}) if base_of(value) is not None else {}  # else how it keeps its items
    holds = {key: described(item, f"{name}.{key}") for key, item in attributes.items()}
    return kind | {BASE: described(base, name)} | holds | _of_class(type(value), name, holds)


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Where two descriptions differ, one phrase each: ``task.size was 2 and is 64``.

    What a record from before such things were described does not say (see ``_as_recorded``) is no difference.
    """
    flat, other = dict(_flat(before, name)), dict(_flat(_as_recorded(now, before), name))
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
    try:
        parts = held(value)
    except Elsewhere:
        raise ValueError(_refused(value, name)) from None
    holds = {key: described(item, f"{name}.{key}") for key, item in parts.items()}
    return kind | holds | _of_class(type(value), name, fields_of(value))


def _of_class(kind: type, name: str, besides: Collection[str] = ()) -> dict[str, Any]:
    """What a class itself holds, as a part of the description of it and of its objects."""
    holds = {}
    for key, item in class_attributes(kind, besides).items():
        with contextlib.suppress(ValueError):  # what cannot be described is code rather than a setting
            holds[key] = described(item, f"{name}.{key}")
    enclosed = {key: described(item, f"{name}.{key}") for key, item in closure(kind).items()}
    return ({OF_CLASS: holds} if holds else {}) | ({CLOSURE: enclosed} if enclosed else {})


def _function(value: Any, name: str) -> Any:
    owner = getattr(value, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        return {"method": value.__name__, "of": described(owner, name)}
    if not _is_found(value):
        raise ValueError(_refused(value, name))
    return {"function": _where(value)}


def _is_found(value: Any) -> bool:
    """Whether a function or a class is what its name says: two that were made by one function have the same."""
    named: Any = sys.modules.get(value.__module__ or "builtins")
    for part in value.__qualname__.split("."):
        named = getattr(named, part, None)
    return named is value


def _refused(value: Any, name: str) -> str:
    what = f"a {type(value).__name__}"
    if inspect.isroutine(value) or inspect.isclass(value):
        what = f"the {'class' if inspect.isclass(value) else 'function'} {value.__qualname__}"
    return (
        f"{name}: {what} cannot be described, so a resumed run could not tell whether it is the same; use settings in a "
        "dataclass (field(compare=False) for what is no setting), a functools.cached_property for what is loaded at first "
        "use, a function or class of a module, or a method identity()"
    )


def _where(kind: Any) -> str:
    """Module and name; what is run as a program is called as it would be imported, by its module or its file."""
    module = kind.__module__
    if module in _PROGRAMS:
        program = sys.modules.get(module)
        spec, file = getattr(program, "__spec__", None), getattr(program, "__file__", None)
        module = spec.name if spec is not None else Path(file).stem if file else "__main__"
    return f"{module}.{kind.__qualname__}"


def _as_recorded(now: Any, before: Any) -> Any:
    """The description ``now`` as far as an older record goes, which said ``before``.

    Older records name no program but call it ``__main__``, and say nothing of tensors' numbers, of masks, of slots beside
    attributes, of what classes hold, and of classes derived from containers, numbers and texts. Newer ones say all this
    wherever it is, but for a class that got its first data since.
    """
    if isinstance(now, dict) and BASE in now and not (isinstance(before, dict) and BASE in before):
        return _as_recorded(now[BASE], before)
    if isinstance(now, dict) and isinstance(before, dict):
        return {
            key: before[key] if _is_program(key, before.get(key), item) else _as_recorded(item, before.get(key))
            for key, item in now.items()
            if key in before or key not in _LATER
        }
    if isinstance(now, list) and isinstance(before, list):
        padded = [*before, *[None] * len(now)]
        return [_as_recorded(item, old) for item, old in zip(now, padded, strict=False)]
    return now


def _is_program(key: str, before: Any, now: Any) -> bool:
    """Whether ``now`` may be what was called ``before`` while its module was run as a program."""
    if key not in ("type", "class", "function") or not isinstance(before, str) or not isinstance(now, str):
        return False
    module, _, name = before.partition(".")
    return module == "__main__" and now.endswith(f".{name}")


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
