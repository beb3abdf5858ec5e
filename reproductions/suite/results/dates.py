"""Whether the test of a claim and its margin were fixed before the runs that judge it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reproductions.suite.results.claims import Claim, margin_of
from reproductions.suite.results.contrasts import of_claim
from reproductions.suite.results.words import Fixed

#: When results of runs were committed first, by domain and commit of the runs, where the runs themselves are younger: ten of
#: the toy's hundred seeds give again the numbers that had been seen.
SEEN: Mapping[tuple[str, str], str] = {
    ("toy", "667b117d3e7d6e4cbd5fef3f5008ae75723f113c"): "2026-11-22T21:44",
    ("toy", "84b4fe64b30b86cae53f42919489d42ccf3ef831"): "2026-11-22T21:44",
}


def fixed(claim: Claim, runs: pd.DataFrame) -> Fixed:
    """``before`` the runs, ``test before, margin after``, ``after``, or ``not known``.

    Before: when the contrast of no seed could be known, because one of its runs had not begun. The margin counts where there is
    one. Not known: a date is missing.
    """
    known = first_known(claim, runs)
    if known is None:
        return "before"
    if not claim.fixed or not known or (margin_of(claim) is not None and not claim.margin_fixed):
        return "not known"
    minute = known[: len(claim.fixed)]  # as claims are dated; within one minute nobody can tell
    if claim.fixed >= minute:
        return "after"
    return "test before, margin after" if margin_of(claim) is not None and claim.margin_fixed >= minute else "before"


def first_known(claim: Claim, runs: pd.DataFrame) -> str | None:
    """When the contrast of the first seed could be known: as the last of its runs began. ISO 8601, UTC.

    Empty where that has no date, None where no seed has runs of all methods.
    """
    rows = of_claim(claim, runs)
    if not set(claim.weights) <= set(rows.name):
        return None
    begun = rows.begun if "begun" in rows else pd.Series(None, index=rows.index, dtype=object)
    commits = rows.commit if "commit" in rows else pd.Series("", index=rows.index)
    dates = [
        SEEN.get((claim.domain, str(commit)), "" if begin is None or begin != begin else str(begin))
        for begin, commit in zip(begun, commits, strict=True)
    ]
    complete = (
        rows.assign(date=dates).groupby("seed").filter(lambda of_seed: set(claim.weights) <= set(of_seed["name"]))
    )
    return None if complete.empty else str(complete.groupby("seed").date.max().min())
