"""What no mean and no difference may mix: runs of several scales, of several budgets, and, under one name, of several settings.

Whatever compares runs asks here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from reproductions.suite.results.records import Outcome
from reproductions.suite.study.inputs import InputError, shown
from reproductions.suite.study.names import PARTS, label

_METHOD = ["domain", "problem", "method", "variant"]
#: Settings in which the seeds of one method may differ: the schedule of each one's own PBT, and what each begins with.
_BY_SEED = ("seed", "search.lineage", "search.initial")


def must_be_comparable(runs: pd.DataFrame, budgets_differ: bool = False) -> None:
    """InputError in one line unless the runs of a table, a row each, are of one scale and, on each problem, of one budget.

    Where ``budgets_differ`` because that is what is studied, only the seeds of a method must have the same. Columns that the
    table does not have, and empty cells, are not looked at.
    """
    must_be_of_one_scale(runs)
    _must_be_of_one_budget(runs, budgets_differ)
    must_be_of_one_setting(runs)


def _must_be_of_one_budget(runs: pd.DataFrame, budgets_differ: bool) -> None:
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


def must_be_of_one_setting(runs: pd.DataFrame) -> None:
    """InputError where seeds of one method, by its name, were run with different ``settings``: it would be two methods."""
    if "settings" not in runs:
        return
    for (_, problem, method, variant, _), group in runs.dropna(subset="settings").groupby(
        [*_METHOD, "scale"], dropna=False, sort=False
    ):
        first, *others = [(seed, dict(_flat(held))) for seed, held in zip(group.seed, group.settings, strict=True)]
        for seed, settings in others:
            for key in {**first[1], **settings}:
                one, other = (held.get(key, "not set") for held in (first[1], settings))
                if one != other:
                    name = label(str(method), str(variant))
                    raise InputError(
                        f"settings.{key}: the seeds of {name} on {problem} have different settings (seed {first[0]}: "
                        f"{shown(one)}, seed {seed}: {shown(other)}) and are no runs of one method; runs that differ need a "
                        "--variant"
                    )


def _flat(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting by its name with dots, but for those that are a seed's own."""
    if name in _BY_SEED:
        return
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _flat(value, f"{name}.{key}" if name else key)
    else:
        yield name, settings


def asked_for(records: Sequence[Outcome]) -> pd.DataFrame:
    """The names, budgets and settings of runs as a table."""
    keys = (*PARTS, "budget_steps", "settings")
    return pd.DataFrame([{key: run.summary.get(key) for key in keys} for run in records], columns=list(keys))


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
