"""What a method sees: members as frozen records, and the population as a read-only view of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pbt_core.space import Hyperparameters, Space

#: How many scores a member remembers.
HISTORY = 20


@dataclass(frozen=True)
class Member:
    """One member as last published.

    ``step`` counts the steps charged to this member (its budget), whoever's weights it carries now. ``previous`` is
    its step at the evaluation before this one. ``score`` is None until the first evaluation and is larger for better
    members. ``samples`` are the repeated measurements behind the score (episodic returns, say), oldest first; ``history``
    are the finite scores of the last ``HISTORY`` evaluations on the way to these weights, oldest first.
    ``parent`` and ``born`` tell the last clone: whose weights it took, and at which of its own steps.
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
        return self.score is not None

    @property
    def healthy(self) -> bool:
        """Evaluated, with a finite score and weights to copy: only such a member can be a parent."""
        return not self.failed and self.score is not None and math.isfinite(self.score)


@dataclass(frozen=True)
class Evaluation:
    """One interval that was trained and evaluated: what a method may learn from, beyond how things stand.

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


class Population:
    """A read-only view of all members, indexed by member id, and of all evaluations so far, oldest first."""

    def __init__(self, members: Mapping[int, Member], space: Space, evaluations: Sequence[Evaluation] = ()) -> None:
        self._members = members
        self.space = space
        self.evaluations = evaluations

    def __getitem__(self, member_id: int) -> Member:
        return self._members[member_id]

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def ranked(self) -> list[Member]:
        """The evaluated members, best first; diverged and failed ones last, ties in the order of their ids."""
        evaluated = [member for member in self if member.evaluated]
        return sorted(evaluated, key=lambda m: (-m.score if m.healthy and m.score is not None else math.inf, m.id))

    def others(self, member: Member) -> list[Member]:
        """The evaluated members except ``member``, in the order of their ids."""
        return [other for other in self if other.id != member.id and other.evaluated]
