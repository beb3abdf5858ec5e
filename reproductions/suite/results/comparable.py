"""What no mean and no difference may mix: runs of several scales, and of several budgets. Whatever compares runs asks here."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reproductions.suite.results.records import Outcome
from reproductions.suite.study.inputs import InputError
from reproductions.suite.study.names import PARTS

_METHOD = ["domain", "problem", "method", "variant"]


def must_be_comparable(runs: pd.DataFrame, budgets_differ: bool = False) -> None:
    """InputError in one line unless the runs of a table, a row each, are of one scale and, on each problem, of one budget.

    Where ``budgets_differ`` because that is what is studied, only the seeds of a method must have the same. Columns that the
    table does not have, and empty cells, are not looked at.
    """
    must_be_of_one_scale(runs)
    if "budget_steps" not in runs:
        return
    rows = runs.dropna(subset="budget_steps")
    for length, what in ((len(_METHOD), "seeds"), (2, "methods")):
        if what == "methods" and budgets_differ:
            return
        shared = [name for name in _METHOD[:length] if name in rows]
        for _, group in rows.groupby(shared, dropna=False, sort=False) if len(rows) else ():
            if group.budget_steps.nunique() > 1:
                raise InputError(_differ(group, what))


def must_be_of_one_scale(runs: pd.DataFrame) -> None:
    """InputError if a table has runs of several scales, which no seed pairs and no mean may mix."""
    scales = sorted(runs.scale.dropna().unique()) if "scale" in runs else []
    if len(scales) > 1:
        raise InputError(
            f"scale: the runs that are compared must be of one scale, not of {', '.join(map(str, scales))}"
        )


def asked_for(records: Sequence[Outcome]) -> pd.DataFrame:
    """The names and budgets of runs as a table."""
    return pd.DataFrame([{key: run.summary.get(key) for key in (*PARTS, "budget_steps")} for run in records])


def _differ(group: pd.DataFrame, what: str) -> str:
    """What differs, by the runs of the least and of the largest budget."""
    ordered = group.sort_values("budget_steps", kind="stable")
    least, most = ordered.iloc[0], ordered.iloc[-1]
    runs = ", ".join(
        f"{' '.join(str(run[name]) for name in ('method', 'variant', 'seed') if name in run)}: {run.budget_steps:.0f}"
        for run in (least, most)
    )
    unless = " unless budgets are what is studied" if what == "methods" else ""
    return f"budget_steps: the runs of {least.problem} have different budgets ({runs}) and cannot be compared{unless}"
