"""The paper's claims as data, each with its test fixed before the runs, and the verdicts of the runs that were made.

A claim is a linear contrast: each seed gives the weighted sum of some column over methods (a score, the number of founders,
CPU seconds), and the mean over seeds has to lie above its threshold, or not above it, or near it where the claim is that
things are alike. Each domain's are in its ``analysis``.
The interval is Student's: with three to ten seeds a bootstrap interval is too narrow to be called 95 %.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from reproductions.suite.results import power, statistics
from reproductions.suite.results.scores import one_scale, scores_of
from reproductions.suite.results.statistics import Estimate
from reproductions.suite.study import registry
from reproductions.suite.study.names import label
from reproductions.suite.study.sweep import Mark, Measure

#: The verdicts, in the order of tables. Three of them are results.
VERDICTS = ("reproduced", "no difference", "not reproduced", "inconclusive", "not run")


@dataclass(frozen=True)
class Claim:
    """A claim and its test.

    text: what is claimed. paper: the paper's number or words, with ``mark`` for how sure we are of them.
    experiment: the Snakemake target that makes the runs.
    weights: by method (with its variant, as in tables: ``pbt (hold)``), its weight in the contrast.
    column: of the table of runs; ``trends.NAME`` is the trend of a hyperparameter along the answer's lineage. The default,
        ``reported``, is the reported score, averaged over problems in per cent from random play to people where a
        domain has several; ``spread`` is its distance from the median over the method's seeds, whose means compare how noisy
        methods are (Brown and Forsythe, 1974).
    unit: of the contrast. threshold: the mean of the contrast has to lie on this ``side`` of it.
    margin: the smallest distance from the threshold that would matter, in ``unit``; None: the domain's, for reported scores. An
        interval within it shows that there is no difference, and that is what a claim whose side is "alike" needs.
    """

    text: str
    paper: str
    mark: Mark | None
    domain: str
    experiment: str
    weights: Mapping[str, float]
    column: str = "reported"
    unit: str = ""
    side: Literal["above", "at most", "alike"] = "above"
    threshold: float = 0.0
    margin: float | None = None


def all_claims() -> list[Claim]:
    """The claims of all domains."""
    return [claim for domain in registry.domains() for claim in getattr(registry.analysis(domain), "CLAIMS", ())]


def margin_of(claim: Claim) -> float | None:
    """The margin of a claim, its own or that of its domain; None for other columns than reported scores without one."""
    if claim.margin is not None or claim.column != "reported":
        return claim.margin
    measure: Measure = registry.sweep(claim.domain).MEASURE
    return measure.margin


def contrast(claim: Claim, runs: pd.DataFrame) -> list[float]:
    """The contrast of each seed for which all the methods were run, by seed. InputError for runs of several scales.

    Where its methods were run on several problems of their scale, a seed counts if every method was run on all of these; runs
    on problems that the scale does not have are left out.
    """
    of_claim = _of_claim(claim, runs)
    wide = of_claim.pivot(index="seed", columns=["name", "problem"], values="value")
    complete = pd.MultiIndex.from_product([list(claim.weights), list(of_claim.problem.unique())])
    by_method = wide.reindex(columns=complete).dropna().T.groupby(level=0).mean().T
    return [float(sum(row[name] * weight for name, weight in claim.weights.items())) for _, row in by_method.iterrows()]


def _of_claim(claim: Claim, runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of the claim's methods, with ``name`` (of the method), ``score`` and ``value`` (what the claim is about)."""
    one_scale(runs)
    sweep = registry.sweep(claim.domain)
    of_domain = runs[runs.domain == claim.domain]
    names = pd.Series(_labels(of_domain), index=of_domain.index, dtype=object)
    of_claim = of_domain[names.isin(claim.weights)].assign(name=names[names.isin(claim.weights)])
    if "scale" in of_claim and len(of_claim) and (scale := sweep.SCALES.get(of_claim.scale.iloc[0])) is not None:
        asked = of_claim[of_claim.problem.isin(scale.problems)]
        of_claim = asked if len(asked) else of_claim
    of_claim = of_claim.assign(score=scores_of(of_claim, sweep.MEASURE))
    return of_claim.assign(value=_values(of_claim, claim.column))


def without_score(claim: Claim, runs: pd.DataFrame) -> int:
    """How many runs of the claim's methods have no finite score."""
    return int(_of_claim(claim, runs).score.isna().sum())


