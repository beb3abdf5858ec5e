"""What a method sees: members as frozen records, and the population as a read-only view of them."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pbt_core.space import Hyperparameters, Space

#: How many scores a member remembers.
HISTORY = 20


@dataclass(frozen=True, slots=True)
class Member:
    """One member as last published.

    ``step`` counts the steps charged to this member (its budget), whichever member trained its present weights;
    ``previous`` is its step at the evaluation before this one. ``score`` is None until the first evaluation and is larger
    for better members. ``samples`` are the repeated measurements behind the score (episodic returns, say), ``history`` the
    finite scores of the last ``HISTORY`` evaluations on the way to these weights; both oldest first. ``parent`` and
    ``born`` say from which member it was last cloned, and at which of its own steps.
    ``age`` counts the steps that these weights have been trained for, by whichever members, since they were fresh.
    ``failed`` marks a member whose last interval raised, hung or crashed: its weights are lost.
    """

    id: int
    hyperparameters: Hyperparameters
    step: int = 0
    previous: int = 0
    score: float | None = None
    samples: tuple[float, ...] = ()
    history: tuple[float, ...] = ()
    parent: int | None = None
    born: int = 0
    age: int = 0
    failed: bool = False

    @property
    def evaluated(self) -> bool:
        """Whether it has a score, finite or not."""
        return self.score is not None

    @property
    def healthy(self) -> bool:
        """Evaluated, with a finite score and weights to copy: only such a member can be a parent."""
        return not self.failed and self.score is not None and math.isfinite(self.score)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One interval that was trained and evaluated: what a method may learn from beside the present population.

    ``member`` trained with ``hyperparameters`` until its own step ``step``, ``steps`` of them; its weights were then of age
    ``age`` and had ``score``. ``before`` is the score the interval began from: None for fresh weights.
    """

    member: int
    step: int
    steps: int
    age: int
    hyperparameters: Hyperparameters
    score: float
    before: float | None


class Standing:
    """The evaluated members in two orders, updated at each change: by score, best first, and by id.

    Diverged and failed members come last, ties in the order of their ids. Finding a member's place is a binary
    search; a change moves part of a list, which costs less than a decision up to some ten thousand members.
    """

    def __init__(self, members: Sequence[Member] = ()) -> None:
        self._by_score = sorted(_key(member) for member in members if member.evaluated)
        self._by_id = sorted(member.id for member in members if member.evaluated)
        self.healthy = sum(member.healthy for member in members)

    def update(self, before: Member | None, now: Member) -> None:
        """A member has changed, or is new if there was none ``before``."""
        if before is not None and before.evaluated:
            del self._by_score[bisect_left(self._by_score, _key(before))]
            self.healthy -= before.healthy
            if not now.evaluated:
                del self._by_id[bisect_left(self._by_id, now.id)]
        if now.evaluated:
            insort(self._by_score, _key(now))
            self.healthy += now.healthy
            if before is None or not before.evaluated:
                insort(self._by_id, now.id)

    def __len__(self) -> int:
        return len(self._by_score)

    def at(self, rank: int) -> int:
        """The id of the member at this rank; 0 is the best."""
        return self._by_score[rank][1]

    def rank(self, member: Member) -> int | None:
        """The rank of a member; None if it is not evaluated, or has changed since."""
        place = bisect_left(self._by_score, _key(member)) if member.evaluated else len(self)
        return place if place < len(self) and self._by_score[place][1] == member.id else None

    def other_at(self, member: int, index: int) -> int:
        """The id at ``index`` among the evaluated members except ``member``, in the order of ids."""
        place = bisect_left(self._by_id, member)
        evaluated = place < len(self._by_id) and self._by_id[place] == member
        return self._by_id[index + (evaluated and index >= place)]

    def count_others(self, member: int) -> int:
        """How many evaluated members there are besides ``member``."""
        place = bisect_left(self._by_id, member)
        return len(self._by_id) - (place < len(self._by_id) and self._by_id[place] == member)


def _key(member: Member) -> tuple[float, int]:
    return (-member.score if member.healthy and member.score is not None else math.inf, member.id)


class Population:
    """A read-only view of all members, indexed by member id, and of all evaluations so far, oldest first.

    ``standing`` is their order; the engines keep one up to date, and without one it is made here.
    """

    def __init__(
        self,
        members: Mapping[int, Member],
        space: Space,
        evaluations: Sequence[Evaluation] = (),
        standing: Standing | None = None,
    ) -> None:
        self._members = members
        self.space = space
        self.evaluations = evaluations
        self.standing = Standing(list(members.values())) if standing is None else standing

    def __getitem__(self, member_id: int) -> Member:
        return self._members[member_id]

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def ranked(self) -> list[Member]:
        """The evaluated members, best first; diverged and failed ones last, ties in the order of their ids."""
        return [self._members[self.standing.at(rank)] for rank in range(len(self.standing))]

    def others(self, member: Member) -> list[Member]:
        """The evaluated members except ``member``, in the order of their ids."""
        return [
            self._members[self.standing.other_at(member.id, i)] for i in range(self.standing.count_others(member.id))
        ]
