"""The table of runs, ``runs.csv``: one row a finished run, of any domains. Claims are judged by it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from reproductions.suite.results.claims import Claim, all_claims
from reproductions.suite.results.records import Outcome, Record
from reproductions.suite.results.rows import RunRow
from reproductions.suite.results.scores import is_usable
from reproductions.suite.results.tables import read
from reproductions.suite.results.traits import traits
from reproductions.suite.study import configuration, registry
from reproductions.suite.study.inputs import InputError, shown
from reproductions.suite.study.names import DEFAULT, PARTS, parse_label
from reproductions.suite.study.sources import ROOT

#: What names a run, in the order of the table's columns: the scale comes last, since a table is mostly of one.
_NAME = (*PARTS[1:], PARTS[0])
_PLAIN = (
    *_NAME,
    "budget_steps",
    "member_steps",
    "cloned",
    "diverged",
    "failed",
)
#: What claims can be about: numbers of a run.
_MEASURED = (
    *("reported", "spread", "trends", "clock_steps", "founders", "common_ancestor", "report_cpu_s"),
    *("budget_steps", "member_steps", "cloned", "diverged", "failed"),
    *("wall_s", "cpu_s", "train_s", "evaluate_s", "save_s"),
)
_COST = ("wall_s", "cpu_s", "train_s", "evaluate_s", "save_s", "commit", "modified", "sources")


def runs(records: Sequence[Record]) -> pd.DataFrame:
    """One row a run: what was asked for, the scores, what the lineages show, and the cost. Claims are judged by this table.

    Scores that are missing or not finite are empty.
    """
    return pd.DataFrame([_row(record, traits(record)) for record in records])


def outcomes(of_runs: Sequence[Outcome]) -> pd.DataFrame:
    """The table of ``runs`` without what lineages show, for which no events need be read."""
    return pd.DataFrame([_row(outcome, {}) for outcome in of_runs])


def _row(outcome: Outcome, traits_of_run: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: outcome.summary[key] for key in _PLAIN}
    for kind in ("final", "best"):
        evaluation = outcome.summary[kind] or {}
        # The score of an exact task is not written twice.
        exact = evaluation.get("held_out") is None and evaluation.get("reported") is None
        reported = None if exact else outcome.reported(kind)
        row |= {f"{kind}_selected": _finite(evaluation.get("score")), f"{kind}_reported": _finite(reported)}
    row |= traits_of_run
    row |= {key: outcome.summary[key] for key in _COST} | {"begun": _date(outcome.summary.get("begun"))}
    return row | {"report_cpu_s": outcome.report_cpu_s}


def _date(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601, UTC, to the second; None where a record of the older formats has no date."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _finite(score: float | None) -> float | None:
    return score if score is not None and is_usable(score) else None


def read_runs(path: Path) -> pd.DataFrame:
    """A table of runs that was written before; InputError for whatever is wrong with it, such as a run that occurs twice."""
    if not os.path.exists(path):  # noqa: PTH110 - never raises, whatever the name
        raise InputError(f"{path} is no table of runs: `python -m reproductions runs RUN... --out FILE` writes one")
    table = read(path, "runs.csv")
    twice = table.duplicated(list(_NAME))
    if twice.any():
        run = ", ".join(str(value) for value in table[twice].iloc[0][list(_NAME)])
        raise InputError(f"{path}: the run {run} must occur once")
    for names in sorted(set(zip(table.domain, table.problem, table.scale, strict=True))):
        _must_be_known(path, *names)
    return table.sort_values(list(_NAME), ignore_index=True)  # so that no sum depends on the order of rows


def passed_over(table: pd.DataFrame) -> list[str]:
    """What of a table of runs no claim is judged by though it may be meant, a line each; and what claims ask for in vain.

    Columns that it does not have, runs of methods and variants that the suite does not have, or not any more, and claims about
    columns and methods that no runs have.
    """
    claims = all_claims()
    faults = filter(None, map(registry.fault, registry.domains()))
    lacking = sorted(({claim.column.partition(".")[0] for claim in claims} & RunRow.model_fields.keys()) - {*table})
    lines = [f"there is no column {', '.join(lacking)}: claims about it are not judged"] if lacking else []
    variants = {DEFAULT, *configuration.read(ROOT / "config" / "config.yaml")["variants"]}
    lines += [f"{fault}: nothing is judged of it" for fault in faults]
    lines += [line for claim in claims for line in asked_in_vain(claim, variants)]
    named = Counter(zip(table.domain, table.method, table.variant, strict=True))
    for (domain, method, variant), runs in sorted(named.items()):
        methods = _methods(registry.sweep(domain))
        nothing = f"nothing is judged by its {runs} run(s)"
        if method not in methods:
            lines.append(f"method = {shown(method)} of {domain} is none of {methods}: {nothing}")
        elif variant not in variants:
            lines.append(f"variant = {shown(variant)} of {domain} {method} is none that is configured: {nothing}")
    return lines + _beyond_the_scale(table)


def _beyond_the_scale(table: pd.DataFrame) -> list[str]:
    """Runs on problems that their scale does not have: ``contrasts`` leaves them out where it has others."""
    lines = []
    named = Counter(zip(table.domain, table.scale, table.problem, strict=True))
    for (domain, scale, problem), runs in sorted(named.items()):
        problems = list(registry.sweep(domain).SCALES[scale].problems)
        asked = table[(table.domain == domain) & (table.scale == scale)].problem.isin(problems).any()
        if problem not in problems and asked:
            rule = f"is none of the scale {scale}, {problems}: its {runs} run(s) are left out beside those of these"
            lines.append(f"problem = {shown(problem)} of {domain} {rule}")
    return lines


def asked_in_vain(claim: Claim, variants: Collection[str]) -> list[str]:
    """What a claim asks for that no run can have, a line each: its column, a hyperparameter, methods and their ``variants``."""
    sweep = registry.sweep(claim.domain)
    who = f"claim {shown(claim.text)} of {claim.domain}"
    column, _, key = claim.column.partition(".")
    known = set(sweep.SPACE) | set(sweep.MEASURE.labels) | set(sweep.MEASURE.logarithmic)
    lines = []
    if column not in _MEASURED or (column == "trends") != bool(key):
        rule = f"must be one of {sorted({*_MEASURED} - {'trends'})}, or trends.HYPERPARAMETER"
        lines.append(f"{who}: column = {shown(claim.column)} {rule}")
    elif key and not set(key.split("/")) <= known:
        lines.append(f"{who}: column = {shown(claim.column)}: the hyperparameter must be one of {sorted(known)}")
    for name in claim.weights:
        method, variant = parse_label(name)
        if method not in (methods := _methods(sweep)):
            lines.append(f"{who}: weights: {shown(name)} must be one of {methods}, or of a variant of one")
        elif variant not in variants:
            lines.append(f"{who}: weights: the variant of {shown(name)} must be one that is configured")
    return lines


def _must_be_known(path: Path, domain: str, problem: str, scale: str) -> None:
    """InputError unless the suite has these: of another domain or problem no claim, margin or anchor is known.

    Methods that it does not have any more stay in tables: nothing is judged by them (``passed_over``).
    """
    for column, value, known in (
        ("domain", domain, registry.domains),
        ("problem", problem, lambda: registry.sweep(domain).PROBLEMS),
        ("scale", scale, lambda: registry.sweep(domain).SCALES),
    ):
        if value not in (names := list(known())):
            of_domain = "" if column == "domain" else f" of {domain}"
            raise InputError(f"{path}: {column} = {shown(value)}{of_domain} must be one of {names}")


def _methods(sweep: Any) -> list[str]:
    """The methods of a domain at any scale, and the replay of one."""
    return list(
        dict.fromkeys([*sweep.METHODS, *(name for scale in sweep.SCALES.values() for name in scale.methods), "replay"])
    )


def one_row_a_run(runs: pd.DataFrame) -> pd.DataFrame:
    """A table of runs in its order; of several rows of one run the last is the one that counts."""
    key = list(_NAME)
    return runs.drop_duplicates(key, keep="last").sort_values(key)
