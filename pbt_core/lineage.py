"""Family tree and schedules, read from events alone (the paper's figures 6 and 7, and the replay of a schedule)."""

from __future__ import annotations

import dataclasses
import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pbt_core.calls import Calls
from pbt_core.checking import check_loader
from pbt_core.fields import at_least, checked
from pbt_core.files import located, read_bytes, write_whole
from pbt_core.first_use import using
from pbt_core.record import Record
from pbt_core.schema import LARGEST, Event, RecordError, decode
from pbt_core.seeds import Streams
from pbt_core.space import Hyperparameters
from pbt_core.task import AnyTask
from pbt_core.values import listed, shown


@dataclass(frozen=True)
class Segment:
    """An interval of training in the ancestry of some final weights.

    ``start`` and ``stop`` count the steps the weights had been trained for; ``member`` trained it from its own
    step ``member_step`` on, with ``hyperparameters``.
    """

    start: Annotated[int, at_least(0)]
    stop: Annotated[int, at_least(1)]
    member: Annotated[int, at_least(0)]
    member_step: Annotated[int, at_least(0)]
    hyperparameters: Hyperparameters


class Lineage:
    """Who descends from whom. Built from the events of a run, finished or not; an evaluation takes 40 bytes."""

    def __init__(self, events: Iterable[Event]) -> None:
        record = events if isinstance(events, Record) else Record(events)
        self.clones = record.others("cloned")
        self.members = sorted(event["member"] for event in record.others("joined"))
        finished = record.others("finished")
        self.best: int | None = finished[-1]["best"] if finished else None
        # The step at which the best member had its best score: a restart may have followed.
        self._best_at: int | None = finished[-1]["step"] if finished else None
        # By evaluation: the member, its first and last step, and the row of the evaluation its weights came from, or -1.
        self._member, self._start, self._stop, self._before = array("q"), array("q"), array("q"), array("q")
        self._hyperparameters: list[Hyperparameters] = []
        # By member: the rows of its evaluations, in the order of their steps.
        self._rows: dict[int, array[int]] = {member: array("q") for member in self.members}
        self._read(record)

    def _read(self, record: Record) -> None:
        source = dict.fromkeys(self.members, -1)
        step = dict.fromkeys(self.members, 0)
        before_failure = dict(step)
        for event in record.turns():
            if isinstance(event, tuple):
                member, stop, hyperparameters = event
                if member not in step:
                    raise RecordError(f"member {member} was evaluated, but never joined")
                row = len(self._member)
                self._member.append(member)
                self._start.append(step[member])
                self._stop.append(stop)
                self._before.append(source[member])
                self._hyperparameters.append(hyperparameters)
                self._rows[member].append(row)
                source[member], step[member] = row, stop
                continue
            member = event.get("member", -1)
            match event["event"]:
                case "failed":
                    before_failure[member], step[member] = step[member], event["step"]
                case "cloned" if event["weights"]:
                    source[member] = self._row(event["source"]["member"], event["source"]["step"])
                case "restarted":
                    source[member] = -1
                case "retried":
                    step[member] = before_failure[member]

    def _row(self, member: int, step: int) -> int:
        """The evaluation of ``member`` at ``step``; RecordError if there was none."""
        rows = self._rows.get(member, array("q"))
        place = bisect_left(rows, step, key=self._stop.__getitem__)
        if place == len(rows) or self._stop[rows[place]] != step:
            raise RecordError(f"member {member} was not evaluated at step {step}")
        return rows[place]

    def _path(self, member: int, step: int | None = None) -> list[int]:
        """The intervals behind the weights that the member had at ``step`` (None: at its last evaluation), oldest first."""
        rows = self._rows[member]
        row = (rows[-1] if rows else -1) if step is None else self._row(member, step)
        path = []
        while row >= 0:
            path.append(row)
            row = self._before[row]
        return path[::-1]

    def schedule(self, member: int | None = None, step: int | None = None) -> list[Segment]:
        """The hyperparameters that led to a member's weights (default: the run's answer), interval by interval.

        step: at which of its own steps the member had these weights, when it was evaluated (default: last).
        """
        if member is None:
            member, step = self.best, self._best_at
        if member is None:
            raise ValueError("the run has no best member: name one")
        segments, age = [], 0
        for row in self._path(member, step):
            start = self._start[row]
            length = self._stop[row] - start
            values = dict(self._hyperparameters[row])
            segments.append(Segment(age, age + length, self._member[row], start, values))
            age += length
        return segments

    def founder(self, member: int) -> int:
        """The initial member whose weights are the ancestors of this member's weights."""
        path = self._path(member)
        return self._member[path[0]] if path else member

    def to_json(self) -> dict[str, Any]:
        """The tree (one edge a clone), the founders of the final members, and the best member's schedule."""
        keys = ("member", "step", "parent", "weights", "source", "hyperparameters")
        return {
            "members": self.members,
            "best": self.best,
            "founders": {str(member): self.founder(member) for member in self.members},
            "clones": [{key: event[key] for key in keys} for event in self.clones],
            "schedule": [asdict(segment) for segment in self.schedule()] if self.best is not None else [],
        }

    def write(self, path: Path | str) -> None:
        """Write ``to_json`` at once or not at all."""
        write_whole(located(path), json.dumps(self.to_json(), indent=1) + "\n")


