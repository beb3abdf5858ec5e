"""What a task loads at first use makes no other task of it, though its attributes are others then.

A task is described when a run begins and again when it has ended. While it is as that run left it, it counts as what it
was before; whoever changes it between two runs has another task.
"""

from __future__ import annotations

import contextlib
import json
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pbt_core.identity import described
from pbt_core.task import AnyTask


@dataclass
class _Known:
    task: weakref.ref[Any]
    #: What the object was when the latest run with it began.
    begun: Any = None
    #: What it counts as, by its description as text, for what runs have made of it.
    counts_as: dict[str, Any] = field(default_factory=dict)


#: By the objects' addresses, for as long as they live: tasks need not be hashable.
_KNOWN: dict[int, _Known] = {}


def described_task(task: AnyTask) -> Any:
    """What ``task`` is, as it was before the runs that it was used in; ValueError as ``described``."""
    now = described(task, "task")
    key = id(task)
    try:
        known = _KNOWN.setdefault(key, _Known(weakref.ref(task, lambda _: _KNOWN.pop(key, None))))
    except TypeError:  # an object of slots alone
        return now
    known.begun = known.counts_as.get(json.dumps(now), now)
    return known.begun


@contextlib.contextmanager
def using(task: AnyTask) -> Iterator[None]:
    """Within the block a task is used outside a run, to load a state: what it loads there makes no other task of it either."""
    known = _KNOWN.get(id(task))
    begun = None if known is None else known.begun
    with contextlib.suppress(ValueError, RecursionError):  # the next run with it will say so
        described_task(task)
    try:
        yield
    finally:
        used(task)
        if known is not None:  # a run with it may be under way
            known.begun = begun


def used(task: AnyTask) -> None:
    """To be called when a run with ``task`` has ended, however: what it has loaded is there now."""
    known = _KNOWN.get(id(task))
    if known is None:
        return
    try:
        now = json.dumps(described(task, "task"))
    except (ValueError, RecursionError):  # the next run with it will say so
        return
    if now != json.dumps(known.begun):
        known.counts_as[now] = known.begun
