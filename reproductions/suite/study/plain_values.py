"""What requests and files may be made of: what JSON can hold, and other tools can read."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from reproductions.suite.study.inputs import shown
from reproductions.suite.study.registry import ConfigError

Data = TypeVar("Data")


def plain(data: Data, key: str = "") -> Data:
    """``data``, which stands at ``key``. ConfigError unless it is what JSON can hold.

    Numbers are finite, whole ones of at most 64 bits; keys are text; nothing is nested endlessly.
    """
    try:
        _plain(data, key)
    except RecursionError:
        raise ConfigError(f"{key or 'it'} is nested too deeply") from None
    return data


def _plain(data: Any, key: str) -> None:
    match data:
        case dict():
            for name, value in data.items():
                if not isinstance(name, str):
                    raise ConfigError(f"{key or 'it'}: the key {shown(name)} must be text")
                _plain(name, key)
                _plain(value, f"{key}.{name}" if key else name)
        case list() | tuple():
            for place, value in enumerate(data):
                _plain(value, f"{key}.{place}" if key else str(place))
        case float() if not math.isfinite(data):
            raise ConfigError(f"{key or 'it'} = {data} must be a finite number")
        case bool() | float() | None:
            pass
        case int():
            if abs(data) >= 2**63:
                raise ConfigError(f"{key or 'it'} = {shown(data)} must be a number of at most 64 bits")
        case str():
            if any(0xD800 <= ord(letter) < 0xE000 for letter in data):
                raise ConfigError(f"{key or 'it'} = {shown(data)} must be UTF-8 text")
        case _:
            raise ConfigError(f"{key or 'it'} = {shown(data)} must be a number, text, a list or a mapping")
