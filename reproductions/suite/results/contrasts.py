"""A claim's numbers, one a seed, from the table of runs; and what of the runs is missing for it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import pandas as pd

from reproductions.suite.results.claims import Claim
from reproductions.suite.results.comparable import must_be_comparable, must_be_of_one_scale
from reproductions.suite.results.scores import scores_of
from reproductions.suite.study import registry
from reproductions.suite.study.names import label


@dataclass(frozen=True)
class Contrast:
    """The contrast of a claim.

    by_seed: of each seed for which all its methods have a value. incomplete: how many further seeds lack a method on a problem.
    missing: how many runs have no finite score or, where others have one, no value of what the claim is about.
    """

    by_seed: dict[int, float]
    incomplete: int
    missing: int

    @property
    def values(self) -> list[float]:
        """The contrasts, by seed; none if a run has no value: what the other seeds say would leave out the worst."""
        return [] if self.missing else list(self.by_seed.values())


def contrast(claim: Claim, runs: pd.DataFrame) -> Contrast:
    """The contrast of a claim in a table of runs. InputError for runs that must not be compared
    (``results.comparable``).

    Where its methods were run on several problems of their scale, a seed counts if every method was run on all of these; runs
    on problems that the scale does not have are left out.
    """
    rows = of_claim(claim, runs)
    absent = rows.score.isna() | (rows.value.isna() & bool(rows.value.notna().any()))
    wide = rows.pivot(index="seed", columns=["name", "problem"], values="value")
    complete = pd.MultiIndex.from_product([list(claim.weights), list(rows.problem.unique())])
    by_method = wide.reindex(columns=complete).dropna().T.groupby(level=0).mean().T
    there = rows.assign(there=True).pivot(index="seed", columns=["name", "problem"], values="there")
    all_there = there.reindex(columns=complete).notna().all(axis=1)
    was_run = set(claim.weights) <= set(rows.name)
    return Contrast(
        by_seed={
            int(str(seed)): float(sum(row[name] * weight for name, weight in claim.weights.items()))
            for seed, row in by_method.iterrows()
        },
        incomplete=int((~all_there).sum()) if was_run else 0,
        missing=int(absent.sum()),
    )


def by_seed(domain: str, method: str, runs: pd.DataFrame) -> Contrast:
    """A method's reported scores, one a seed: over several problems their mean, human-normalised where there are anchors."""
    return contrast(Claim("", "", None, domain, domain, {method: 1}), runs)


def of_claim(claim: Claim, runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of the claim's methods, with ``name`` (of the method), ``score`` and ``value`` (what the claim is about)."""
    must_be_of_one_scale(runs)
    sweep = registry.sweep(claim.domain)
    of_domain = runs[runs.domain == claim.domain].reset_index(drop=True)
    names = pd.Series(map(label, of_domain.method, of_domain.variant), index=of_domain.index, dtype=object)
    mine = names.isin(claim.weights)
    rows = of_domain[mine].assign(name=names[mine])
    if "scale" in rows and len(rows) and (scale := sweep.SCALES.get(rows.scale.iloc[0])) is not None:
        asked = rows[rows.problem.isin(scale.problems)]
        rows = asked if len(asked) else rows
    must_be_comparable(rows, claim.budgets_differ)
    rows = rows.assign(score=scores_of(rows, sweep.MEASURE))
    return rows.assign(value=_values(rows, claim.column))


def _values(rows: pd.DataFrame, column: str) -> pd.Series:
    if column == "reported":
        return rows.score
    if column == "spread":
        return (rows.score - rows.score.groupby([rows["name"], rows["problem"]]).transform("median")).abs()
    column, _, key = column.partition(".")
    if column not in rows:
        return pd.Series(math.nan, index=rows.index)
    if not key:
        return pd.to_numeric(rows[column], errors="coerce").astype(
            float
        )  # text is no value: see ``run_table.passed_over``
    trends = [json.loads(text).get(key, math.nan) if isinstance(text, str) else math.nan for text in rows[column]]
    return pd.Series(trends, index=rows.index, dtype=float)
