"""Sequential Bayesian optimisation: a model of what full trainings came to proposes the next ones (optuna's samplers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from baselines.memo import Memo
from baselines.optional import distributions, from_optuna, needed, optuna, to_optuna
from baselines.trainings import check_trial, ended, is_over, scores
from pbt_core.method import Continue, Decision, Restart, initial, listed_settings
from pbt_core.population import Member, Population
from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space
from pbt_core.values import whole_fields

#: What is told to optuna: (settings, score) of every full training, and the settings of those under way.
_Known = tuple[list[tuple[Hyperparameters, float]], list[Hyperparameters]]


@dataclass(frozen=True)
class Bayesian:
    """Each slot trains a proposal for ``trial`` steps, then begins the next one.

    sampler: "tpe", the tree-structured Parzen estimator (Bergstra et al., 2011), or "gp", a Gaussian process with expected
        improvement; in batches for slots that ask at once. Both are optuna's, with its defaults.
    trial: steps of one full training.
    startup: full trainings, at least one of them with a finite score, before the model is asked; draws from the prior
        until then (optuna's default is 10).

    The model knows nothing of a constraint of the space: in place of a proposal that breaks it, and that the space cannot
    repair, stands a draw from the prior.

    Slots that are free at the same step are given one batch, each proposal in view of those before it and of the
    trainings under way. A slot's own generator cannot know what the others are given, so the batch is drawn from a
    stream named by the record, which is where the run's seed comes in.
    """

    sampler: Literal["tpe", "gp"]
    trial: int
    startup: int = 10
    initial: tuple[Hyperparameters, ...] = ()
    _batch: Memo[list[Hyperparameters]] = field(default_factory=Memo, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.sampler not in ("tpe", "gp"):
            raise ValueError(f"Bayesian: sampler = {self.sampler!r} must be 'tpe' or 'gp'")
        whole_fields(self, "trial", "startup")
        check_trial("Bayesian", self.trial)
        if self.startup < 1:
            raise ValueError(f"Bayesian: startup = {self.startup!r} must be at least 1 training")
        object.__setattr__(self, "initial", listed_settings("Bayesian", self.initial))

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        needed("Bayesian", "optuna", *(["torch"] if self.sampler == "gp" else []))
        distributions(space)
        return initial(self.initial, space, size, rng)

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        if not is_over(member, self.trial):
            return Continue()
        done = ended(population.evaluations, self.trial)
        known = scores(done)
        if not known or len(known) < self.startup:
            return Restart(population.space.sample(rng))
        results = [(evaluation.hyperparameters, score) for evaluation, score in zip(done, known, strict=True)]
        free = [other.id for other in population if is_over(other, self.trial) and other.step == member.step]
        running = [other.hyperparameters for other in population if not is_over(other, self.trial)]
        # What the proposals depend on, all of it: equal keys, equal batches.
        key = repr((done, running, len(free)))
        batch = self._batch.recall(key, lambda: self._proposals((results, running), population.space, len(free), key))
        return Restart(batch[free.index(member.id)])

    def _proposals(self, known: _Known, space: Space, size: int, name: str) -> list[Hyperparameters]:
        library, (results, running), kinds = optuna(), known, distributions(space)
        seed = Stream(0, ("bayesian", name)).integer() % 2**32
        study = library.create_study(direction="maximize", sampler=self._sampler(library, seed))
        create, states = library.trial.create_trial, library.trial.TrialState
        for hyperparameters, score in results:
            study.add_trial(create(params=to_optuna(space, hyperparameters), distributions=kinds, value=score))
        for hyperparameters in running:
            study.add_trial(create(params=to_optuna(space, hyperparameters), distributions=kinds, state=states.RUNNING))
        # What was asked for is under way for whoever asks next.
        asked = [study.ask(kinds).params for _ in range(size)]
        prior = Stream(0, ("bayesian", name, "prior")).generator()
        admitted = [space.admitted(from_optuna(space, params)) for params in asked]
        return [space.sample(prior) if proposal is None else proposal for proposal in admitted]

    def _sampler(self, library: Any, seed: int) -> Any:
        if self.sampler == "tpe":
            return library.samplers.TPESampler(seed=seed, n_startup_trials=self.startup)
        return library.samplers.GPSampler(seed=seed, n_startup_trials=self.startup)