def read_schedule(path: Path | str) -> list[Segment]:
    """The schedule in a ``lineage.json``; ValueError names the file and the field that is not what it must be."""
    path = located(path)
    try:
        content = json.loads(read_bytes(path))
        segments = [_segment(content, i) for i in range(len(content["schedule"]))]
    except OSError as error:
        raise ValueError(f"{path} holds no schedule: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        kind = "nested too deeply" if isinstance(error, RecursionError) else f"{error}".splitlines()[0][:200]
        raise ValueError(f"{path} holds no schedule: {kind}") from None
    if not segments:
        raise ValueError(f"{path} holds no schedule: the run had no best member")
    _must_follow(segments, f"{path} holds no schedule")
    return segments


def _must_follow(segments: Sequence[Segment], owner: str) -> None:
    for i, (before, segment) in enumerate(zip([None, *segments], segments, strict=False)):
        if segment.start != (before.stop if before else 0) or segment.stop <= segment.start:
            raise ValueError(f"{owner}: schedule[{i}] must have its start where the one before it has its stop")


def _segment(content: Any, i: int) -> Segment:
    fields = content["schedule"][i]
    if fields.__class__ is not dict or fields.keys() != {field.name for field in dataclasses.fields(Segment)}:
        raise ValueError(f"schedule[{i}] must have {[field.name for field in dataclasses.fields(Segment)]}")
    for name in ("start", "stop", "member", "member_step"):
        if fields[name].__class__ is not int or not 0 <= fields[name] <= LARGEST:
            raise ValueError(f"schedule[{i}].{name} = {str(fields[name])[:40]} must be a whole number")
    if fields["hyperparameters"].__class__ is not dict or not fields["hyperparameters"]:
        raise ValueError(f"schedule[{i}].hyperparameters must be values by name")
    return Segment(**decode(fields))


def retrace(task: AnyTask, schedule: Sequence[Segment], seed: int) -> Any:
    """Train the weights of a schedule again with the same draws as in their run: the same state, bit for bit.

    Unlike the replay method, which trains with fresh draws, this proves that a lineage tells the whole story. ValueError
    where it cannot: after a copy in a task some of whose state stays with the member (``own.*``).
    """
    check_loader(task)
    segments = listed("retrace", "schedule", schedule, "Run.schedule()")
    if not segments or not all(isinstance(segment, Segment) for segment in segments):
        raise ValueError(
            f"retrace: schedule = {shown(schedule)} must be one or more segments, as Run.schedule gives them"
        )
    for segment in segments:
        checked(segment)
        task.space.check(task.space.restore(segment.hyperparameters))
    _must_follow(segments, "retrace")
    streams, calls = Streams(seed), Calls(task)
    with using(task):
        first = segments[0]
        state = calls.init(streams.init(first.member, first.member_step), first.hyperparameters)
        for before, segment in zip([None, *segments], segments, strict=False):
            saved = task.save(state)
            if saved.has_own and before is not None and before.member != segment.member:
                raise ValueError(
                    f"the lineage goes from member {before.member} to member {segment.member}, and what stays with a member "
                    "of this task is not in a lineage: it cannot be retraced"
                )
            draws = streams.step(segment.member, segment.member_step)
            state = calls.load(saved, segment.hyperparameters, draws)
            state = calls.step(state, segment.hyperparameters, segment.stop - segment.start, draws)
        return state