def _was_run(claim: Claim, runs: pd.DataFrame) -> bool:
    """Whether there are runs of all its methods."""
    return set(claim.weights) <= set(_of_claim(claim, runs).name)


def _labels(runs: pd.DataFrame) -> list[str]:
    return [label(method, variant) for method, variant in zip(runs.method, runs.variant, strict=True)]


def _values(of_claim: pd.DataFrame, column: str) -> list[float]:
    if column == "reported":
        return list(of_claim.score)
    if column == "spread":
        medians = of_claim.score.groupby([of_claim["name"], of_claim["problem"]]).transform("median")
        return list((of_claim.score - medians).abs())
    column, _, key = column.partition(".")
    if column not in of_claim:
        return [float("nan")] * len(of_claim)
    if not key:
        return list(of_claim[column].astype(float))
    return [
        json.loads(trends).get(key, float("nan")) if isinstance(trends, str) else float("nan")
        for trends in of_claim[column]
    ]


def verdict(claim: Claim, estimate: Estimate, seeds: int) -> str:
    """Where the whole interval lies.

    ``reproduced``: on the claimed side or, if the claim is that things are alike, within its margin. ``not reproduced``: on the
    other side, or beyond the margin. ``no difference``: on both sides, but within the margin. Else ``inconclusive``.
    """
    if seeds == 0:
        return "not run"
    low, high = (estimate.low, estimate.high) if seeds > 1 else (float("-inf"), float("inf"))
    margin = margin_of(claim)
    near = margin is not None and claim.threshold - margin <= low and high <= claim.threshold + margin
    if claim.side == "alike":
        if margin is None:
            raise ValueError(f"claim {claim.text!r}: that things are alike needs a margin")
        apart = low > claim.threshold + margin or high < claim.threshold - margin
        return "reproduced" if near else "not reproduced" if apart else "inconclusive"
    above, at_most = low > claim.threshold, high <= claim.threshold
    if not above and not at_most:
        return "no difference" if near else "inconclusive"
    return "reproduced" if above == (claim.side == "above") else "not reproduced"


def judge(claims: Sequence[Claim], runs: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: what the paper says, what our runs say with a 95 % interval, the seeds, the verdict, the command.

    Grouped by verdict, in the order of ``VERDICTS``. ``margin`` is the difference that would matter, ``detectable`` the one
    that this many seeds see with a power of 80 % (``results.power``), both in the unit of the test.

    Where a run of one of its methods has no finite score a claim is inconclusive and has no number: what the other seeds say
    would leave out the worst. ``without_score`` counts such runs.
    """
    rows = []
    for claim in claims:
        values, lost = contrast(claim, runs), without_score(claim, runs)
        estimate = statistics.student_mean([] if lost else values)
        rows.append(
            {
                "domain": claim.domain,
                "claim": claim.text,
                "paper": claim.paper + (f" ({claim.mark})" if claim.mark else ""),
                "test": test_in_words(claim),
                "ours": estimate.value,
                "ours_low": estimate.low,
                "ours_high": estimate.high,
                "margin": margin_of(claim),
                "detectable": power.detectable([] if lost else values),
                "seeds": len(values),
                "without_score": lost,
                "verdict": "inconclusive" if lost and _was_run(claim, runs) else verdict(claim, estimate, len(values)),
                "command": f"snakemake {claim.experiment}",
            }
        )
    rows.sort(key=lambda row: VERDICTS.index(str(row["verdict"])))  # stable: as declared within a verdict
    return pd.DataFrame(rows)


def test_in_words(claim: Claim) -> str:
    """The test in words: ``reported: pbt - random_search above 0``."""
    terms: list[str] = []
    for name, weight in claim.weights.items():
        size = "" if abs(weight) == 1 else f"{abs(weight):g} "
        sign = "-" if weight < 0 else "+" if terms else ""
        terms.append(f"{sign} {size}{name}" if terms else f"{sign}{size}{name}")
    unit = f" {claim.unit}" if claim.unit else ""
    side = "about" if claim.side == "alike" else claim.side
    return f"{claim.column}: {' '.join(terms)} {side} {claim.threshold:g}{unit}"


def write(judged: pd.DataFrame, out: Path) -> Path:
    """The verdicts as ``claims.csv`` in the folder ``out``."""
    path = out / "claims.csv"
    judged.to_csv(path, index=False)
    return path
