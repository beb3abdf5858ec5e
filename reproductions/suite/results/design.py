"""How many seeds the claims need, from runs that were made: studies are designed by this table, and then run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reproductions.suite.results import power
from reproductions.suite.results.claims import Claim, margin_of
from reproductions.suite.results.contrasts import contrast
from reproductions.suite.results.verdicts import detectable


def seeds_of_claims(claims: Sequence[Claim], runs: pd.DataFrame) -> pd.DataFrame:
    """One row a claim of which there are runs.

    ``deviation``: of its contrast over seeds. ``seeds_needed``: to see a difference of its ``margin`` with a power of 80 %.
    ``detectable``: the difference, or share of seeds, that those at hand see with it. NaN without a margin, or with one seed.
    """
    rows = []
    for claim in claims:
        values, margin = list(contrast(claim, runs).by_seed.values()), margin_of(claim)
        if not values:
            continue
        shares = claim.statistic == "share"
        deviation = float(pd.Series(map(claim.holds, values) if shares else values, dtype=float).std(ddof=1))
        needed = None if margin is None else power.seeds_needed(deviation, margin)
        rows.append(
            {
                "domain": claim.domain,
                "claim": claim.text,
                "unit": "of the seeds" if shares else claim.unit,
                "seeds": len(values),
                "deviation": deviation,
                "margin": math.nan if margin is None else margin,
                "seeds_needed": math.nan if needed is None else needed,
                "detectable": detectable(claim, values),
            }
        )
    return pd.DataFrame(rows)
