"""Statistics over seeds: means and interquartile means with seeded bootstrap intervals, probability of improvement.

The interquartile mean and the probability of improvement follow Agarwal et al. (2021), "Deep reinforcement learning at the
edge of the statistical precipice". Intervals are 95 % percentile bootstrap intervals over seeds, drawn by scipy from a
fixed seed. With few seeds they are rough: three seeds allow ten different resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000
_SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval. Where seeds cannot say how sure it is there is none, and both ends are NaN.

    So it is with one seed, and with seeds that are all equal.
    """

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float, float]:
        """The value, the lower and the upper end."""
        return self.value, self.low, self.high

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "-"
        form = ".3f" if abs(self.value) < 1e9 else ".3e"
        numbers = [format(value, form) for value in (self.value, self.low, self.high)]
        return numbers[0] + ("" if np.isnan(self.low) else f" [{numbers[1]}, {numbers[2]}]")


def mean(scores: Sequence[float]) -> Estimate:
    """The mean over seeds."""
    return _bootstrapped((scores,), lambda x, axis: np.mean(x, axis=axis))


def student_mean(scores: Sequence[float]) -> Estimate:
    """The mean over seeds with Student's 95 % interval: for verdicts, where a few seeds must not look like many.

    It supposes that the scores' errors are about normal. Equal scores have none: they do not show how much scores vary.
    """
    values = np.asarray(scores, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all() or all_equal(values):
        return Estimate(float(values.mean()) if len(values) else float("nan"), float("nan"), float("nan"))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half)


def all_equal(scores: ArrayLike) -> bool:
    """Whether scores differ by no more than the rounding of their arithmetic."""
    values = np.asarray(scores, dtype=float)
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max(initial=0.0))


def share(such: int, seeds: int) -> Estimate:
    """The share of seeds that are such, with the exact 95 % interval of Clopper and Pearson (1934); all NaN without seeds.

    It lies within [0, 1], is never of no width, and supposes nothing but independent seeds.
    """
    if not seeds:
        return Estimate(*[float("nan")] * 3)
    interval = stats.binomtest(such, seeds).proportion_ci(LEVEL, method="exact")
    return Estimate(such / seeds, float(interval.low), float(interval.high))


def interquartile_mean(scores: Sequence[float]) -> Estimate:
    """The mean of the middle half; with fewer than four seeds nothing can be left out and it is the mean."""
    return _bootstrapped((scores,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis))


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """The mean difference of paired scores (the same seed, hence the same initial members)."""
    return mean([a - b for a, b in zip(ours, theirs, strict=True)])


def probability_of_improvement(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """The probability that a run of ours scores higher than one of theirs; ties count half.

    A run without a score (NaN) is below all that have one.
    """
    return _bootstrapped(ranked(ours, theirs), _improvement)


def ranked(*samples: Sequence[float]) -> tuple[NDArray[Any], ...]:
    """Scores of which only the order matters: those that are not finite are below all others, and equal to each other."""
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays])
    lowest = np.nextafter(finite.min(), -np.inf) if len(finite) else 0.0
    return tuple(np.where(np.isfinite(array), array, lowest) for array in arrays)


def _improvement(x: NDArray[Any], y: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    x, y = np.moveaxis(np.asarray(x), axis, -1), np.moveaxis(np.asarray(y), axis, -1)
    wins = np.sign(x[..., :, None] - y[..., None, :])
    improvement: NDArray[Any] = ((wins + 1) / 2).mean(axis=(-1, -2))
    return improvement


def _bootstrapped(samples: tuple[ArrayLike, ...], statistic: Callable[..., Any]) -> Estimate:
    """``statistic`` of the samples and its percentile bootstrap interval; NaN in, NaN out.

    There is no interval where resampling gives one value alone, as where one side wins every pair.
    """
    arrays = tuple(np.asarray(sample, dtype=float) for sample in samples)
    value = float(statistic(*arrays, axis=-1))
    if min(map(len, arrays)) < 2 or not np.isfinite(np.concatenate(arrays)).all():
        return Estimate(value, float("nan"), float("nan"))
    interval = stats.bootstrap(
        arrays,
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    if all_equal([interval.low, interval.high]):
        return Estimate(value, float("nan"), float("nan"))
    return Estimate(value, float(interval.low), float(interval.high))
