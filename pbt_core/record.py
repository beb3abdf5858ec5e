"""The events of a run in memory, evaluations in columns: a million of them take some 150 MB instead of gigabytes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbt_core.files import collector_paused, located
from pbt_core.leases.log import SharedLog
from pbt_core.parquet import ABSENT, Column, rows, to_array, write_parquet
from pbt_core.schema import SCHEMA, Event, detached, read_lines
from pbt_core.values import identical


class Record(Sequence[Event]):
    """A list of events that keeps evaluations, which most of them are, in columns and the others as they are.

    Reads like a list of dictionaries, which are made anew when asked for: changing one changes nothing here.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        #: For each event the row of an evaluation, or -1 - i for the i-th of the others.
        self._places = array("q")
        self._others: list[Event] = []
        self._members, self._steps = array("q"), array("q")
        self._scores, self._held_out, self._holds = array("d"), array("d"), bytearray()
        self._samples, self._samples_end = array("d"), array("q")
        self._metrics, self._metric_names = array("d"), list[tuple[str, ...]]()
        self._metrics_end = array("q")
        self._hyperparameters: list[dict[str, Any]] = []
        self._checkpoints = bytearray()
        # Equal ones are kept once: between two changes a member's hyperparameters are the same.
        self._last: dict[int, dict[str, Any]] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        for event in events:
            self.append(event)

    def append(self, event: Event) -> None:
        """Add one event that keeps the schema; the dictionary must not be changed afterwards."""
        if event["event"] != "evaluated":
            self._others.append(event)
            self._places.append(-len(self._others))
            return
        self._places.append(len(self._members))
        member, held_out, metrics = event["member"], event["held_out"], event["metrics"]
        self._members.append(member)
        self._steps.append(event["step"])
        self._scores.append(event["score"])
        self._holds.append(held_out is not None)
        self._held_out.append(0.0 if held_out is None else held_out)
        self._samples.extend(event["samples"])
        self._samples_end.append(len(self._samples))
        names = tuple(metrics)
        self._metric_names.append(self._names.setdefault(names, names))
        self._metrics.extend(metrics.values())
        self._metrics_end.append(len(self._metrics))
        self._hyperparameters.append(self._shared(member, event["hyperparameters"]))
        self._checkpoints += bytes.fromhex(event["checkpoint"])

    def _shared(self, member: int, hyperparameters: dict[str, Any]) -> dict[str, Any]:
        last = self._last.get(member)
        if last is None or not identical(last, hyperparameters):
            last = self._last[member] = dict(hyperparameters)
        return last

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        if isinstance(index, slice):
            return [self._event(place) for place in self._places[index]]
        return self._event(self._places[index])

    def __iter__(self) -> Iterator[Event]:
        return map(self._event, self._places)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Record of {len(self)} events, {len(self._members)} of them evaluations>"

    def _event(self, place: int) -> Event:
        if place < 0:
            event: Event = detached(self._others[-1 - place])
            return event
        metrics = self._part(self._metrics, self._metrics_end, place)
        return {
            "event": "evaluated",
            "member": self._members[place],
            "step": self._steps[place],
            "score": self._scores[place],
            "samples": self._part(self._samples, self._samples_end, place),
            "held_out": self._held_out[place] if self._holds[place] else None,
            "metrics": dict(zip(self._metric_names[place], metrics, strict=True)),
            "hyperparameters": dict(self._hyperparameters[place]),
            "checkpoint": self._checkpoints[16 * place : 16 * place + 16].hex(),
        }

    @property
    def scores(self) -> NDArray[np.float64]:
        """The score of each evaluation, oldest first."""
        return np.array(self._scores)

    def evaluation(self, row: int) -> Event:
        """The event of an evaluation by its number among the evaluations."""
        return self._event(range(len(self._members))[row])

    def row(self, member: int, step: int) -> int | None:
        """The number of the evaluation of ``member`` at ``step``; None if there was none."""
        rows = np.flatnonzero((np.array(self._members) == member) & (np.array(self._steps) == step))
        return int(rows[-1]) if len(rows) else None

    def last_steps(self) -> dict[int, int]:
        """By member, its own step at its last evaluation."""
        return dict(zip(self._members, self._steps, strict=True))

    def others(self, *kinds: str) -> list[Event]:
        """The events of these kinds, which are not evaluations, in their order; without a name all of them."""
        return [detached(event) for event in self._others if not kinds or event["event"] in kinds]

    def turns(self) -> Iterator[Event | tuple[int, int, dict[str, Any]]]:
        """All events in their order, evaluations as (member, step, hyperparameters): what a lineage is read from."""
        for place in self._places:
            if place < 0:
                yield self._others[-1 - place]
            else:
                yield self._members[place], self._steps[place], self._hyperparameters[place]

    def columns(self) -> Iterator[Column]:
        """Every field of every event, column by column, null where an event has no such field."""
        places = np.array(self._places, np.int64)
        of_others = len(self._members) - 1 - places
        rows = np.where(places >= 0, places, of_others)
        held = pa.array(np.array(self._held_out), mask=~np.array(self._holds, bool))
        hexadecimal = self._checkpoints.hex()
        ends = np.arange(len(self._members) + 1, dtype=np.int32) * 32
        known = {
            "event": pa.repeat("evaluated", len(self._members)),
            "member": pa.array(np.array(self._members)),
            "step": pa.array(np.array(self._steps)),
            "score": pa.array(np.array(self._scores)),
            "held_out": held,
            "samples": pa.ListArray.from_arrays(
                pa.array(np.array([0, *self._samples_end], np.int32)), pa.array(np.array(self._samples))
            ),
            "checkpoint": pa.StringArray.from_buffers(
                len(self._members), pa.py_buffer(ends), pa.py_buffer(hexadecimal.encode())
            ),
        }
        for name, values in known.items():
            yield Column(name, pa.concat_arrays([values, pa.array(self._of_others(name), values.type)]), rows)
        for name in self._names_of_metrics():
            values = pa.concat_arrays([self._metric(name), pa.nulls(len(self._others), pa.float64())])
            yield Column(f"metrics.{name}", values, rows)
        distinct, which = self._distinct()
        sets = distinct + [event.get("hyperparameters", {}) for event in self._others]
        rows_of_sets = np.where(
            places >= 0, which[np.maximum(places, 0)] if len(which) else 0, len(distinct) - 1 - places
        )
        for name in dict.fromkeys(name for values in sets for name in values):
            array, as_json = to_array([values.get(name, ABSENT) for values in sets], ABSENT)
            yield Column(f"hyperparameters.{name}", array, rows_of_sets, as_json)
        done = {*known, "metrics", "hyperparameters"}
        rows_of_others = np.where(places >= 0, 0, -places)  # before them comes the null of an evaluation
        for name in dict.fromkeys(name for fields in SCHEMA.values() for name in fields if name not in done):
            for inner in {"source": ("member", "step", "digest")}.get(name, (None,)):
                others = [ABSENT if value is None else value for value in self._of_others(name, inner)]
                if name == "history":
                    array, as_json = pa.array([None, *self._of_others(name)], pa.list_(pa.float64())), False
                else:
                    array, as_json = to_array([ABSENT, *others], ABSENT)
                yield Column(f"{name}.{inner}" if inner else name, array, rows_of_others, as_json)

    def _of_others(self, name: str, inner: str | None = None) -> list[Any]:
        """A field of each event that is no evaluation; None where there is no such field."""
        values = [event.get(name) for event in self._others]
        return values if inner is None else [None if value is None else value.get(inner) for value in values]

    @staticmethod
    def _part(flat: array[float], ends: array[int], place: int) -> list[float]:
        return list(flat[ends[place - 1] if place else 0 : ends[place]])

    def write_parquet(self, path: Path | str) -> None:
        """Write all events as Parquet, at once or not at all; ``read`` gives them back as they are."""
        write_parquet(self.columns(), located(path))

    def evaluations(self) -> pa.Table:
        """One row an evaluation, oldest first: member, step, score, held_out, and a column for each metric and hyperparameter.

        Columns of hyperparameters are named ``hyperparameters.NAME``, those of metrics ``metrics.NAME``. ``to_pandas()`` makes
        a DataFrame of it.
        """
        columns = {
            "member": pa.array(np.array(self._members)),
            "step": pa.array(np.array(self._steps)),
            "score": pa.array(np.array(self._scores)),
            "held_out": pa.array(np.array(self._held_out), mask=~np.array(self._holds, bool)),
        }
        columns |= {f"metrics.{name}": self._metric(name) for name in self._names_of_metrics()}
        distinct, which = self._distinct()
        for name in dict.fromkeys(name for values in distinct for name in values):
            columns[f"hyperparameters.{name}"] = to_array([values.get(name) for values in distinct])[0].take(which)
        return pa.table(columns)

    def _names_of_metrics(self) -> list[str]:
        return list(dict.fromkeys(name for names in dict.fromkeys(self._metric_names) for name in names))

    def _metric(self, name: str) -> pa.Array:
        """A metric of each evaluation, null where it has none of this name."""
        kinds = {names: i for i, names in enumerate(dict.fromkeys(self._metric_names))}
        place = np.array([names.index(name) if name in names else -1 for names in kinds], np.int64)
        offsets = place[np.fromiter(map(kinds.__getitem__, self._metric_names), np.int64, len(self._metric_names))]
        starts = np.concatenate([[0], np.array(self._metrics_end, np.int64)[:-1]]) if len(offsets) else offsets
        return pa.array(np.array(self._metrics)).take(pa.array(starts + offsets, mask=offsets < 0))

    def _distinct(self) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
        """The hyperparameters that evaluations share, each once, and which of them each evaluation has."""
        places: dict[int, int] = {}
        distinct: list[dict[str, Any]] = []
        which = np.empty(len(self._hyperparameters), np.int64)
        for row, values in enumerate(self._hyperparameters):
            place = places.get(id(values))
            if place is None:
                place = places[id(values)] = len(distinct)
                distinct.append(values)
            which[row] = place
        return distinct, which


def _same(one: Event, other: Event) -> bool:
    """Equality of events in which a NaN equals itself."""
    return one == other or repr(one) == repr(other)


def read(path: Path | str) -> Record:
    """The events of a record, finished or not: ``events.jsonl``, ``events.parquet``, or the log of leased workers.

    RecordError, with the file, the place and the rule, for a file that is no valid record.
    """
    path = located(path)
    if path.suffix == ".parquet":
        return read_parquet(path)
    with collector_paused():
        if path.is_dir():
            log = SharedLog(path)
            record = Record(event for _, entry in log.read() for event in entry.events)
            log.must_be_whole()
            return record
        return Record(event for event, _, _ in read_lines(path))


def read_parquet(path: Path) -> Record:
    """The events in an ``events.parquet``. RecordError as in ``read``."""
    with collector_paused():
        return Record(rows(path))
