"""FIRE PBT (Dalibard and Jaderberg, 2021, arXiv:2109.13800): members that are selected by how fast their weights can improve.

PBT selects by what helps until the next decision, so it takes learning rates down too early. Here only the first
sub-population does. In the others a member counts for what its weights are worth once they are trained greedily; evaluators
find that out.

What this rests on. The paper's text was not at hand beyond abstract and introduction. Its parts are taken from two
secondary sources: a reader's summary (github.com/dhkim0225/1day_1paper, issue 44) and a reimplementation that quotes the
paper's rules (github.com/AwesomeLemon/PBT-Zoo, of Chebykin et al., 2025); nothing of its code is here.

The paper's (the assumption, from its abstract: high; the rest, where both sources or the quoted rules say so: medium):

* of two networks with similar scores and hyperparameters the one that improves faster ends higher;
* sub-populations P_1 to P_n that do not mix, each doing PBT; P_1 selects by the score;
* an evaluator copies the weights of a member of P_{i+1} and trains them with the hyperparameters of the best member of P_i;
* curves are smoothed by a Gaussian process and compared from where they have the same score; the fitness of a member of
  P_{i+1} is how far its evaluator leads those of the others;
* where an evaluator leads the member whose hyperparameters it has, and a binomial test agrees, that member takes its weights;
* an evaluator stops where it never meets that member's curve within ``max_eval_steps``, where the test's p-value is above
  ``level + max(0, 1 - t / max_eval_steps)`` after t steps, and where one of the two members was replaced.

Of the reimplementation alone, and so perhaps its own (medium at best): fitness as a sum over the others, a quarter as the
truncation's share, three tenths of evaluators, that the higher one of curves that never meet is moved down, level 0.01.

Our choice: one evaluation an interval is one point of a curve; from which points on two curves are compared, so that a jump
in one interval is no lead; ``min_eval_steps``; whose turn it is to be evaluated (in turn, by number; the sources: who waited
longest); kernel and noise; that a member begins a new curve when it takes weights over; that the answer of a run may be an
evaluator's or a later sub-population's; what follows a failure or a divergence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from baselines.evaluators import Evaluators
from baselines.improvement import Curves
from baselines.reading import Reading
from pbt_core.exploit import Exploit, Truncation, WelchTTest, exploited
from pbt_core.explore import Explore, Perturb, explored, warn_of
from pbt_core.fields import at_least, checked, within
from pbt_core.method import Clone, Continue, Decision, initial
from pbt_core.plan import Plan
from pbt_core.population import Member, Population
from pbt_core.replacement import replacement
from pbt_core.space import Hyperparameters, Space


@dataclass(frozen=True)
class FirePBT:
    """The last members are evaluators, those before them equal sub-populations, by number: greedy ones first.

    ready: steps between two decisions, as PBT's.
    max_eval_steps: steps in which an evaluation must come to something.
    min_eval_steps: steps after which an evaluation counts: one of a few noisy points says little. It then lasts ``ready`` steps
        more at least, so that also where members do not wait for each other all can see it.
    subpopulations: how many; with one there is nothing to evaluate, so at least two.
    evaluators: their share of the population, at least one. They are part of it: the compute is PBT's.
    level: of the one-sided sign test by which weights are taken over. With few evaluations in a run a low one is never met:
        k of k points won give 2^-k.
    exploit: who replaces whom within a sub-population; in later ones it sees improvement rates as scores, so it must select
        by the score alone (no t-test).
    explore: how a copied member's hyperparameters change; None leaves them.
    initial: known settings to begin with, as for PBT.

    Where no member has a finite score, or a member failed, it is as in PBT, but a failed member's parent is of its own
    sub-population if that has healthy members.
    """

    ready: Annotated[int, at_least(1, "step")]
    max_eval_steps: int
    min_eval_steps: int = 0
    subpopulations: Annotated[int, at_least(2)] = 2
    evaluators: Annotated[float, within("(0, 1)")] = 0.3
    level: Annotated[float, within("(0, 1)")] = 0.01
    exploit: Exploit = field(default_factory=lambda: Truncation(0.25))
    explore: Explore | None = field(default_factory=Perturb)
    initial: tuple[Hyperparameters, ...] = ()
    _curves: Reading[Curves] = field(default_factory=Reading, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        checked(self)
        if self.max_eval_steps < self.ready:
            raise ValueError(
                f"FirePBT: max_eval_steps = {self.max_eval_steps!r} must be at least ready = {self.ready!r}"
            )
        if not 0 <= self.min_eval_steps <= self.max_eval_steps:
            bounds = f"[0, max_eval_steps = {self.max_eval_steps!r}]"
            raise ValueError(f"FirePBT: min_eval_steps = {self.min_eval_steps!r} must be in {bounds}")
        if isinstance(self.exploit, WelchTTest):
            raise ValueError("FirePBT: exploit: a t-test needs samples, and improvement rates have none")

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        """As PBT's. ValueError for fewer than two members a sub-population, its share of the evaluators among them."""
        if size < 2 * self.subpopulations or self.bred(size) < self.subpopulations:
            least = f"{self.subpopulations} sub-populations and {size - self.bred(size)} evaluators"
            raise ValueError(f"FirePBT: {least} need a population of more than {size}")
        warn_of(space, self.explore)
        return initial(self.initial, space, size, rng)

    def never_decides(self, plan: Plan) -> str | None:
        """Why no member can ever be replaced by this plan; None if one can."""
        if plan.first_decision(self.ready) is not None:
            return None
        return (
            f"FirePBT: no member is ever ready with ready = {self.ready}, steps = {plan.steps} and interval = "
            f"{plan.interval}: this is random search"
        )

    def bred(self, size: int) -> int:
        """How many of ``size`` members are no evaluators."""
        return size - max(1, round(self.evaluators * size))

    def group(self, member: int, size: int) -> int | None:
        """The sub-population of a member, 0 the greedy one; None for an evaluator."""
        bred = self.bred(size)
        return None if member >= bred else member * self.subpopulations // bred

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        """The member's part: to be replaced within its sub-population, to take weights over, or to evaluate the next member."""
        if not member.failed and member.step // self.ready == member.previous // self.ready:
            return Continue()
        if not population.standing.healthy:
            return self._replaced((), population, rng)
        group = self.group(member.id, len(population))
        evaluators = self._evaluators(population)
        if group is None:
            return self._evaluate(member, evaluators, population, rng)
        winner = evaluators.winner(member, group) if member.healthy else None
        if winner is not None:
            return Clone(winner.id, member.hyperparameters)
        parent = None if member.failed else self._exploited(member, evaluators.rated(group), population, rng)
        if parent is not None:
            return self._child(parent, population, rng)
        return Continue() if member.healthy else self._replaced(evaluators.groups[group], population, rng)

    def _evaluators(self, population: Population) -> Evaluators:
        size, bred = len(population), self.bred(len(population))
        groups: list[list[Member]] = [[] for _ in range(self.subpopulations)]
        for i in range(bred):
            groups[i * self.subpopulations // bred].append(population[i])
        return Evaluators(
            groups=groups,
            evaluating=[population[i] for i in range(bred, size)],
            all=self._curves.of(population.evaluations, Curves),
            ready=self.ready,
            min_eval_steps=self.min_eval_steps,
            max_eval_steps=self.max_eval_steps,
            level=self.level,
        )

    def _evaluate(
        self, member: Member, evaluators: Evaluators, population: Population, rng: np.random.Generator
    ) -> Decision:
        """An evaluator goes on with its evaluation, begins the next one, or waits for one."""
        if evaluators.busy(member):
            return Continue()
        job = evaluators.assignment(member)
        if job is not None:
            return Clone(job.parent.id, job.child.hyperparameters)
        return Continue() if member.healthy else self._replaced(evaluators.evaluating, population, rng)

    def _exploited(
        self, member: Member, rated: Mapping[int, Member], population: Population, rng: np.random.Generator
    ) -> Member | None:
        """Who replaces a member within its sub-population; one that diverged is the worst of it, whether rated or not."""
        known = rated if member.healthy else {**rated, member.id: member}
        if member.id not in known:
            return None
        peers = Population(known, population.space, population.evaluations)
        parent = exploited(self.exploit, peers[member.id], peers, rng)
        return None if parent is None else population[parent.id]

    def _replaced(self, peers: Sequence[Member], population: Population, rng: np.random.Generator) -> Decision:
        return replacement(population, rng, lambda parent: self._child(parent, population, rng), peers)

    def _child(self, parent: Member, population: Population, rng: np.random.Generator) -> Clone:
        if self.explore is None:
            return Clone(parent.id, parent.hyperparameters)
        return Clone(parent.id, explored(self.explore, parent.hyperparameters, population.space, rng))
