"""Population Based Training (Jaderberg et al., 2017, Algorithm 1) as a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

import numpy as np

from pbt_core.exploit import Exploit, Truncation, exploited
from pbt_core.explore import Explore, Perturb, explored, warn_of
from pbt_core.fields import Rule, at_least, checked
from pbt_core.method import Clone, Continue, Decision, initial
from pbt_core.plan import Plan
from pbt_core.population import Member, Population
from pbt_core.replacement import replacement
from pbt_core.space import Hyperparameters, Space

#: What a member can take from its parent.
Part = Literal["weights", "hyperparameters"]
PARTS: tuple[Part, ...] = get_args(Part)
_NAMED = Rule("weights, hyperparameters or both", bool)


@dataclass(frozen=True)
class PBT:
    """Exploit and explore whenever a member is ready.

    ready: a member is ready when it has passed a multiple of this many of its steps since its last evaluation.
    warmup: steps before which no member is ready.
    exploit: chooses the member that replaces a ready one; None for no exploit: every ready member explores in place
        (the toy's "explore only").
    explore: how a replaced member's hyperparameters change; None leaves them (the toy's "exploit only").
    copy: what an exploiting member takes from its parent: "weights", "hyperparameters" or both (the paper's figure 5, "PBT
        targets"); what it does not take it keeps. Exploring changes whatever hyperparameters it then has. A member that
        diverged or failed takes weights in any case: its own are useless or lost.
    initial: known settings to begin with, one for each of the first members; what they leave out, and all of the other
        members, is drawn from the prior.
    until: the last step at which a member can be ready, after which all train on as they are; None for no end. A member
        that failed is replaced at any time.

    A member that failed is replaced by a child of a good one (see ``replacement``), ready or not. Where no member has a
    finite score there is none to copy: a ready member, or one that failed, then begins anew with a draw from the prior.
    If all have failed, the run ends with the error instead: that is a bug in the task.
    """

    ready: Annotated[int, at_least(1, "step")]
    exploit: Exploit | None = field(default_factory=Truncation)
    explore: Explore | None = field(default_factory=Perturb)
    copy: Annotated[tuple[Part, ...], _NAMED] = PARTS
    warmup: Annotated[int, at_least(0)] = 0
    initial: tuple[Hyperparameters, ...] = ()
    until: int | None = None

    def __post_init__(self) -> None:
        checked(self)
        if self.until is not None and self.until < self.warmup:
            raise ValueError(f"PBT: until = {self.until!r} must be at least warmup = {self.warmup!r} steps")
        # In one order: two ways of saying the same are one run.
        object.__setattr__(self, "copy", tuple(part for part in PARTS if part in self.copy))

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        """The ``initial`` settings, then draws from the prior; warns, with ExploreWarning, where ``explore`` does not suit."""
        warn_of(space, self.explore)
        return initial(self.initial, space, size, rng)

    def is_ready(self, member: Member) -> bool:
        """Whether the last interval of ``member`` met or passed a multiple of ``ready``, and lies between warm-up and end."""
        if member.step < self.warmup or (self.until is not None and member.step > self.until):
            return False
        return member.step // self.ready > member.previous // self.ready

    def never_decides(self, plan: Plan) -> str | None:
        """Why no member can ever exploit or explore by this plan; None if one can."""
        first = plan.first_decision(self.ready, self.warmup)
        if first is None or (self.until is not None and first > self.until):
            end_of_it = "" if self.until is None else f", until = {self.until}"
            return (
                f"PBT: no member is ever ready with ready = {self.ready}, warmup = {self.warmup}{end_of_it}, steps = "
                f"{plan.steps} and interval = {plan.interval}: this is random search"
            )
        if self.exploit is not None and plan.population == 1:
            return "PBT: population = 1 has nobody to exploit: this is one training"
        return None

    def never_compared(self, population: Population) -> str | None:
        """Why the exploiter could not compare any two members; None if it could. See ``WelchTTest.lacking``."""
        lacking = getattr(self.exploit, "lacking", None)
        reasons = [lacking(member) for member in population if member.healthy] if callable(lacking) else []
        if not reasons or None in reasons:
            return None
        return f"PBT: no members were ever compared, so that this was random search: {reasons[0]}"

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        """Exploit and explore if the member is ready or failed; else go on (Algorithm 1, the body of its loop)."""

        def child(parent: Member) -> Clone:
            return self._child(member, parent, population, rng)

        if not member.failed and not self.is_ready(member):
            return Continue()
        if member.failed or not population.standing.healthy:
            return replacement(population, rng, child)
        if self.exploit is None:
            return Continue(self._explored(member, population, rng))
        parent = exploited(self.exploit, member, population, rng)
        return Continue() if parent is None else child(parent)

    def _child(self, member: Member, parent: Member, population: Population, rng: np.random.Generator) -> Clone:
        """``member`` with what it takes from ``parent``, explored; weights that are lost or useless are always replaced."""
        source = parent if "hyperparameters" in self.copy else member
        weights = "weights" in self.copy or not member.healthy
        return Clone(parent.id, self._explored(source, population, rng), weights)

    def _explored(self, source: Member, population: Population, rng: np.random.Generator) -> Hyperparameters:
        if self.explore is None:
            return source.hyperparameters
        return explored(self.explore, source.hyperparameters, population.space, rng)
