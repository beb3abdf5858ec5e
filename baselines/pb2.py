"""Population Based Bandits (Parker-Holder et al., 2020): PBT whose explore step asks a time-varying Gaussian process.

The change of the score in an interval is modelled as a function of the time and of the hyperparameters in that interval; a
replaced member continues with those that promise most from now on. Its exploit step, weights and copies are PBT's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from baselines.memo import Memo
from baselines.optional import require_modules
from baselines.trainings import imputed_scores
from pbt_core.fields import at_least, checked
from pbt_core.method import Decision, initial
from pbt_core.pbt import PBT
from pbt_core.plan import Plan
from pbt_core.population import Member, Population
from pbt_core.space import Hyperparameters, Space, Value
from pbt_core.unit import from_unit, is_real, to_unit

Array = NDArray[np.float64]

#: What the kernel is chosen from by marginal likelihood (our choice; the authors maximise it by gradient): the length scale
#: of normalised hyperparameters, epsilon of the time's (1 - epsilon)^(|t - t'| / 2), the noise's share of the variance.
LENGTHS, EPSILONS, NOISES = (0.1, 0.25, 0.5, 1.0), (0.01, 0.1, 0.4), (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class PB2:
    """PBT, with a bandit for explore.

    pbt: decides which member is replaced by which, and when; its ``explore`` changes what the model cannot order (unordered
        and ordered choices, a user's types) and leaves the rest to the model.
    window: the last intervals of the population that the model is fitted to (the cost of a decision is cubic in it).
    startup_intervals: those needed for a fit; before, a replaced member draws from the prior.
    candidates: random settings of which the one with the highest upper confidence bound is taken, among those that the
        space's constraint admits.
    """

    pbt: PBT
    window: int = 100
    startup_intervals: Annotated[int, at_least(2)] = 10
    candidates: Annotated[int, at_least(1)] = 500
    _model: Memo[_Model] = field(default_factory=Memo, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        checked(self)
        if self.window < self.startup_intervals:
            least = f"startup_intervals = {self.startup_intervals!r}"
            raise ValueError(f"PB2: window = {self.window!r} must be at least {least}")

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        require_modules("PB2", "sklearn")
        return initial(self.pbt.initial, space, size, rng)

    def never_decides(self, plan: Plan) -> str | None:
        return self.pbt.never_decides(plan)

    def never_compared(self, population: Population) -> str | None:
        return self.pbt.never_compared(population)

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        explore = functools.partial(self._explored, member, population)
        return replace(self.pbt, explore=explore).decide(member, population, rng)

    def _explored(
        self,
        member: Member,
        population: Population,
        hyperparameters: Hyperparameters,
        space: Space,
        rng: np.random.Generator,
    ) -> dict[str, Value]:
        real = [name for name in space if is_real(space[name])]
        rows = [e for e in population.evaluations[-self.window :] if e.before is not None and math.isfinite(e.before)]
        gains = imputed_scores([replace(e, score=(e.score - e.before) / e.steps) for e in rows if e.before is not None])
        if len(gains) < self.startup_intervals:
            return space.sample(rng)
        changed = dict(hyperparameters) if self.pbt.explore is None else self.pbt.explore(hyperparameters, space, rng)
        if not real:
            return changed

        def at(step: int, values: Hyperparameters) -> list[float]:
            return [step / self.pbt.ready, *(to_unit(space[name], values[name]) for name in real)]

        # An interval is known by when it began, which is also when a proposal will.
        x = np.array([at(e.step - e.steps, e.hyperparameters) for e in rows])
        model = self._model.recall(x.tobytes() + np.array(gains).tobytes(), lambda: _Model(x, np.array(gains)))
        under_way = np.array([at(member.step, other.hyperparameters) for other in population if other.id != member.id])
        points = rng.random((self.candidates, len(real)))
        now = np.full((self.candidates, 1), member.step / self.pbt.ready)
        best_first = np.argsort(-model.bound(np.hstack([now, points]), under_way), kind="stable")

        def candidates() -> Iterator[dict[str, Value]]:
            for point in points[best_first]:
                yield {**changed, **{name: from_unit(space[name], u) for name, u in zip(real, point, strict=True)}}

        # The best of those that the space's constraint admits; without any, the best, which is then explored again.
        return next((c for c in candidates() if space.admitted(c) is not None), next(candidates()))


class _Model:
    """A Gaussian process on rows of (time in rounds, hyperparameters in [0, 1]) and the gains per step."""

    def __init__(self, x: Array, gains: Array) -> None:
        # Standardised and clipped as the authors do it.
        self.x, self.y = x, np.clip((gains - gains.mean()) / (gains.std() + 1e-12), -2, 2)
        choices = ((length, epsilon, noise) for length in LENGTHS for epsilon in EPSILONS for noise in NOISES)
        fits = [_fitted(_kernel(x.shape[1] - 1, *choice), choice[-1], x, self.y) for choice in choices]
        self.fit = max(fits, key=lambda fit: fit.log_marginal_likelihood_value_)

    def bound(self, points: Array, under_way: Array) -> Array:
        """The upper confidence bound, less sure where others are about to look (Desautels et al., 2014).

        The mean knows the data, the deviation also the settings ``under_way``, whose outcome it does not depend on.
        The bound's factor is that of the authors' code: beta = 0.2 + log(0.4 n), at least 0.2.
        """
        beta = 0.2 + max(0.0, math.log(0.4 * len(self.y)))
        mean, fit = self.fit.predict(points), self.fit
        if len(under_way):
            rows, believed = np.vstack([self.x, under_way]), np.append(self.y, self.fit.predict(under_way))
            fit = _fitted(fit.kernel, fit.alpha, rows, believed)
        _, deviation = fit.predict(points, return_std=True)
        bound: Array = mean + math.sqrt(beta) * deviation
        return bound


def _kernel(size: int, length: float, epsilon: float, noise: float) -> Any:
    """The paper's kernel, squared exponential in settings times decay in time; the noise makes its variance up to 1."""
    from sklearn.gaussian_process import kernels

    # A column whose length scale is infinite has no influence: exp(-|dt| / scale) = (1 - epsilon)^(|dt| / 2).
    scale = -2 / math.log(1 - epsilon)
    time = kernels.Matern(length_scale=[scale] + [math.inf] * size, nu=0.5)
    settings = kernels.RBF(length_scale=[math.inf] + [length] * size)
    return kernels.ConstantKernel(1 - noise) * time * settings


def _fitted(kernel: Any, noise: float, x: Array, y: Array) -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor

    return GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(x, y)
