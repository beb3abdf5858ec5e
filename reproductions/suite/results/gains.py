"""What PBT gains over each baseline, in every domain, from a table with one row a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from reproductions.suite.results import statistics
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.contrasts import by_seed, contrast
from reproductions.suite.study import registry

#: What PBT is compared with: a draw of settings, a draw of schedules, a recipe from elsewhere, and one tuned on the problem.
BASELINES = ("random_search", "random_schedules", "hand_set", "hand_tuned")


def gains(runs: pd.DataFrame, baselines: Sequence[str] = BASELINES) -> pd.DataFrame:
    """One row a domain and baseline: the mean paired difference in reported scores, PBT's less the baseline's.

    ``gain`` is in ``unit``, the domain's own (averaged over its problems in per cent from random play to people where it has
    several), with Student's 95 % interval, ``margin`` the smallest relevant one there. ``standard_gain`` is the same in
    units of the standard deviation of scores over seeds, pooled over both methods (Cohen's d): NaN where there is none.
    """
    rows = []
    for domain in [name for name in registry.domains() if name in set(runs.domain)]:
        measure = registry.sweep(domain).MEASURE
        for baseline in baselines:
            pair = Claim("", "", None, domain, domain, {"pbt": 1, baseline: -1})
            differences = contrast(pair, runs)
            if not differences.by_seed:
                continue
            estimate = statistics.student_mean(differences.values)
            pooled = math.sqrt(float(np.mean([_variance(domain, method, runs) for method in ("pbt", baseline)])))
            standard = [math.nan if not pooled > 0 else value / pooled for value in estimate.ends]
            rows.append(
                {
                    "domain": domain,
                    "baseline": baseline,
                    "seeds": len(differences.by_seed),
                    "unit": _unit(domain, runs),
                    "margin": measure.margin,
                    **dict(zip(("gain", "gain_low", "gain_high"), estimate.ends, strict=True)),
                    **dict(zip(("standard_gain", "standard_gain_low", "standard_gain_high"), standard, strict=True)),
                }
            )
    return pd.DataFrame(rows)


def _variance(domain: str, method: str, runs: pd.DataFrame) -> float:
    scores = list(by_seed(domain, method, runs).by_seed.values())
    return float(np.var(scores, ddof=1)) if len(scores) > 1 else math.nan


def _unit(domain: str, runs: pd.DataFrame) -> str:
    measure = registry.sweep(domain).MEASURE
    problems = set(runs[runs.domain == domain].problem)
    if problems & set(measure.anchors):
        return "% human-normalised"
    score: str = measure.reported.partition(" (")[0].partition(",")[0]
    return f"{score} ({measure.unit})" if measure.unit else score
