"""Family tree and schedules, read from events alone (the paper's figures 6 and 7, and the replay of a schedule)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pbt_core.events import Event
from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters
from pbt_core.task import AnyTask


@dataclass(frozen=True)
class Segment:
    """A stretch of training that some final weights went through.

    ``start`` and ``stop`` count the steps the weights had been trained for; ``member`` did this stretch from its own
    step ``member_step`` on, with ``hyperparameters``.
    """

    start: int
    stop: int
    member: int
    member_step: int
    hyperparameters: Hyperparameters


@dataclass(frozen=True)
class _Turn:
    """One evaluated interval: whose, until which of its steps, and whose interval the weights came from."""

    member: int
    start: int
    stop: int
    hyperparameters: Hyperparameters
    before: tuple[int, int] | None


class Lineage:
    """Who descends from whom. Built from the events of a run, finished or not."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.clones = [event for event in events if event["event"] == "cloned"]
        self.members = sorted(event["member"] for event in events if event["event"] == "joined")
        self._turns: dict[tuple[int, int], _Turn] = {}
        self._last: dict[int, tuple[int, int]] = {}
        finished = [event for event in events if event["event"] == "finished"]
        self.best: int | None = finished[-1]["best"] if finished else None
        # The step at which the best member was what it is the best for: a restart may have followed.
        self._best_at: int | None = finished[-1].get("step") if finished else None
        self._read(events)

    def _read(self, events: Sequence[Event]) -> None:
        source: dict[int, tuple[int, int] | None] = dict.fromkeys(self.members)
        step = dict.fromkeys(self.members, 0)
        before_failure = dict(step)
        for event in events:
            member = event.get("member", -1)
            match event["event"]:
                case "evaluated":
                    key = (member, event["step"])
                    self._turns[key] = _Turn(
                        member, step[member], event["step"], event["hyperparameters"], source[member]
                    )
                    source[member] = self._last[member] = key
                    step[member] = event["step"]
                case "failed":
                    before_failure[member], step[member] = step[member], event["step"]
                case "cloned" if event["weights"]:
                    source[member] = (event["source"]["member"], event["source"]["step"])
                case "restarted":
                    source[member] = None
                case "retried":
                    step[member] = before_failure[member]

    def _path(self, member: int, step: int | None = None) -> list[_Turn]:
        """The intervals behind the weights that the member had at ``step`` (None: at its last evaluation), oldest first."""
        path = []
        key = self._last.get(member) if step is None else (member, step)
        while key is not None:
            turn = self._turns[key]
            path.append(turn)
            key = turn.before
        return path[::-1]

    def schedule(self, member: int | None = None) -> list[Segment]:
        """The hyperparameters that led to a member's weights (default: the run's answer), interval by interval."""
        step = None
        if member is None:
            member, step = self.best, self._best_at
        if member is None:
            raise ValueError("the run has no best member: name one")
        segments, age = [], 0
        for turn in self._path(member, step):
            length = turn.stop - turn.start
            segments.append(Segment(age, age + length, turn.member, turn.start, turn.hyperparameters))
            age += length
        return segments

    def founder(self, member: int) -> int:
        """The initial member whose weights the given member's descend from."""
        path = self._path(member)
        return path[0].member if path else member

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

    def write(self, path: Path) -> None:
        """Write ``to_json`` at once or not at all."""
        temporary = path.with_name(f"{path.name}.tmp")
        temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n")
        os.replace(temporary, path)


def read_schedule(path: Path) -> list[Segment]:
    """The schedule in a ``lineage.json``; ValueError names the file if it holds none."""
    try:
        segments = [Segment(**segment) for segment in json.loads(path.read_text())["schedule"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no schedule: {error}") from None
    if not segments:
        raise ValueError(f"{path} holds no schedule: the run had no best member")
    return segments


def retrace(task: AnyTask, schedule: Sequence[Segment], seed: int) -> Any:
    """Train the weights of a schedule again with the very draws they had in their run: the same state, bit for bit.

    Unlike the replay method, which trains with fresh draws, this proves that a lineage tells the whole story. ValueError
    where it does not: a copy in a task whose members keep something of their own.
    """
    streams = Stream(seed)
    first = schedule[0]
    state = task.init(streams.child("init", first.member, first.member_step), first.hyperparameters)
    for before, segment in zip([None, *schedule], schedule, strict=False):
        saved = task.save(state)
        if saved.has_own and before is not None and before.member != segment.member:
            raise ValueError(
                f"the lineage goes from member {before.member} to member {segment.member}, and what stays with a member "
                "of this task is not in a lineage: it cannot be retraced"
            )
        state = task.load(saved, segment.hyperparameters)
        draws = streams.child("step", segment.member, segment.member_step)
        state = task.step(state, segment.hyperparameters, segment.stop - segment.start, draws)
    return state
