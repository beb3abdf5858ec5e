"""Whose turn it is: which members may train, which wait for a decision, and in which order outcomes are recorded.

A scheduling knows members by number and nothing of methods, files or processes. What it costs to find the next member does
not depend on how many there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Scheduling(Protocol[T]):
    """The order of a run. ``T`` is an outcome."""

    def begin(self, deciding: Iterable[int], training: Iterable[int], steps: dict[int, int]) -> None:
        """Members with budget left when a run begins or resumes: those that wait for a decision, those that may train."""
        ...

    def due(self) -> list[int]:
        """The members to decide about now, on one view; empty if there are none."""
        ...

    def decided(self, member: int, trains: bool) -> None:
        """A member that was due has its decision; ``trains``: whether it trains on."""
        ...

    def postponed(self, member: int) -> None:
        """A member that was due cannot be decided about before others have come further."""
        ...

    def next(self, worker: int | None = None) -> int | None:
        """Take a member that trains now; None if all have to wait. ``worker`` prefers members that it has trained before."""
        ...

    def arrived(self, member: int, outcome: T) -> list[tuple[int, T]]:
        """The outcomes that can be recorded now, in their order."""
        ...

    def waiting_outcomes(self) -> list[tuple[int, T]]:
        """Take the outcomes that still wait for others, in their order, once no more work is begun."""
        ...

    def recorded(self, member: int, going_on: bool) -> None:
        """An outcome was recorded; ``going_on``: whether the member has budget left."""
        ...

    @property
    def idle(self) -> bool:
        """Whether no member is training and no outcome waits to be recorded."""
        ...


class Synchronous(Scheduling[T]):
    """Rounds: once all members have ended their interval, all decisions are made on the same view.

    Outcomes are recorded in the order of members, so the record does not depend on who is quickest. Workers prefer members
    that they have trained before, whose states they hold.
    """

    def __init__(self) -> None:
        self._deciding: set[int] = set()
        self._order: deque[int] = deque()  # members whose outcome in this round is not recorded yet
        self._arrived: dict[int, T] = {}
        self._training: set[int] = set()
        self._ready: set[int] = set()
        self._at: dict[int | None, deque[int]] = {
            None: deque()
        }  # members that are ready to train, by the worker that trained them last
        self._worker: dict[int, int] = {}
        self._decide_first = False

    def begin(self, deciding: Iterable[int], training: Iterable[int], steps: dict[int, int]) -> None:
        self._deciding.update(deciding)
        for member in sorted(training):
            self._add(member)
        ahead = {steps[member] for member in self._deciding}
        # A decision of the round that was not recorded is made before anybody trains on.
        self._decide_first = bool(self._deciding) and all(steps[member] in ahead for member in self._ready)

    def due(self) -> list[int]:
        round_is_over = not self._ready or self._decide_first
        return sorted(self._deciding) if round_is_over and self.idle else []

    def decided(self, member: int, trains: bool) -> None:
        self._deciding.discard(member)
        if trains:
            self._add(member)
        if (
            self._decide_first and not self._deciding
        ):  # the others of the round had their decisions before the run was killed
            self._decide_first, self._order = False, deque(sorted(self._order))

    def postponed(self, member: int) -> None:
        raise AssertionError("all members of a round are decided about at once")

    def next(self, worker: int | None = None) -> int | None:
        if not self._ready or self._decide_first:
            return None
        # First members that this worker trained last, then those of no worker, then those of the worker with most waiting.
        queues = [self._at.get(worker), self._at[None]]
        queue = next((q for q in queues if q), None) or max(self._at.values(), key=len)
        member = queue.popleft()
        self._ready.remove(member)
        self._training.add(member)
        if worker is not None:
            self._worker[member] = worker
        return member

    def arrived(self, member: int, outcome: T) -> list[tuple[int, T]]:
        self._training.discard(member)
        self._arrived[member] = outcome
        ready = []
        while self._order and self._order[0] in self._arrived:
            first = self._order.popleft()
            ready.append((first, self._arrived.pop(first)))
        return ready

    def waiting_outcomes(self) -> list[tuple[int, T]]:
        outcomes = [(member, self._arrived[member]) for member in sorted(self._arrived)]
        self._arrived.clear()
        return outcomes

    def recorded(self, member: int, going_on: bool) -> None:
        if going_on:
            self._deciding.add(member)

    @property
    def idle(self) -> bool:
        return not self._training and not self._arrived

    def _add(self, member: int) -> None:
        self._order.append(member)
        self._ready.add(member)
        self._at.setdefault(self._worker.get(member), deque()).append(member)


class Asynchronous(Scheduling[T]):
    """First come, first served, so that members share fewer workers fairly: each decides when its turn to train comes."""

    def __init__(self) -> None:
        self._queue: deque[int] = deque()
        self._deciding: set[int] = set()
        self._waiting: deque[int] = deque()  # those postponed, which keep their turn
        self._training: set[int] = set()

    def begin(self, deciding: Iterable[int], training: Iterable[int], steps: dict[int, int]) -> None:
        self._deciding.update(deciding)
        self._queue.extend(sorted([*self._deciding, *training], key=lambda member: (steps[member], member)))

    def due(self) -> list[int]:
        return [self._queue[0]] if self._queue and self._queue[0] in self._deciding else []

    def decided(self, member: int, trains: bool) -> None:
        self._deciding.discard(member)
        if not trains:
            self._queue.popleft()

    def postponed(self, member: int) -> None:
        self._waiting.append(self._queue.popleft())

    def next(self, worker: int | None = None) -> int | None:
        member = self._queue.popleft() if self._queue else None
        # Those that were passed over keep their turn.
        self._queue.extendleft(reversed(self._waiting))
        self._waiting.clear()
        if member is not None:
            self._training.add(member)
        return member

    def others_to_come(self) -> bool:
        """Whether some member trains, or may train without a decision."""
        return bool(self._training) or any(member not in self._deciding for member in self._queue)

    def arrived(self, member: int, outcome: T) -> list[tuple[int, T]]:
        self._training.discard(member)
        return [(member, outcome)]

    def waiting_outcomes(self) -> list[tuple[int, T]]:
        return []

    def recorded(self, member: int, going_on: bool) -> None:
        if going_on:
            self._deciding.add(member)
            self._queue.append(member)

    @property
    def idle(self) -> bool:
        return not self._training
