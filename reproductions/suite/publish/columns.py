"""The events of a run as columns of JSON, without what follows from the rest: a third of the size when compressed.

``from_columns(to_columns(events), ...)`` are the same events: nothing is rounded. Three things make them short.

* All values of a field stand together, by the kind of event.
* An evaluation's hyperparameters are None where they are those that its member was last given, which is nearly always.
* Numbers that came from 32 bits, such as losses, are written as 32 bits need it: 0.56892639 for 0.5689263939857483.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pbt_core.schema import Event
from pbt_core.values import identical

Columns = dict[str, Any]


def to_columns(events: Iterable[Event]) -> Columns:
    """``order``: the kind of each event; ``fields``: by kind, the column of each field."""
    order: list[str] = []
    of_kind: dict[str, list[Event]] = {}
    for event in _shortened(events):
        kind = event["event"]
        order.append(kind)
        of_kind.setdefault(kind, []).append({key: value for key, value in event.items() if key != "event"})
    return {"order": order, "fields": {kind: _column(rows) for kind, rows in of_kind.items()}}


def from_columns(columns: Columns) -> Iterator[Event]:
    """The events; ValueError, KeyError or TypeError if these are no columns of events."""
    order: list[str] = columns["order"]
    count = {kind: order.count(kind) for kind in dict.fromkeys(order)}
    rows = {kind: iter(_values(columns["fields"][kind], number)) for kind, number in count.items()}
    given: dict[int, Any] = {}
    for kind in order:
        event = {"event": kind, **next(rows[kind])}
        if "hyperparameters" in event:
            if kind != "evaluated":
                given[event["member"]] = event["hyperparameters"]
            elif event["hyperparameters"] is None:
                event["hyperparameters"] = dict(given[event["member"]])
        yield event


def _shortened(events: Iterable[Event]) -> Iterator[Event]:
    """The events, evaluations without hyperparameters that are those which their member was last given."""
    given: dict[int, Mapping[str, Any]] = {}
    for event in events:
        if "hyperparameters" not in event:
            yield event
            continue
        member, hyperparameters = event["member"], event["hyperparameters"]
        if event["event"] != "evaluated":
            given[member] = hyperparameters
        elif list(given.get(member, ())) == list(hyperparameters) and identical(given[member], hyperparameters):
            event = {**event, "hyperparameters": None}
        yield event


def _column(values: Sequence[Any]) -> Any:
    """Objects with the same names as columns of these, 32-bit numbers as ``{"float32": numbers}``, all else as a list."""
    if all(isinstance(value, Mapping) for value in values) and len({tuple(value) for value in values}) == 1:
        return {"object": {name: _column([value[name] for value in values]) for name in values[0]}}
    if all(value.__class__ is float for value in values):
        with np.errstate(over="ignore"):
            short = [float(str(value)) for value in np.array(values, np.float64).astype(np.float32)]
        if _widened(short) == list(values):  # a number that is not finite does not equal itself, or is no 32-bit one
            return {"float32": short}
    return list(values)


def _values(column: Any, count: int) -> list[Any]:
    values: list[Any]
    match column:
        case {"object": fields}:
            parts = {name: _values(part, count) for name, part in fields.items()}
            values = [{name: part[row] for name, part in parts.items()} for row in range(count)]
        case {"float32": short}:
            values = _widened(short)
        case list():
            values = column
        case _:
            raise TypeError(f"{type(column).__name__} is no column")
    if len(values) != count:
        raise ValueError(f"a column has {len(values)} values, not {count}")
    return values


def _widened(short: Sequence[float]) -> list[float]:
    with np.errstate(over="ignore"):
        widened: list[float] = np.array(short, np.float64).astype(np.float32).astype(np.float64).tolist()
    return widened
