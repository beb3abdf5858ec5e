"""How many of many verdicts may be false: p values that belong to the intervals, and Holm's adjustment of them (Holm, 1979)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from reproductions.suite.results.claims import Claim, margin_of
from reproductions.suite.results.statistics import LEVEL, all_equal


def p_value(claim: Claim, values: Sequence[float]) -> float:
    """The smallest p at which the interval of level 1 - p gives a verdict that is a result; NaN where there is no interval.

    At most 5 % exactly where the 95 % interval does, and then it gives the same verdict. So it is that of Student's two-sided
    test against the threshold or, for no difference, twice the larger one of the two one-sided tests against the margin
    (Schuirmann, 1987); for a share of seeds, that of the exact two-sided test against a half.
    """
    if claim.statistic == "share":
        return float(stats.binomtest(sum(map(claim.holds, values)), len(values)).pvalue) if len(values) else math.nan
    if len(values) < 2 or not np.isfinite(values).all() or all_equal(values):
        return math.nan
    margin = margin_of(claim)
    from_threshold = [_beyond(values, claim.threshold), _beyond([-value for value in values], -claim.threshold)]
    if margin is None:
        return 2 * min(from_threshold)
    above = _beyond(values, claim.threshold - margin)
    below = _beyond([-value for value in values], -(claim.threshold + margin))
    within = min(1.0, 2 * max(above, below))
    if claim.side == "alike":
        return min(within, 1.0, 2 * (1 - max(above, below)))
    apart = min(1.0, 2 * min(from_threshold))
    return apart if apart <= 1 - LEVEL else min(apart, within)


def _beyond(values: Sequence[float], bound: float) -> float:
    """The p of Student's one-sided test that the mean is above ``bound``."""
    return float(stats.ttest_1samp(values, bound, alternative="greater").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The adjusted p values, in order: all verdicts with one of at most 5 % are right with a probability of 95 % or more.

    NaN is no test and stays NaN.
    """
    adjusted = [math.nan] * len(p_values)
    tested = sorted((index for index, p in enumerate(p_values) if not math.isnan(p)), key=lambda index: p_values[index])
    highest = 0.0
    for place, index in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted
