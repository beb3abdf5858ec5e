"""Partial synchrony: members train asynchronously, but none runs far ahead of the slowest (Ho et al., 2013).

"More effective distributed ML via a stale synchronous parallel parameter server" bounds the staleness of what workers read
in the same way; here it is the other members' scores and weights that would be stale.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from pbt_core.scheduling import Asynchronous, T


class Bounded(Asynchronous[T]):
    """First come, first served among the members whose next interval ends at most ``staleness`` intervals ahead.

    Ahead of the slowest member with budget left, that is; the others wait for it. ``interval`` is that of the plan, in
    steps. What it costs to find the next member does not depend on how many there are.

    Members that are held are no ``others_to_come``: they go on when the slowest does, so a failed member that waited for them
    would wait for ever where it is the slowest itself.
    """

    def __init__(self, staleness: int, interval: int) -> None:
        super().__init__()
        self._staleness, self._interval = staleness, interval
        self._ended: dict[int, int] = {}  # intervals that each member with budget left has behind it
        self._at: Counter[int] = Counter()  # how many members have so many behind them
        self._slowest = 0
        self._held: dict[int, deque[int]] = {}  # members too far ahead, by the intervals behind them

    def begin(self, deciding: Iterable[int], training: Iterable[int], steps: dict[int, int]) -> None:
        super().begin(deciding, training, steps)
        members, self._queue = self._queue, deque()
        self._ended = {member: -(-steps[member] // self._interval) for member in members}
        self._at = Counter(self._ended.values())
        self._slowest = min(self._at, default=0)
        for member in members:
            self._enter(member)

    def decided(self, member: int, trains: bool) -> None:
        super().decided(member, trains)
        if not trains:
            self._leave(member)

    def recorded(self, member: int, going_on: bool) -> None:
        if not going_on:
            self._leave(member)
            return
        self._deciding.add(member)
        ended = self._ended[member]
        self._at[ended] -= 1
        self._at[ended + 1] += 1
        self._ended[member] = ended + 1
        self._enter(member)
        self._release()

    def _enter(self, member: int) -> None:
        """To the end of the queue, or aside until the slowest have come further."""
        ended = self._ended[member]
        if ended - self._slowest < self._staleness:
            self._queue.append(member)
        else:
            self._held.setdefault(ended, deque()).append(member)

    def _leave(self, member: int) -> None:
        self._at[self._ended.pop(member)] -= 1
        self._release()

    def _release(self) -> None:
        """Let members go that are no longer too far ahead."""
        while self._ended and not self._at[self._slowest]:
            del self._at[self._slowest]
            self._slowest += 1
            self._queue.extend(self._held.pop(self._slowest + self._staleness - 1, ()))
