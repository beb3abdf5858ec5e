"""The paper's claims as data, each with its test.

A claim is a linear contrast: each seed gives the weighted sum of some column over methods (a score, the number of founders,
CPU seconds). Either the mean over seeds has to lie on one side of a threshold (or near it, where the claim is that things are
alike), or the seeds have to, most of them, each by itself. Each domain's are in its ``analysis``; they are judged in
``results.verdicts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from reproductions.suite.study import registry
from reproductions.suite.study.inputs import shown
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.sweep import Mark, Measure, is_finite

Statistic = Literal["mean", "share"]
Side = Literal["above", "below", "at most", "alike"]
#: How a claim is dated, as ``git log --format=%aI`` begins in UTC.
DATE = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Claim:
    """A claim and its test.

    text: what is claimed. paper: the paper's number or words, with ``mark`` for how sure we are of them; None where no paper
        claims it, and the verdict does not speak of reproduction.
    experiment: the Snakemake target that makes the runs.
    weights: by method (with its variant, as in tables: ``pbt (hold)``), its weight in the contrast.
    column: of the table of runs; ``trends.NAME`` is the trend of a hyperparameter along the answer's lineage. The default,
        ``reported``, is the reported score, averaged over problems in per cent from random play to people where a
        domain has several; ``spread`` is its distance from the median over the method's seeds, whose means compare how noisy
        methods are (Brown and Forsythe, 1974).
    statistic: the ``mean`` of the contrast over seeds, with Student's interval; or the ``share`` of the seeds whose contrast
        lies on the claimed side, which has to be more than half of them, with the exact interval of Clopper and Pearson (1934).
        Counts and correlations need the latter: they have bounds, and are often equal in all seeds.
    unit: of the contrast. threshold: the contrast has to lie on this ``side`` of it.
    margin: the smallest relevant distance of the mean from the threshold, in ``unit``; None: the domain's, for
        reported scores. An interval within it shows that there is no difference, and that is what a claim whose side is "alike"
        needs.
    budgets_differ: the methods were given different budgets, because that is what is studied; else they must be the same.
    fixed, margin_fixed: when the test, and the margin, were committed in their present form: ISO 8601, UTC, to the minute.
        Whether that was before the runs follows from them (``results.dates``).

    ConfigError for what none of these can be: a misspelt side would turn a verdict round.
    """

    text: str
    paper: str
    mark: Mark | None
    domain: str
    experiment: str
    weights: Mapping[str, float]
    column: str = "reported"
    statistic: Statistic = "mean"
    unit: str = ""
    side: Side = "above"
    threshold: float = 0.0
    margin: float | None = None
    budgets_differ: bool = False
    fixed: str = ""
    margin_fixed: str = ""

    def __post_init__(self) -> None:
        for key, known in (
            ("mark", (None, *get_args(Mark))),
            ("statistic", get_args(Statistic)),
            ("side", get_args(Side)),
        ):
            if (value := getattr(self, key)) not in known:
                self._refuse(key, value, f"must be one of {list(known)}")
        if self.side == "alike" and self.statistic == "share":
            self._refuse("statistic", self.statistic, "must be 'mean': one seed does not show that things are alike")
        for key in ("fixed", "margin_fixed"):
            if (date := getattr(self, key)) and not _is_date(date):
                self._refuse(key, date, "must be UTC to the minute, such as 2026-11-22T21:44")
        if not self.weights or not all(is_finite(weight) and weight for weight in self.weights.values()):
            self._refuse("weights", dict(self.weights), "must be numbers other than 0 by method, at least one")
        if not is_finite(self.threshold):
            self._refuse("threshold", self.threshold, "must be a finite number")
        if self.margin is not None and not (is_finite(self.margin) and self.margin > 0):
            self._refuse("margin", self.margin, "must be a finite number above 0, or None")

    def _refuse(self, key: str, value: object, rule: str) -> None:
        raise ConfigError(f"claim {shown(self.text)} of {self.domain}: {key} = {shown(value)} {rule}")

    @property
    def of_a_paper(self) -> bool:
        """Whether it is claimed somewhere: then it has a mark."""
        return self.mark is not None

    def holds(self, contrast: float) -> bool:
        """Whether a contrast lies on the claimed side."""
        match self.side:
            case "above":
                return contrast > self.threshold
            case "below":
                return contrast < self.threshold
            case "at most":
                return contrast <= self.threshold
        raise ValueError(f"claim {self.text!r}: one seed does not show that things are alike")


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and datetime.strptime(text, DATE).strftime(DATE) == text
    except ValueError:
        return False


def all_claims() -> list[Claim]:
    """The claims of all domains but those that cannot be read (``registry.fault``)."""
    sound = [domain for domain in registry.domains() if registry.fault(domain) is None]
    return [claim for domain in sound for claim in getattr(registry.analysis(domain), "CLAIMS", ())]


def margin_of(claim: Claim) -> float | None:
    """The margin of a claim, its own or that of its domain; None for other columns than reported scores without one."""
    if claim.margin is not None or claim.column != "reported" or claim.statistic == "share":
        return claim.margin
    measure: Measure = registry.sweep(claim.domain).MEASURE
    return measure.margin


def test_in_words(claim: Claim) -> str:
    """The test in words: ``reported: pbt - random_search above 0``."""
    terms: list[str] = []
    for name, weight in claim.weights.items():
        size = "" if abs(weight) == 1 else f"{abs(weight):g} "
        sign = "-" if weight < 0 else "+" if terms else ""
        terms.append(f"{sign} {size}{name}" if terms else f"{sign}{size}{name}")
    unit = f" {claim.unit}" if claim.unit else ""
    side = "about" if claim.side == "alike" else claim.side
    test = f"{claim.column}: {' '.join(terms)} {side} {claim.threshold:g}{unit}"
    return test if claim.statistic == "mean" else f"{test}, in more than half of the seeds"
