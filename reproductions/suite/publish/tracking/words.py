"""Nested settings as short lines of words, and names that MLflow takes: its tables are narrow."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

#: Longer parameters are cut: side by side, one schedule a member would hide what else differs.
LONGEST = 200


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as (dotted path, value) pairs; lists stay whole."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def words(value: Any) -> str:
    """A value in one line, such as ``perturb factors=(1.2, 0.8)``: JSON is spread over many lines by MLflow's pages."""
    if isinstance(value, dict):
        parts = [str(value["kind"])] if "kind" in value else []
        parts += [f"{key}=({words(item)})" if isinstance(item, dict | list) else f"{key}={item}"
                 for key, item in value.items() if key != "kind"]  # fmt: skip
        return " ".join(parts)
    if isinstance(value, list):
        return ("; " if any(isinstance(item, dict) for item in value) else ", ").join(map(words, value))
    return str(value)


def short(words: str) -> str:
    """Long words by their beginning and a digest: equal ones still look equal. The full text is in summary.json."""
    if len(words) <= LONGEST:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return f"{words[: LONGEST - 40]}... ({len(words)} characters, {digest})"


def metric_name(name: str) -> str:
    """A name that MLflow takes for a metric or a parameter."""
    return re.sub(r"[^A-Za-z0-9_. -]|^\.+$", "_", name)[:250]
