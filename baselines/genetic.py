"""A genetic algorithm on hyperparameters alone: children inherit settings, never weights, and train from the beginning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.trainings import TrainingSteps, full_trainings, is_over, one_training
from pbt_core.explore import Compose, Explore, Perturb, Resample, explored, warn_of
from pbt_core.fields import checked
from pbt_core.method import Continue, Decision, Restart, initial
from pbt_core.plan import Plan
from pbt_core.population import Evaluation, Member, Population
from pbt_core.space import Hyperparameters, Space, Value


@dataclass(frozen=True)
class Genetic:
    """When a full training is over, its slot trains a child of the best ones so far.

    training_steps: steps of one full training.
    mutation: any explorer; our choice is PBT's perturbation after a redraw of each value with probability 0.25, so that
        a few generations can also leave the settings they began with.
    initial: known settings to begin with, as for PBT.

    Parents are chosen by two binary tournaments among the best ``size`` full trainings of all generations, where
    ``size`` is that of the population: (mu + lambda) with mu = lambda = size. A training costs a whole run here, so
    none that was good is forgotten, and none is repeated to keep it; nor does a slot that fell behind hold up the others.
    A child takes each value from either parent with probability 1/2, then mutates; one that breaks a constraint of the
    space is conceived again.
    """

    training_steps: TrainingSteps
    mutation: Explore = field(default_factory=lambda: Compose((Resample(0.25), Perturb())))
    initial: tuple[Hyperparameters, ...] = ()

    def __post_init__(self) -> None:
        checked(self)

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        warn_of(space, self.mutation)
        return initial(self.initial, space, size, rng)

    def never_decides(self, plan: Plan) -> str | None:
        """Why no slot ever trains a child by this plan; None if one does."""
        return one_training(self, self.training_steps, plan)

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        if not is_over(member, self.training_steps):
            return Continue()
        ranked = survivors(population.evaluations, self.training_steps, len(population))
        if not ranked:
            return Restart(population.space.sample(rng))
        mother, father = (_tournament(ranked, rng).hyperparameters for _ in range(2))

        def conceived(mother: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
            return self.mutation(_crossed(mother, father, space, rng), space, rng)

        return Restart(explored(conceived, mother, population.space, rng))


def survivors(evaluations: Sequence[Evaluation], training_steps: int, size: int) -> list[Evaluation]:
    """The best ``size`` full trainings with finite scores, best first; among equals the earlier."""
    trained = full_trainings(evaluations, training_steps)
    healthy = [evaluation for evaluation in trained if math.isfinite(evaluation.score)]
    return sorted(healthy, key=lambda evaluation: -evaluation.score)[:size]


def _tournament(ranked: Sequence[Evaluation], rng: np.random.Generator) -> Evaluation:
    """The better of two different ones, drawn uniformly; the only one, if there is one."""
    return ranked[int(min(rng.choice(len(ranked), size=min(2, len(ranked)), replace=False)))]


def _crossed(
    mother: Hyperparameters, father: Hyperparameters, space: Space, rng: np.random.Generator
) -> dict[str, Value]:
    return {name: (mother if rng.random() < 0.5 else father)[name] for name in space}
