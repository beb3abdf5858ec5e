"""Settings that a request changes: ``KEY=VALUE`` applied to nested data, and what such data may be made of."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from reproductions.suite.study.inputs import shown
from reproductions.suite.study.registry import ConfigError

#: YAML takes 1e-3 for text, because it has no point.
_EXPONENT = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without anchors, by which a short text stands for an endless value, and without keys that occur twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        made = super().construct_mapping(node, deep=True)
        if len(made) < len(node.value):
            raise yaml.YAMLError("a key occurs twice")
        return made


def override(data: dict[str, Any], text: str) -> None:
    """Apply ``a.b.0.c=value`` (the value is YAML) to nested data. ConfigError says what cannot be set."""
    path, equals, value = text.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise ConfigError(
            f"--set {shown(text)} must look like KEY=VALUE, for example search.exploit.fraction=0.1, without empty keys"
        )
    inner: Any = data
    for key in keys[:-1]:
        if isinstance(inner, dict):
            inner = inner.setdefault(key, {})
        elif _is_place(inner, key):
            inner = inner[int(key)]
        else:
            raise ConfigError(f"--set {shown(text)}: there is no {shown(key)} to set in")
    last = keys[-1]
    if isinstance(inner, dict):
        inner[last] = _parsed(path, value, inner.get(last))
    elif _is_place(inner, last):
        inner[int(last)] = _parsed(path, value, inner[int(last)])
    else:
        raise ConfigError(f"--set {shown(text)}: there is no {shown(last)} to set")


def plain(data: Any, key: str = "") -> None:
    """ConfigError unless data is what JSON can hold: numbers are finite, keys are text, and nothing is nested endlessly."""
    try:
        _plain(data, key)
    except RecursionError:
        raise ConfigError(f"{key or 'a setting'} is nested too deeply") from None


def _plain(data: Any, key: str) -> None:
    match data:
        case dict():
            for name, value in data.items():
                if not isinstance(name, str):
                    raise ConfigError(f"{key}: the key {shown(name)} must be text")
                _plain(name, key)
                _plain(value, f"{key}.{name}" if key else name)
        case list() | tuple():
            for place, value in enumerate(data):
                _plain(value, f"{key}.{place}")
        case float() if not math.isfinite(data):
            raise ConfigError(f"{key} = {data} must be a finite number")
        case bool() | float() | None:
            pass
        case int():
            if abs(data) >= 2**63:
                raise ConfigError(f"{key} = {shown(data)} must be a number of at most 64 bits")
        case str():
            if any(0xD800 <= ord(letter) < 0xE000 for letter in data):
                raise ConfigError(f"{key} = {shown(data)} must be UTF-8 text")
        case _:
            raise ConfigError(f"{key} = {shown(data)} must be a number, text, a list or a mapping")


def _parsed(key: str, text: str, old: Any) -> Any:
    """The YAML value of ``text``, which is to stand where ``old`` did."""
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        raise ConfigError(f"--set {shown(key)}: {shown(text)} is not a YAML value") from None
    if isinstance(value, str) and value == text.strip() and _EXPONENT.fullmatch(value):
        value = float(value)
        if type(old) is int and value.is_integer():
            return int(value)
    return value


def _is_place(value: Any, key: str) -> bool:
    return isinstance(value, list) and bool(re.fullmatch(r"[0-9]{1,9}", key)) and int(key) < len(value)
