"""How many seeds the claims need, from runs that were made: studies are designed by this table, and then run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reproductions.suite.results import power
from reproductions.suite.results.claims import Claim, contrast, margin_of


def seeds_of_claims(claims: Sequence[Claim], runs: pd.DataFrame) -> pd.DataFrame:
    """One row a claim of which there are runs.

    ``deviation``: of its contrast over seeds. ``seeds_needed``: to see a difference of its ``margin`` with a power of 80 %.
    ``detectable``: the difference that the seeds at hand see with it. NaN where there is no margin, or one seed.
    """
    rows = []
    for claim in claims:
        values, margin = contrast(claim, runs), margin_of(claim)
        if not values:
            continue
        deviation = float(pd.Series(values).std(ddof=1))
        needed = None if margin is None else power.seeds_needed(deviation, margin)
        rows.append(
            {
                "domain": claim.domain,
                "claim": claim.text,
                "unit": claim.unit,
                "seeds": len(values),
                "deviation": deviation,
                "margin": math.nan if margin is None else margin,
                "seeds_needed": math.nan if needed is None else needed,
                "detectable": power.detectable(values),
            }
        )
    return pd.DataFrame(rows)
