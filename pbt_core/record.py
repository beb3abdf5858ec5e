"""The events of a run in memory, evaluations in columns: a million of them take some 150 MB instead of gigabytes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbt_core.files import collector_paused
from pbt_core.parquet import ABSENT, rows, to_array, write_parquet
from pbt_core.schema import SCHEMA, Event, read_lines
from pbt_core.values import identical


class Record(Sequence[Event]):
    """A list of events that keeps what most of them are, evaluations, in columns; the rest as they are.

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
            return dict(self._others[-1 - place])
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
        found = np.flatnonzero((np.array(self._members) == member) & (np.array(self._steps) == step))
        return int(found[-1]) if len(found) else None

    def last_steps(self) -> dict[int, int]:
        """By member, its own step at its last evaluation."""
        return dict(zip(self._members, self._steps, strict=True))

    def others(self, *kinds: str) -> list[Event]:
        """The events of these kinds, which are not evaluations, in their order; without a name all of them."""
        return [dict(event) for event in self._others if not kinds or event["event"] in kinds]

    def turns(self) -> Iterator[Event | tuple[int, int, dict[str, Any]]]:
        """All events in their order, evaluations as (member, step, hyperparameters): what a lineage is read from."""
        for place in self._places:
            if place < 0:
                yield self._others[-1 - place]
            else:
                yield self._members[place], self._steps[place], self._hyperparameters[place]

    def columns(self) -> Iterator[tuple[str, list[Any]]]:
        """Every field of every event, column by column, ``ABSENT`` where an event has no such field."""
        others = self._others
        yield "event", self._column("event", lambda place: "evaluated")
        yield "member", self._column("member", self._members.__getitem__)
        yield "step", self._column("step", self._steps.__getitem__)
        yield "score", self._column("score", self._scores.__getitem__)
        yield "held_out", self._column("held_out", lambda p: self._held_out[p] if self._holds[p] else ABSENT)
        yield "samples", self._column("samples", lambda p: self._part(self._samples, self._samples_end, p))
        yield "checkpoint", self._column("checkpoint", lambda p: self._checkpoints[16 * p : 16 * p + 16].hex())
        for name in dict.fromkeys(name for names in dict.fromkeys(self._metric_names) for name in names):
            metric = self._metric(name, ABSENT)
            yield f"metrics.{name}", self._column("metrics", metric.__getitem__, name)
        sets = [*_distinct(self._hyperparameters), *(event.get("hyperparameters", {}) for event in others)]
        for name in dict.fromkeys(name for values in sets for name in values):
            column = [values.get(name, ABSENT) for values in self._hyperparameters]
            yield f"hyperparameters.{name}", self._column("hyperparameters", column.__getitem__, name)
        written = {
            "event",
            "member",
            "step",
            "score",
            "held_out",
            "samples",
            "checkpoint",
            "metrics",
            "hyperparameters",
        }
        for name in dict.fromkeys(name for fields in SCHEMA.values() for name in fields if name not in written):
            inner = {"source": ("member", "step", "digest")}.get(name, (None,))
            for part in inner:
                yield f"{name}.{part}" if part else name, self._column(name, lambda p: ABSENT, part)

    def _column(self, name: str, evaluated: Callable[[int], Any], inner: str | None = None) -> list[Any]:
        def of(event: Event) -> Any:
            value = event.get(name, ABSENT)
            if inner is not None and value is not ABSENT:
                value = value.get(inner, ABSENT)
                return value
            return ABSENT if value is None else value

        others = [of(event) for event in self._others]
        return [evaluated(place) if place >= 0 else others[-1 - place] for place in self._places]

    @staticmethod
    def _part(flat: array[float], ends: array[int], place: int) -> list[float]:
        return list(flat[ends[place - 1] if place else 0 : ends[place]])

    def write_parquet(self, path: Path) -> None:
        """Write all events as Parquet, at once or not at all; ``read`` gives them back as they are."""
        write_parquet(self.columns(), path)

    def evaluations(self) -> pa.Table:
        """One row an evaluation, oldest first: member, step, score, held_out, and a column for each metric and hyperparameter.

        Columns of hyperparameters are named ``hyperparameters.NAME``, those of metrics ``metrics.NAME``. ``to_pandas()`` makes
        a DataFrame of it.
        """
        held = [value if there else None for value, there in zip(self._held_out, self._holds, strict=True)]
        columns = {
            "member": pa.array(self._members, pa.int64()),
            "step": pa.array(self._steps, pa.int64()),
            "score": pa.array(self._scores, pa.float64()),
            "held_out": pa.array(held, pa.float64()),
        }
        names = dict.fromkeys(name for names in dict.fromkeys(self._metric_names) for name in names)
        for name in names:
            columns[f"metrics.{name}"] = pa.array(self._metric(name, None), pa.float64())
        for name in dict.fromkeys(name for values in _distinct(self._hyperparameters) for name in values):
            columns[f"hyperparameters.{name}"] = to_array([values.get(name) for values in self._hyperparameters])[0]
        return pa.table(columns)

    def _metric(self, name: str, absent: Any) -> list[Any]:
        found: list[Any] = []
        places = {names: names.index(name) if name in names else None for names in dict.fromkeys(self._metric_names)}
        start = 0
        for names, end in zip(self._metric_names, self._metrics_end, strict=True):
            place = places[names]
            found.append(absent if place is None else self._metrics[start + place])
            start = end
        return found


def _distinct(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({id(value): value for value in values}.values())


def _same(one: Event, other: Event) -> bool:
    """Equality of events in which a NaN equals itself."""
    return one == other or repr(one) == repr(other)


def read(path: Path) -> Record:
    """The events of a record, finished or not: ``events.jsonl`` or ``events.parquet``.

    RecordError names the file, the place and the rule for what is no record.
    """
    if path.suffix == ".parquet":
        return read_parquet(path)
    with collector_paused():
        return Record(event for event, _, _ in read_lines(path))


def read_parquet(path: Path) -> Record:
    """The events in an ``events.parquet``. RecordError as in ``read``."""
    with collector_paused():
        return Record(rows(path))
