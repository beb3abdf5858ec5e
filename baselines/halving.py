"""Trainings that fall behind are stopped early, and their steps go to new ones: ASHA and Hyperband (optuna's pruners)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np

from baselines.optional import distributions, optuna, require_modules, to_optuna
from baselines.reading import Reading
from baselines.trainings import TrainingSteps
from pbt_core.fields import at_least, checked
from pbt_core.method import Continue, Decision, Restart, initial
from pbt_core.plan import Plan
from pbt_core.population import Evaluation, Member, Population
from pbt_core.space import Hyperparameters, Space


@dataclass(frozen=True)
class Halving:
    """Draws from the prior, each trained for ``training_steps`` unless it is stopped at a rung before.

    pruner: "asha", asynchronous successive halving in its stopping form (Li et al., 2020), or "hyperband", which shares
        the trainings out among brackets that begin to stop at different rungs (Li et al., 2018).
    training_steps: steps of one full training.
    first_rung: steps to the first rung; rung k is at ``first_rung * reduction_factor**k``, where a training goes on if its
        score is among the best ``1 / reduction_factor`` of those that came there before.
    reduction_factor: the papers' eta, 3 or 4 there.
    initial: known settings to begin with, as for PBT.

    A score that is not finite ends its training, rung or not.
    """

    pruner: Literal["asha", "hyperband"]
    training_steps: TrainingSteps
    first_rung: int
    reduction_factor: Annotated[int, at_least(2)] = 3
    initial: tuple[Hyperparameters, ...] = ()
    _replay: Reading[_Replay] = field(default_factory=Reading, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        checked(self)
        if not 1 <= self.first_rung < self.training_steps:
            bounds = f"[1, training_steps = {self.training_steps!r})"
            raise ValueError(f"Halving: first_rung = {self.first_rung!r} must be in {bounds}")

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        require_modules("Halving", "optuna")
        distributions(space)
        return initial(self.initial, space, size, rng)

    def never_decides(self, plan: Plan) -> str | None:
        """Why no training is ever ended at a rung by this plan; None if one can be."""
        if plan.first_decision(ready=1, warmup=self.first_rung) is not None:
            return None
        return (
            f"Halving: no training is ended at a rung with first_rung = {self.first_rung}, steps = {plan.steps} and "
            f"interval = {plan.interval}: this is random search"
        )

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        if member.failed or self._replayed(population).over(member):
            return Restart(population.space.sample(rng))
        return Continue()

    def _replayed(self, population: Population) -> _Replay:
        """A study of optuna's that has seen all evaluations."""
        return self._replay.of(population.evaluations, lambda: _Replay(self, population.space))


class _Replay:
    """A study of optuna's that reads one evaluation after another, in the order in which they were made."""

    def __init__(self, method: Halving, space: Space) -> None:
        library = optuna()
        if method.pruner == "asha":
            pruner = library.pruners.SuccessiveHalvingPruner(method.first_rung, method.reduction_factor)
        else:
            pruner = library.pruners.HyperbandPruner(method.first_rung, method.training_steps, method.reduction_factor)
        # Hyperband draws the bracket of a training from the study's name and the training's number. The sampler draws
        # nothing: every training is enqueued with its settings.
        sampler = library.samplers.RandomSampler(seed=0)
        self._study = library.create_study(direction="maximize", sampler=sampler, pruner=pruner, study_name="halving")
        self._space, self._kinds, self._states = space, distributions(space), library.trial.TrialState
        self._training_steps = method.training_steps
        self._open: dict[int, Any] = {}
        self._over: set[tuple[int, int]] = set()

    def over(self, member: Member) -> bool:
        """Whether the training that the member was last evaluated in has ended there, whole or not."""
        return (member.id, member.step) in self._over

    def take_in(self, evaluation: Evaluation) -> None:
        if self._ends(evaluation):
            self._over.add((evaluation.member, evaluation.step))

    def _ends(self, evaluation: Evaluation) -> bool:
        """Report one evaluation to optuna; whether its training is over."""
        if evaluation.age == evaluation.steps:  # its first interval; one still open has failed
            if (failed := self._open.pop(evaluation.member, None)) is not None:
                self._study.tell(failed, state=self._states.FAIL)
            self._study.enqueue_trial(to_optuna(self._space, evaluation.hyperparameters))
            self._open[evaluation.member] = self._study.ask(self._kinds)
        trial = self._open[evaluation.member]
        if not math.isfinite(evaluation.score):
            self._study.tell(trial, state=self._states.PRUNED)
        else:
            trial.report(evaluation.score, evaluation.age)
            stopped = trial.should_prune()
            if evaluation.age >= self._training_steps:
                self._study.tell(trial, evaluation.score)
            elif stopped:
                self._study.tell(trial, state=self._states.PRUNED)
            else:
                return False
        del self._open[evaluation.member]
        return True
