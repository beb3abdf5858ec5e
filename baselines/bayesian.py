"""Sequential Bayesian optimisation: a model of the scores of full trainings proposes the next ones (optuna's samplers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np

from baselines.memo import Memo
from baselines.optional import distributions, from_optuna, optuna, require_modules, to_optuna
from baselines.trainings import TrainingSteps, full_trainings, imputed_scores, is_over, one_training
from pbt_core.fields import at_least, checked
from pbt_core.method import Continue, Decision, Restart, initial
from pbt_core.plan import Plan
from pbt_core.population import Member, Population
from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space

#: What the model is fitted to: (settings, score) of every full training, and the settings of those under way.
_History = tuple[list[tuple[Hyperparameters, float]], list[Hyperparameters]]


@dataclass(frozen=True)
class Bayesian:
    """Each slot trains a proposal for ``training_steps``, then begins the next one.

    sampler: "tpe", the tree-structured Parzen estimator (Bergstra et al., 2011), or "gp", a Gaussian process with expected
        improvement; in batches for slots that ask at once. Both are optuna's, with its defaults.
    training_steps: steps of one full training.
    startup_trainings: full trainings, at least one of them with a finite score, before the model is used; draws from the
        prior until then (optuna's ``n_startup_trials``, whose default is 10).
    initial: known settings to begin with, as for PBT.

    The model knows nothing of a constraint of the space: a proposal that breaks it, and that the space cannot repair, is
    replaced by a draw from the prior.

    Slots that are free at the same step share one batch, each proposal in view of those before it and of the trainings
    under way. A slot's generator cannot know the proposals of the others, so the batch is drawn from a stream named by the
    record, which is where the run's seed comes in.
    """

    sampler: Literal["tpe", "gp"]
    training_steps: TrainingSteps
    startup_trainings: Annotated[int, at_least(1, "training")] = 10
    initial: tuple[Hyperparameters, ...] = ()
    _batch: Memo[list[Hyperparameters]] = field(default_factory=Memo, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        checked(self)

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        require_modules("Bayesian", "optuna", *(["torch"] if self.sampler == "gp" else []))
        distributions(space)
        return initial(self.initial, space, size, rng)

    def never_decides(self, plan: Plan) -> str | None:
        """Why no slot ever begins a second training by this plan; None if one does."""
        return one_training(self, self.training_steps, plan)

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        length = self.training_steps
        if not is_over(member, length):
            return Continue()
        trained = full_trainings(population.evaluations, length)
        scores = imputed_scores(trained)
        if not scores or len(scores) < self.startup_trainings:
            return Restart(population.space.sample(rng))
        results = [(evaluation.hyperparameters, score) for evaluation, score in zip(trained, scores, strict=True)]
        free = [other.id for other in population if is_over(other, length) and other.step == member.step]
        running = [other.hyperparameters for other in population if not is_over(other, length)]
        # What the proposals depend on, all of it: equal keys, equal batches.
        key = repr((trained, running, len(free)))
        batch = self._batch.recall(key, lambda: self._proposals((results, running), population.space, len(free), key))
        return Restart(batch[free.index(member.id)])

    def _proposals(self, history: _History, space: Space, size: int, name: str) -> list[Hyperparameters]:
        library, (results, running), kinds = optuna(), history, distributions(space)
        seed = Stream(0, ("bayesian", name)).integer() % 2**32
        study = library.create_study(direction="maximize", sampler=self._sampler(library, seed))
        create, states = library.trial.create_trial, library.trial.TrialState
        for hyperparameters, score in results:
            study.add_trial(create(params=to_optuna(space, hyperparameters), distributions=kinds, value=score))
        for hyperparameters in running:
            study.add_trial(create(params=to_optuna(space, hyperparameters), distributions=kinds, state=states.RUNNING))
        # optuna counts each proposal as under way when it makes the next.
        proposals = [study.ask(kinds).params for _ in range(size)]
        prior = Stream(0, ("bayesian", name, "prior")).generator()
        admitted = [space.admitted(from_optuna(space, params)) for params in proposals]
        return [space.sample(prior) if proposal is None else proposal for proposal in admitted]

    def _sampler(self, library: Any, seed: int) -> Any:
        if self.sampler == "tpe":
            return library.samplers.TPESampler(seed=seed, n_startup_trials=self.startup_trainings)
        return library.samplers.GPSampler(seed=seed, n_startup_trials=self.startup_trainings)
