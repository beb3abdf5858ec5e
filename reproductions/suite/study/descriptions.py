"""Descriptions: what a configuration says of a method, checked against the declaration of its kind and made into an object.

A description is a mapping: ``kind``, a name in ``kinds``, and values for the parameters of that kind. The rules are the
declaration's own (``__post_init__``); its ValueErrors get the full key. What a value may be follows from the annotation:

* a family of ``kinds``: a description; null where the parameter may be None;
* a family that can be chained: a list of descriptions, in their order, or a single one; an empty list for none;
* a tuple of a family: a list of descriptions;
* another dataclass, such as the PBT in PB2: its keys stand beside the others;
* anything else: what pydantic reads it from in JSON, strictly: neither a truth value nor a text is a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reproductions.suite.study.inputs import first_violation, shown
from reproductions.suite.study.kinds import Family, Kind
from reproductions.suite.study.parameters import Parameter, keys, parameters
from reproductions.suite.study.registry import ConfigError


def build(family: Family, description: Any, key: str) -> Any:
    """The object that a description stands for; ``key`` is where it stands. ConfigError names key, value and rule."""
    kind = _kind(family, description, key)
    return _made(kind, _arguments(kind, description, key), key)


def complete(family: Family, description: Any, key: str) -> dict[str, Any]:
    """The description with all defaults, as JSON. ConfigError for a wrong key or value.

    This makes the parts of the method, but not the method itself: ``build`` checks its rules, and a replay's file need not
    exist yet.
    """
    kind = _kind(family, description, key)
    return {"kind": description["kind"], **_described(kind, _arguments(kind, description, key))}


def _kind(family: Family, description: Any, key: str) -> Kind:
    """The kind of a description. ConfigError unless it is a mapping of keys that the kind has."""
    if not isinstance(description, Mapping):
        raise ConfigError(f"{key} = {shown(description)} must be {_one_of(family)}")
    names = list(family.kinds)
    if "kind" not in description:
        raise ConfigError(f"{key}.kind: is required: one of {names}")
    name = description["kind"]
    if name not in names:
        raise ConfigError(f"{key}.kind = {shown(name)} must be one of {names}")
    kind = family.kinds[name]
    known = [parameter.name for parameter in keys(kind)]
    unknown = [other for other in description if other not in ["kind", *known]]
    if unknown:
        raise ConfigError(f"{key}.{unknown[0]}: no such key; {name!r} has {known or 'none'}")
    return kind


def _arguments(kind: Kind, description: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The arguments that a kind is called with, from a description: checked values, and parts as objects."""
    arguments = {}
    for parameter in parameters(kind):
        name, inner = parameter.name, parameter.inlined
        if inner is not None:
            arguments[name] = _made(inner, _arguments(inner, description, key), key)
        elif name in description:
            arguments[name] = _argument(parameter, description[name], f"{key}.{name}")
        elif parameter.required:
            raise ConfigError(f"{key}.{name}: is required")
    return arguments


def _argument(parameter: Parameter, value: Any, key: str) -> Any:
    family = parameter.family
    if family is None:
        try:
            # As JSON, in which nothing but a list stands for a tuple and no truth value for a number.
            return _adapter(parameter.annotation).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            raise ConfigError(first_violation(error, key)) from None
    if value is None and parameter.optional:
        return None
    if isinstance(value, list | tuple) and (parameter.several or family.chain is not None):
        items = tuple(build(family, item, f"{key}.{place}") for place, item in enumerate(value))
        return items if parameter.several else _chained(family, items, parameter.optional)
    if isinstance(value, Mapping) and not parameter.several:
        return build(family, value, key)
    rule = f"a list, each item {_one_of(family)}" if parameter.several else _one_of(family)
    rule += ", or a list of such" if family.chain is not None else ""
    raise ConfigError(f"{key} = {shown(value)} must be {rule}{', or null' if parameter.optional else ''}")


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _one_of(family: Family) -> str:
    return f"a mapping whose kind is one of {list(family.kinds)}"


def _chained(family: Family, items: tuple[Any, ...], optional: bool) -> Any:
    """Several items as one object; a single one is itself, and no item is None where the parameter may be None."""
    assert family.chain is not None, "only what can be chained is written as a list"
    if len(items) == 1:
        return items[0]
    return None if optional and not items else family.chain(items)


def _made(kind: Kind, arguments: Mapping[str, Any], key: str) -> Any:
    try:
        return kind(**arguments)
    except ConfigError:  # of a file, which it names
        raise
    except ValueError as error:
        # A declaration says "Truncation: fraction = 0.7 must be ..." where a user wrote "search.exploit.fraction".
        rule = str(error).removeprefix(f"{kind.__name__}: ")
        name = rule.partition(" ")[0].rstrip(":")
        its_own = name in [parameter.name for parameter in parameters(kind)]
        raise ConfigError(f"{key}.{rule}" if its_own else f"{key}: {rule}") from None


def _described(kind: Kind, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a description of ``kind``, from arguments or else defaults."""
    description: dict[str, Any] = {}
    for parameter in parameters(kind):
        value = arguments.get(parameter.name, parameter.default)
        if parameter.inlined is not None:
            description |= _described(parameter.inlined, _fields(value))
        else:
            description[parameter.name] = as_json(parameter, value)
    return description


def as_json(parameter: Parameter, value: Any) -> Any:
    """How a description says ``value``: by its kind if it has one, as a list where several may follow each other."""
    family = parameter.family
    if family is None:
        return _plain(value)

    def one(item: Any) -> dict[str, Any]:
        name = next(name for name, kind in family.kinds.items() if kind is type(item))
        return {"kind": name, **_described(type(item), _fields(item))}

    if parameter.several:
        return [one(item) for item in value]
    if family.chain is None:
        return None if value is None else one(value)
    if type(value) is family.chain:
        (value,) = _fields(value).values()
        return [one(item) for item in value]
    return [] if value is None else [one(value)]


def _fields(made: Any) -> dict[str, Any]:
    kind: Kind = type(made)
    return {parameter.name: getattr(made, parameter.name) for parameter in parameters(kind)}


def _plain(value: Any) -> Any:
    """As JSON has it."""
    match value:
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case PurePath():
            return str(value)
    return value
