"""Multiple-Frequencies PBT (Doulazmi et al., 2025, arXiv:2506.03225): sub-populations that evolve at different frequencies.

PBT selects by what helps until the next decision, so it takes learning rates down too early. Here only some of the members
are selected that often; others train longer before they are judged, and what the hasty ones found reaches them as weights
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from pbt_core.explore import Explore, Perturb, explored, warn_of
from pbt_core.fields import Rule, at_least, checked
from pbt_core.method import Clone, Continue, Decision, initial
from pbt_core.plan import Plan
from pbt_core.population import Member, Population
from pbt_core.replacement import replacement
from pbt_core.space import Hyperparameters, Space


def _ascend(periods: tuple[int, ...]) -> bool:
    return bool(periods) and periods[0] >= 1 and list(periods) == sorted(set(periods))


@dataclass(frozen=True)
class MultiFrequency:
    """Members in equal sub-populations, by number; one with period p decides every ``p * ready`` steps.

    ready: steps between two decisions at period 1, as PBT's.
    periods: one a sub-population, ascending: the first are the dynamic ones, the last the steady ones. The authors take 1, 10,
        25 and 50 for a thousand decisions of 32 members; smaller ones are our choice for shorter runs.
    explore: how a copied member's hyperparameters change. The authors' factors are 0.8 and 1.25.
    initial: known settings to begin with, as for PBT.

    A sub-population is ranked when it decides. Its worst quarter copies its best quarter, place by place, and explores. The
    quarter above the worst is open to migration: one after another, its members are compared with the best members of the
    other sub-populations, each of which can migrate once, and copy their weights if these score higher. From a steadier
    sub-population the hyperparameters come along; where the migrant is from a more dynamic one, the member takes those of
    its own sub-population's best, so that short-sighted settings do not spread. A migrant's hyperparameters are not explored.

    Quarters are rounded down, to one member at least. Where no member has a finite score, or a member failed, it is as in PBT.
    """

    ready: Annotated[int, at_least(1, "step")]
    periods: Annotated[tuple[int, ...], Rule("whole numbers that ascend from 1 or more", _ascend)] = (1, 2, 4, 8)
    explore: Explore = field(default_factory=lambda: Perturb((0.8, 1.25)))
    initial: tuple[Hyperparameters, ...] = ()

    def __post_init__(self) -> None:
        checked(self)

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        """As PBT's. ValueError for fewer than two members a sub-population."""
        if size < 2 * len(self.periods):
            raise ValueError(
                f"MultiFrequency: {len(self.periods)} sub-populations need a population of {2 * len(self.periods)}, not {size}"
            )
        warn_of(space, self.explore)
        return initial(self.initial, space, size, rng)

    def never_decides(self, plan: Plan) -> str | None:
        """Why no sub-population ever decides by this plan; None if one does."""
        every = self.ready * self.periods[0]
        if plan.first_decision(every) is not None:
            return None
        return (
            f"MultiFrequency: no sub-population ever decides with ready = {self.ready}, a shortest period of "
            f"{self.periods[0]}, steps = {plan.steps} and interval = {plan.interval}: this is random search"
        )

    def group(self, member: int, size: int) -> int:
        """The sub-population that a member belongs to, among ``size`` members."""
        return member * len(self.periods) // size

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        """The member's part in its sub-population's decision, when that is due."""
        size = len(population)
        own = self.group(member.id, size)
        every = self.ready * self.periods[own]
        if not member.failed and member.step // every == member.previous // every:
            return Continue()
        if member.failed or not population.standing.healthy:
            return replacement(population, rng, lambda parent: self._child(parent, population, rng))
        ranked = population.ranked()
        inside = [other for other in ranked if self.group(other.id, size) == own]
        outside = [other for other in ranked if self.group(other.id, size) != own and other.healthy]
        place = next(i for i, other in enumerate(inside) if other.id == member.id)
        quarter = max(1, len(inside) // 4)
        worst = len(inside) - quarter
        if place >= worst and place >= quarter and inside[place - worst].healthy:
            return self._child(inside[place - worst], population, rng)
        if not member.healthy:  # of its own sub-population nobody is left to copy
            return self._child(next(other for other in ranked if other.healthy), population, rng)
        migrant = _migrant(inside[max(quarter, worst - quarter) : worst], member, outside)
        if migrant is None:
            return Continue()
        source = migrant if self.group(migrant.id, size) > own else inside[0]
        return Clone(migrant.id, source.hyperparameters)

    def _child(self, parent: Member, population: Population, rng: np.random.Generator) -> Clone:
        return Clone(parent.id, explored(self.explore, parent.hyperparameters, population.space, rng))


def _migrant(bracket: Sequence[Member], member: Member, outside: Sequence[Member]) -> Member | None:
    """Who replaces ``member``: the bracket meets the outsiders, both best first, and each of it takes one or none."""
    waiting = list(outside)
    for other in bracket:
        better = bool(waiting) and (not other.healthy or _score(waiting[0]) > _score(other))
        if other.id == member.id:
            return waiting[0] if better else None
        if better:
            waiting.pop(0)
    return None


def _score(member: Member) -> float:
    assert member.score is not None, "only evaluated members are ranked"
    return member.score
