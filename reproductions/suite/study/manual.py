"""The table of kinds in words: keys, types and defaults, read from the declarations."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pbt_core import Hyperparameters
from reproductions.suite.study.descriptions import as_json
from reproductions.suite.study.kinds import FAMILIES, Kind
from reproductions.suite.study.parameters import Parameter, keys
from reproductions.suite.study.registry import ConfigError

_WORDS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    Path: "path",
    type(None): "null",
    Hyperparameters: "values by name",
}


def overview() -> str:
    """All kinds, by family."""
    return "\n".join(
        f"{family.name}\n" + "\n".join(f"  {name}{_keys(kind, 4)}" for name, kind in family.kinds.items())
        for family in FAMILIES
    )


def entry(name: str) -> str:
    """One kind, with its documentation. ConfigError if there is none of this name."""
    kinds = {name: kind for family in FAMILIES for name, kind in family.kinds.items()}
    if name not in kinds:
        raise ConfigError(f"kind = {name!r} must be one of {list(kinds)}")
    return f"{name}{_keys(kinds[name], 2)}\n\n{inspect.getdoc(kinds[name])}"


def _keys(kind: Kind, indent: int) -> str:
    return "".join(f"\n{' ' * indent}{_line(key)}" for key in keys(kind))


def _line(key: Parameter) -> str:
    line = f"{key.name}: {_type(key)}"
    return line if key.required else f"{line} = {json.dumps(as_json(key, key.default))}"


def _type(key: Parameter) -> str:
    family = key.family
    if family is None:
        return _in_words(key.annotation)
    listed = key.several or family.chain is not None
    return (f"list of {family.name}" if listed else family.name) + (" or null" if key.optional else "")


def _in_words(annotation: Any) -> str:
    arguments = get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if get_origin(annotation) is Literal:
        return " or ".join(map(str, arguments))
    if get_origin(annotation) is tuple and arguments[1:] == (...,):
        return f"list of {_in_words(arguments[0])}"
    if get_origin(annotation) is tuple:
        return f"[{', '.join(map(_in_words, arguments))}]"
    return " or ".join(map(_in_words, arguments)) if arguments else str(annotation)
