"""Settings that a request changes: ``KEY=VALUE`` applied to nested data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from reproductions.suite.study.core_yaml import NotYAML, parse
from reproductions.suite.study.inputs import shown
from reproductions.suite.study.registry import ConfigError


def apply(data: dict[str, Any], texts: Iterable[str]) -> None:
    """Override each of several, none of which may undo one before it: ``a=1`` after ``a=2``, or after ``a.b=2``."""
    said: dict[str, str] = {}
    for text in texts:
        path = text.partition("=")[0]
        for before in said:
            if f"{before}.".startswith(f"{path}."):
                raise ConfigError(f"--set {shown(said[before])} and {shown(text)}: {shown(before)} is set twice")
        override(data, text)
        said[path] = text


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


def _parsed(path: str, text: str, old: Any) -> Any:
    """The YAML value of ``text``, which is to stand where ``old`` did."""
    try:
        value = parse(text, path)
    except NotYAML as error:
        raise ConfigError(f"--set {shown(f'{path}={text}')}: {error}") from None
    # 1e3 is a float in YAML; where a whole number stood, one is meant.
    whole = type(old) is int and isinstance(value, float) and value.is_integer() and "e" in text.lower()
    return int(value) if whole else value


def _is_place(value: Any, key: str) -> bool:
    return isinstance(value, list) and bool(re.fullmatch(r"0|[1-9][0-9]{0,8}", key)) and int(key) < len(value)
