"""The verdicts on claims that the runs in a table of runs give.

The interval of a mean is Student's: with three to ten seeds a bootstrap interval is too narrow to be called 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from reproductions.suite.results import dates, power, statistics
from reproductions.suite.results.claims import Claim, margin_of, test_in_words
from reproductions.suite.results.contrasts import contrast, of_claim
from reproductions.suite.results.multiplicity import holm, p_value
from reproductions.suite.results.statistics import Estimate
from reproductions.suite.results.words import VERDICTS, Size, Verdict

#: A claim about the share of seeds is that more than this share of them is as claimed.
MOST = 0.5


def estimate(claim: Claim, values: Sequence[float]) -> Estimate:
    """The mean of the contrasts, or the share of seeds that are as claimed, with its 95 % interval."""
    if claim.statistic == "share":
        return statistics.share(sum(map(claim.holds, values)), len(values))
    return statistics.student_mean(values)


def detectable(claim: Claim, values: Sequence[float]) -> float:
    """The mean, less the threshold, or the share of seeds that so many seeds see with a power of 80 % (``results.power``)."""
    return power.detectable_share(len(values)) if claim.statistic == "share" else power.detectable(values)


def verdict(claim: Claim, estimate: Estimate, seeds: int) -> Verdict:
    """Where the whole interval lies.

    ``reproduced``: on the claimed side or, if the claim is that things are alike, within its margin. ``not reproduced``: on the
    other side, or beyond the margin. What no paper claims ``holds`` there, and ``does not hold``. ``no difference``: on both
    sides, but within the margin. Else ``inconclusive``, as without an interval.
    """
    so: Verdict = "reproduced" if claim.of_a_paper else "holds"
    not_so: Verdict = "not reproduced" if claim.of_a_paper else "does not hold"
    if seeds == 0:
        return "not run"
    low, high = estimate.low, estimate.high
    if math.isnan(low) or math.isnan(high):
        return "inconclusive"
    if claim.statistic == "share":
        return so if low > MOST else not_so if high < MOST else "inconclusive"
    margin = margin_of(claim)
    near = margin is not None and claim.threshold - margin <= low and high <= claim.threshold + margin
    if claim.side == "alike":
        if margin is None:
            raise ValueError(f"claim {claim.text!r}: that things are alike needs a margin")
        apart = low > claim.threshold + margin or high < claim.threshold - margin
        return so if near else not_so if apart else "inconclusive"
    above, at_most = low > claim.threshold, high <= claim.threshold
    if not above and not at_most:
        return "no difference" if near else "inconclusive"
    return so if above == (claim.side == "above") else not_so


def size(claim: Claim, estimate: Estimate) -> Size | Literal[""]:
    """Whether the distance from the threshold matters: all its interval is ``beyond`` the margin, ``within`` it, or ``either``.

    Empty without an interval or a margin. It says of a verdict how much it is worth, and changes none: a difference may be
    sure, and too small to matter.
    """
    margin = margin_of(claim)
    if margin is None or math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    low, high = estimate.low - claim.threshold, estimate.high - claim.threshold
    return "within" if -margin <= low and high <= margin else "beyond" if low > margin or high < -margin else "either"


def judge(claims: Sequence[Claim], runs: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: what the paper says, what our runs say with a 95 % interval, the seeds, the verdict, the command.

    Grouped by verdict, in the order of ``VERDICTS``. ``margin`` is the smallest relevant difference, ``detectable`` what this
    many seeds see with a power of 80 % (``results.power``), all in the ``unit`` of the test. ``incomplete`` counts the seeds
    that lack a run of one of the methods: they are not among ``seeds``. ``fixed``: whether the test and the margin were fixed
    before the runs (``results.dates``). ``p`` belongs to the interval, and ``p_holm`` is adjusted for the number of claims that
    are judged here (``results.multiplicity``): at most 5 %, a verdict stays. ``size`` is that of the difference, see there.

    Where a run of one of its methods has no finite score, or no value of what the claim is about, a claim is inconclusive and
    has no number. ``without_value`` counts such runs.
    """
    rows: list[dict[str, Any]] = []
    for claim in claims:
        found = contrast(claim, runs)
        ours = estimate(claim, found.values)
        was_run = set(claim.weights) <= set(of_claim(claim, runs).name)
        rows.append(
            {
                "domain": claim.domain,
                "claim": claim.text,
                "paper": claim.paper + (f" ({claim.mark})" if claim.mark else ""),
                "test": test_in_words(claim),
                "ours": ours.value,
                "ours_low": ours.low,
                "ours_high": ours.high,
                "unit": "share of seeds" if claim.statistic == "share" else claim.unit,
                "margin": margin_of(claim),
                "detectable": detectable(claim, found.values),
                "size": size(claim, ours),
                "p": p_value(claim, found.values),
                "seeds": len(found.by_seed),
                "incomplete": found.incomplete,
                "without_value": found.missing,
                "fixed": dates.fixed(claim, runs),
                "verdict": ("inconclusive" if found.missing and was_run else verdict(claim, ours, len(found.by_seed))),
                "command": f"snakemake {claim.experiment}",
            }
        )
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = adjusted
    rows.sort(key=lambda row: VERDICTS.index(row["verdict"]))  # stable: as declared within a verdict
    return pd.DataFrame(rows)


def write(judged: pd.DataFrame, out: Path) -> Path:
    """The verdicts as ``claims.csv`` in the folder ``out``."""
    path = out / "claims.csv"
    judged.to_csv(path, index=False)
    return path
