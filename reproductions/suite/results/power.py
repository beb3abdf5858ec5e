"""Power of the tests behind verdicts: which difference a study could detect, and how many seeds a difference needs.

A verdict on a mean is Student's two-sided test of paired differences at 5 %, whose power follows from the noncentral t
distribution (Cohen, 1988); that of a verdict on a share of seeds follows from the binomial. Standard deviations are estimates
from few seeds, and so is what is said here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from reproductions.suite.results.statistics import LEVEL, all_equal

#: The power that is asked for: four studies of five see a difference of this size.
POWER = 0.8
#: More seeds than these are not looked for.
MOST_SEEDS = 10_000


def power(effect: float, seeds: int) -> float:
    """The probability that a study of ``seeds`` shows a mean of ``effect`` standard deviations to differ from 0."""
    critical = float(stats.t.ppf((1 + LEVEL) / 2, seeds - 1))
    shift = effect * math.sqrt(seeds)
    # Far from 0 the other side is never seen, and scipy's lower tail is NaN there.
    other_side = stats.nct.cdf(-critical, seeds - 1, shift) if shift < 5 else 0.0
    return float(stats.nct.sf(critical, seeds - 1, shift) + other_side)


def detectable(differences: Sequence[float]) -> float:
    """The smallest mean difference that such a study sees with a power of 80 %, in the unit of the differences.

    NaN for fewer than two seeds, and where they do not differ from each other: then their deviation is not known.
    """
    if len(differences) < 2 or all_equal(differences):
        return math.nan
    deviation = float(np.std(differences, ddof=1))
    seeds = len(differences)
    # Of two seeds the critical value is 12.7: an effect of 100 is seen by any number of them.
    return deviation * float(optimize.brentq(lambda effect: power(effect, seeds) - POWER, 0.0, 100.0, xtol=1e-6))


def detectable_share(seeds: int) -> float:
    """The smallest share of all seeds, above a half, that a study of so many sees to be one with a power of 80 %.

    It sees it where the lower end of Clopper and Pearson's 95 % interval is above a half. NaN for fewer than six seeds: not
    even all of them are enough.
    """
    tail = (1 - LEVEL) / 2
    enough = int(stats.binom.isf(tail, seeds, 0.5)) + 1 if seeds else 1  # P(as many or more) <= tail
    if enough > seeds:
        return math.nan
    return float(optimize.brentq(lambda p: stats.binom.sf(enough - 1, seeds, p) - POWER, 0.5, 1.0, xtol=1e-6))


def seeds_needed(deviation: float, difference: float) -> int | None:
    """The fewest seeds with which a mean ``difference`` is seen with a power of 80 %; None if more than ``MOST_SEEDS``."""
    if not difference > 0 or not math.isfinite(deviation):
        return None
    effect = difference / deviation if deviation > 0 else math.inf
    if not math.isfinite(effect) or power(min(effect, 100.0), 2) >= POWER:
        return 2
    if power(effect, MOST_SEEDS) < POWER:
        return None
    low, high = 2, MOST_SEEDS  # fewer are too few, so many suffice
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, middle) >= POWER else (middle, high)
    return high
