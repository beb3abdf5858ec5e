"""FIRE PBT's evaluators (baselines/fire.py): whom they evaluate, what came of it, and when they are free for another member.

An evaluator carries no note of what it does. All of it is read from the population: ``parent`` and ``born`` say whose
weights it copied and when, its first evaluation since with which score it began, its hyperparameters whose they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from baselines.improvement import Curve, Curves, chance, lead, leads
from pbt_core.population import Member
from pbt_core.space import Hyperparameters
from pbt_core.values import identical


@dataclass(frozen=True)
class Job:
    """An evaluation: the weights of ``parent``, trained with the hyperparameters of ``child`` in the sub-population before."""

    parent: Member
    child: Member


@dataclass(frozen=True, eq=False)
class Evaluators:
    """All evaluators as they are seen in one decision.

    groups: the members of each sub-population, the greedy one first. evaluating: the evaluators. all: everybody's curves.
    The rest are FirePBT's keys.
    """

    groups: Sequence[Sequence[Member]]
    evaluating: Sequence[Member]
    all: Curves
    ready: int
    min_eval_steps: int
    max_eval_steps: int
    level: float
    # What was made during the decision, by member and by group.
    _curves: dict[int, Curve] = field(default_factory=dict, init=False, repr=False)
    _rates: dict[int, dict[int, Member]] = field(default_factory=dict, init=False, repr=False)

    # -- what a member is worth ---------------------------------------------------------------------------------------

    def rated(self, group: int) -> dict[int, Member]:
        """The members of a sub-population that can be compared, with what they are selected by as their score.

        In the first it is their score. In the others the sum of their evaluators' leads over those of the others; members
        that nobody evaluates, or not for long enough, are left out.
        """
        if group not in self._rates:
            self._rates[group] = self._rate(group) if group else {member.id: member for member in self.groups[0]}
        return self._rates[group]

    def _rate(self, group: int) -> dict[int, Member]:
        evaluated: dict[int, tuple[Member, Curve]] = {}
        for evaluator in self.evaluating:
            parent = self._evaluated(evaluator)
            if (
                parent is None
                or self._group[parent.id] != group
                or evaluator.step - evaluator.born < self.min_eval_steps
            ):
                continue
            if parent.healthy and self._curve(evaluator).trained:
                evaluated.setdefault(parent.id, (parent, self._curve(evaluator)))
        rates = leads(tuple(curve for _, curve in evaluated.values()))
        return {
            member.id: replace(member, score=rate, samples=(), history=())
            for (member, _), rate in zip(evaluated.values(), rates, strict=True)
        }

    # -- what becomes of an evaluation ---------------------------------------------------------------------------------

    def winner(self, member: Member, group: int) -> Member | None:
        """The evaluator whose weights ``member`` takes over: it leads the most of those that lead for certain."""
        found: list[tuple[float, int, Member]] = []
        for evaluator in self.evaluating:
            if not identical(evaluator.hyperparameters, member.hyperparameters):
                continue
            job = self.job(evaluator)
            if job is None or job.child.id != member.id or self._group[job.parent.id] != group + 1:
                continue
            mine, theirs = self._curve(member), self._curve(evaluator)
            p = chance(theirs, mine)
            if p is not None and p < self.level and lead(theirs, mine) > 0:
                found.append((lead(theirs, mine), -evaluator.id, evaluator))
        return max(found, key=lambda one: one[:2])[2] if found else None

    def job(self, evaluator: Member) -> Job | None:
        """What an evaluator evaluates; None if it evaluates nothing, or nothing any more.

        The evaluation is over when its parent was replaced, when nobody in the sub-population before has the hyperparameters
        any more that it trains with, and when a member has taken the evaluator's weights over.
        """
        parent = self._evaluated(evaluator)
        if parent is None:
            return None
        before = self._group[parent.id] - 1
        child = self._child(before, evaluator.hyperparameters)
        points = self._curve(evaluator).points
        taken_over = any(self._curve(member).origin in points for member in self._children.get(evaluator.id, ()))
        return None if child is None or taken_over else Job(parent, child)

    def busy(self, evaluator: Member) -> bool:
        """Whether its evaluation goes on."""
        job = self.job(evaluator) if evaluator.healthy else None
        if job is None:
            return False
        steps = evaluator.step - evaluator.born
        if steps < self.min_eval_steps + self.ready:
            return True
        p = chance(self._curve(evaluator), self._curve(job.child))
        if p is None:
            return steps < self.max_eval_steps
        return p <= self.level + max(0.0, 1 - steps / self.max_eval_steps)

    # -- who is next --------------------------------------------------------------------------------------------------

    def assignment(self, evaluator: Member) -> Job | None:
        """What a free evaluator takes on; None if every member of later sub-populations is being evaluated.

        Free evaluators choose one after another, by number: each the next member, in a circle, after the one it evaluated last.
        """
        busy = {other.id: self.busy(other) for other in self.evaluating}
        free = [other for other in self.evaluating if not busy[other.id]]
        at_work = [self._evaluated(other) for other in self.evaluating if busy[other.id]]
        taken = {parent.id for parent in at_work if parent is not None}
        best = [self._best(group) for group in range(len(self.groups))]
        waiting = [
            member
            for group, members in enumerate(self.groups[1:])
            for member in members
            if best[group] is not None and _trained(member) and member.id not in taken
        ]
        for other in free:
            if not waiting:
                return None
            was_bred = other.parent is not None and self._is_bred(other.parent)
            last = other.parent if was_bred else self._first(other) - 1
            parent = next((member for member in waiting if last is None or member.id > last), waiting[0])
            waiting.remove(parent)
            if other.id == evaluator.id:
                child = best[self._group[parent.id] - 1]
                return None if child is None else Job(parent, child)
        return None

    def _first(self, evaluator: Member) -> int:
        """Where an evaluator begins its circle: they are spread evenly."""
        later = [member.id for members in self.groups[1:] for member in members]
        place = [other.id for other in self.evaluating].index(evaluator.id)
        return later[place * len(later) // len(self.evaluating)]

    # -- read from the population --------------------------------------------------------------------------------------

    def _curve(self, member: Member) -> Curve:
        if member.id not in self._curves:
            self._curves[member.id] = self.all.of(member)
        return self._curves[member.id]

    def _evaluated(self, evaluator: Member) -> Member | None:
        """Whose weights an evaluator copied, if that member has trained on from them and not been replaced since."""
        copied = evaluator.parent
        if not evaluator.healthy or copied is None or not self._is_bred(copied) or self._is_greedy(copied):
            return None
        parent = self._bred[copied]
        return parent if self._curve(evaluator).origin in self._curve(parent).trained else None

    def _is_bred(self, member: int) -> bool:
        """Whether it is of a sub-population, and no evaluator."""
        return member in self._group

    def _is_greedy(self, member: int) -> bool:
        """Whether it is of the first sub-population, which counts by its scores and is not evaluated."""
        return self._group[member] == 0

    def _child(self, group: int, hyperparameters: Hyperparameters) -> Member | None:
        """The best member of a sub-population that has these hyperparameters and has trained with them."""
        return self._owners[group].get(_key(hyperparameters))

    def _best(self, group: int) -> Member | None:
        """Whose hyperparameters an evaluator takes: the best by what the sub-population is selected by, else by the score."""
        known = self.rated(group)
        pool = [known[m.id] for m in self.groups[group] if m.id in known] if known else self.groups[group]
        able = [member for member in pool if _trained(member)]
        return max(able, key=lambda member: (_score(member), -member.id), default=None)

    @cached_property
    def _bred(self) -> dict[int, Member]:
        return {member.id: member for members in self.groups for member in members}

    @cached_property
    def _group(self) -> dict[int, int]:
        return {member.id: group for group, members in enumerate(self.groups) for member in members}

    @cached_property
    def _children(self) -> dict[int, list[Member]]:
        """Members of sub-populations by the member that they were last cloned from."""
        children: dict[int, list[Member]] = {}
        for member in self._bred.values():
            if member.parent is not None:
                children.setdefault(member.parent, []).append(member)
        return children

    @cached_property
    def _owners(self) -> list[dict[tuple[str, ...], Member]]:
        owners: list[dict[tuple[str, ...], Member]] = [{} for _ in self.groups]
        for owned, members in zip(owners, self.groups, strict=True):
            for member in sorted(filter(_trained, members), key=lambda m: (-_score(m), m.id)):
                owned.setdefault(_key(member.hyperparameters), member)
        return owners


def _trained(member: Member) -> bool:
    """Whether it has a finite score of its own hyperparameters, not one that came with copied weights."""
    return member.healthy and (member.parent is None or member.step > member.born)


def _score(member: Member) -> float:
    assert member.score is not None, "only healthy members are compared"
    return member.score


def _key(hyperparameters: Hyperparameters) -> tuple[str, ...]:
    """Equal for equal hyperparameters, in which 1 and 1.0 are two values."""
    return tuple(f"{name}={hyperparameters[name]!r}" for name in sorted(hyperparameters))
