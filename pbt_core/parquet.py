"""The record of a run as Parquet: one row an event, one column a field, and everything back as it was.

Nested fields become columns such as ``hyperparameters.lr``. A column of numbers, truth values or texts of one type is
stored as that; anything else, such as choices of mixed types, as JSON text, which the column's metadata says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pbt_core.files import must_be_file, replacing
from pbt_core.schema import FORMAT, SCHEMA, Event, RecordError, check, decode, dump

#: What stands in a column where an event has no such field.
ABSENT: Any = object()
#: Fields of events that are objects with fixed names, or with names of the user's.
_INNER = {"source": ("member", "step", "digest")}
_OPEN = ("hyperparameters", "metrics")
_JSON = {b"pbt": b"json"}
_TYPES = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
_ROWS = 50_000


def to_array(values: Sequence[Any], absent: Any = None) -> tuple[pa.Array, bool]:
    """Values as an array, null where one is ``absent``; and whether they had to become JSON text."""
    kinds = {value.__class__ for value in values if value is not absent}
    kind = _TYPES.get(kinds.pop()) if len(kinds) == 1 else None if kinds else pa.null()
    if kind is not None:
        try:
            return pa.array([None if value is absent else value for value in values], kind), False
        except (OverflowError, UnicodeEncodeError, pa.ArrowException):
            pass  # whole numbers beyond 64 bits, halves of surrogate pairs
    return pa.array([None if value is absent else dump(value) for value in values], pa.string()), True


@dataclass(frozen=True)
class Column:
    """A column whose values may repeat: row i holds ``values[which[i]]``. as_json: whether they had to become JSON text."""

    name: str
    values: pa.Array
    which: NDArray[np.int64]
    as_json: bool = False


def write_parquet(columns: Iterable[Column], path: Path) -> None:
    """Write columns of events (see ``Record.columns``) at once or not at all. Equal events, equal bytes."""
    columns = list(columns)
    fields = [pa.field(c.name, c.values.type, metadata=_JSON if c.as_json else None) for c in columns]
    schema = pa.schema(fields, {"pbt.format": str(FORMAT)})
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, write_page_checksum=True) as file:
        for start in range(0, max(map(len, (c.which for c in columns)), default=0), _ROWS):
            rows = slice(start, start + _ROWS)
            file.write_table(pa.table([c.values.take(c.which[rows]) for c in columns], schema=schema))


def rows(path: Path) -> Iterator[Event]:
    """The events as they were before ``write_parquet``; RecordError names the file and what is wrong with it."""
    try:
        must_be_file(path)
        file = pq.ParquetFile(path, page_checksum_verification=True)
        metadata = file.schema_arrow.metadata or {}
        if metadata.get(b"pbt.format") != str(FORMAT).encode():
            written = metadata.get(b"pbt.format", b"3 or less").decode(errors="replace")
            raise RecordError(f"{path} has format {written}; this version reads {FORMAT}")
        number = 0
        for batch in file.iter_batches(_ROWS):
            for event in _events(batch):
                number += 1
                try:
                    check(event)
                except ValueError as error:
                    raise RecordError(f"{path}, event {number}: {error}") from None
                yield event
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, RecursionError) as error:
        why = (error.strerror or error) if isinstance(error, OSError) else error
        raise RecordError(f"{path} is no record of a run: {str(why).splitlines()[0] if str(why) else why!r}") from None


def _events(batch: pa.RecordBatch) -> Iterator[Event]:
    columns = {field.name: _values(batch.column(i), field) for i, field in enumerate(batch.schema)}
    nested = {
        outer: [(n.split(".", 1)[1], v) for n, v in columns.items() if n.startswith(f"{outer}.")] for outer in _OPEN
    }
    for row, kind in enumerate(columns["event"]):
        event: Event = {"event": kind}
        for name in SCHEMA.get(kind, {}):
            if name in _OPEN:
                event[name] = {inner: values[row] for inner, values in nested[name] if values[row] is not ABSENT}
            elif name in _INNER:
                event[name] = {inner: columns[f"{name}.{inner}"][row] for inner in _INNER[name]}
            else:
                value = columns[name][row] if name in columns else None
                event[name] = None if value is ABSENT else value
        yield event


def _values(array: pa.Array, field: pa.Field) -> list[Any]:
    values = array.to_pylist()
    if (field.metadata or {}).get(b"pbt") == _JSON[b"pbt"]:
        return [ABSENT if value is None else _from_json(value) for value in values]
    return [ABSENT if value is None else value for value in values]


def _from_json(text: str) -> Any:
    return decode({"hyperparameters": {"": json.loads(text)}})["hyperparameters"][""]
