"""The record of a run: an append-only list of events, JSON lines while it runs and Parquet at the end.

Everything that is ever said about a run (tables, figures, lineages, resumption) is read from here. Events hold nothing
that depends on time or place: same configuration and seed, same bytes. Times go to a file of their own.

=========  ============================================================================================================
event      fields besides ``event`` (and, but for the first and the last, ``member`` and ``step``)
=========  ============================================================================================================
started    format, plan: what was asked for; a resumed run must ask for the same
joined     hyperparameters: those the member begins with
evaluated  score, samples, held_out, metrics, hyperparameters (in force for the interval that ends here), checkpoint
diverged   follows an evaluation whose score is not finite
failed     kind (raised, hung, crashed), error, traceback: the interval that would have ended here did not
cloned     parent, weights (whether they were copied), source (their checkpoint), score, samples, history (the parent's),
           hyperparameters (from now on)
changed    hyperparameters (from now on), without a parent
restarted  hyperparameters, with fresh weights
retried    a failed interval is tried again: the run ended there with an error and was started anew
stopped    the method gave the member up
finished   best (member), step, score: the run is complete; its answer is what that member was at that step
=========  ============================================================================================================
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Event = dict[str, Any]
FORMAT = 3
_STRICT = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


class RecordError(RuntimeError):
    """The record of a run cannot be used; the message names the file and what is wrong."""


def encode(value: Any) -> Any:
    """JSON has no infinities and no NaN: they become the strings "inf", "-inf" and "nan" (and back in ``decode``)."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def dump(value: Any) -> str:
    """Strict JSON in one line; the way through ``encode`` is only taken where a number is not finite."""
    try:
        return _STRICT.encode(value)
    except ValueError:
        return _STRICT.encode(encode(value))


_NUMERIC = ("score", "held_out")


def decode(event: Event) -> Event:
    """Turn the strings for non-finite numbers back, where numbers stand."""
    for key in _NUMERIC:
        if isinstance(event.get(key), str):
            event[key] = float(event[key])
    for key in ("samples", "metrics"):
        if isinstance(event.get(key), list):
            event[key] = [float(item) for item in event[key]]
        elif isinstance(event.get(key), dict):
            event[key] = {name: float(item) for name, item in event[key].items()}
    return event


class EventLog:
    """An append-only file of JSON lines; a torn last line, which a kill may leave, is cut off when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events = self._read()
        self._file = path.open("ab")

    def _read(self) -> list[Event]:
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)
        return parse(data[:whole], self.path)

    def append(self, *events: Event) -> None:
        """Write events in one call, each a line, and hand them to the operating system before returning."""
        self._file.write("".join(f"{dump(event)}\n" for event in events).encode())
        self._file.flush()
        self.events.extend(events)

    def clear(self) -> None:
        """Forget everything."""
        self._file.truncate(0)
        self.events.clear()

    def close(self) -> None:
        self._file.close()


def parse(data: bytes, path: Path) -> list[Event]:
    """Events from whole lines; RecordError names the file and the line that is not an event."""
    events = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            event = json.loads(line)
            if not isinstance(event["event"], str):
                raise TypeError("no name")
        except (ValueError, KeyError, TypeError):
            raise RecordError(f"{path}, line {number}, is not an event: the file was altered") from None
        events.append(decode(event))
    return events


def read(path: Path) -> list[Event]:
    """The events of a run, from ``events.jsonl`` (also of a run under way) or ``events.parquet``."""
    if path.suffix == ".parquet":
        return read_parquet(path)
    data = path.read_bytes()
    return parse(data[: data.rfind(b"\n") + 1], path)


def write_parquet(events: Sequence[Event], path: Path) -> None:
    """One row an event; nested fields become columns such as ``hyperparameters.lr``. Equal events, equal bytes."""
    rows = [_flatten(event) for event in events]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array(_plain([row.get(name) for row in rows])) for name in names}
    temporary = path.with_name(f"{path.name}.tmp")
    pq.write_table(pa.table(columns), temporary)
    os.replace(temporary, path)


def read_parquet(path: Path) -> list[Event]:
    """The events as they were before ``write_parquet``."""
    events = []
    for row in pq.read_table(path).to_pylist():
        event: Event = {}
        for name, value in row.items():
            if value is None:
                continue
            outer, _, inner = name.partition(".")
            if inner:
                event.setdefault(outer, {})[inner] = value
            else:
                event[name] = json.loads(value) if name == "plan" else value
        if event["event"] == "evaluated":
            event = {"samples": [], "metrics": {}, "held_out": None, **event}
        if event["event"] == "cloned":
            event = {"samples": [], "history": [], **event}
        events.append(event)
    return events


def _flatten(event: Event) -> Event:
    row: Event = {}
    for key, value in event.items():
        if key == "plan":
            row[key] = json.dumps(value, sort_keys=True)
        elif isinstance(value, Mapping):
            row |= {f"{key}.{name}": item for name, item in value.items()}
        else:
            row[key] = value
    return row


def _plain(values: Iterable[Any]) -> list[Any]:
    """A column of one type: numbers of mixed kinds become floats, anything else mixed becomes JSON text."""
    values = list(values)
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) > 1:
        return [None if value is None else json.dumps(value) for value in values]
    return values
