"""Schemas of the tables that studies leave: one model for the rows of each kind of CSV file, checked when it is read.

CSV files have nothing but text in them, so these models read it. Columns that a model does not have are errors: they come from
another version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reproductions.suite.results.schemas import Count, Digest, Name, Seconds, Seed, Words
from reproductions.suite.results.words import Fixed, Size, Verdict
from reproductions.suite.study.inputs import InputError, parsed_json, shown


def _is_trends(text: str) -> str:
    try:
        trends = parsed_json("trends", text)
    except InputError:
        trends = None
    if not isinstance(trends, dict) or not all(
        type(value) in (int, float) and abs(value) <= 1 for value in trends.values()
    ):
        raise ValueError(f"{shown(text)} must be JSON: numbers between -1 and 1, by hyperparameter")
    return text


def _is_date(text: str) -> str:
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise ValueError(f"{shown(text)} must be a date such as 2026-11-22T21:44:00Z") from None
    return text


class Row(BaseModel):
    """The base of a row of a CSV file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RunRow(Row):
    """A run in ``runs.csv``. A run without a finite score has none of the four scores."""

    domain: Name
    problem: Name
    method: Name
    variant: Name
    seed: Seed
    scale: Name
    budget_steps: Count | None = None
    member_steps: Count | None = None
    cloned: Count | None = None
    diverged: Count | None = None
    failed: Count | None = None
    final_selected: float | None
    final_reported: float | None
    best_selected: float | None = None
    best_reported: float | None = None
    clock_steps: Annotated[float, Field(ge=0)] | None = None
    founders: Annotated[float, Field(ge=0)] | None = None
    common_ancestor: Annotated[float, Field(ge=0, le=1)] | None = None
    trends: Annotated[str, AfterValidator(_is_trends)] | None = None
    begun: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"), AfterValidator(_is_date)] | None = None
    wall_s: Seconds | None = None
    cpu_s: Seconds | None = None
    train_s: Seconds | None = None
    evaluate_s: Seconds | None = None
    save_s: Seconds | None = None
    report_cpu_s: Seconds | None = None
    commit: Digest | None = None
    modified: bool | None = None
    sources: Digest | None = None


class MethodRow(Row):
    """A method in ``comparison.csv``; means of the task's own metrics are further columns."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)

    problem: Words
    method: Words
    seeds: Count
    without_score: Count = 0
    reported_final_mean: float | None
    reported_final_mean_low: float | None
    reported_final_mean_high: float | None
    member_steps_mean: float
    cpu_s_mean: float


class PairRow(Row):
    """Two methods in ``pairs.csv``."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)

    problem: Words
    method: Words
    against: Words
    seeds: Count


class NormalisedRow(Row):
    """A method in ``normalised.csv``."""

    problem: Words
    method: Words
    seeds: Count
    without_score: Count = 0
    human_normalised_mean: float | None
    human_normalised_mean_low: float | None
    human_normalised_mean_high: float | None


class VerdictRow(Row):
    """A claim in ``claims.csv``."""

    domain: Name
    claim: Words
    paper: Words
    test: Words
    ours: float | None
    ours_low: float | None
    ours_high: float | None
    unit: Words | None = None
    margin: float | None = None
    detectable: float | None = None
    size: Size | None = None
    p: float | None = None
    p_holm: float | None = None
    seeds: Count
    incomplete: Count = 0
    without_value: Count = 0
    fixed: Fixed = "not known"
    verdict: Verdict
    command: Words


class NumberRow(Row):
    """A number of the paper in ``paper.csv``."""

    domain: Name
    method: Words
    what: Words
    value: float
    mark: Literal["high", "medium", "recall"]


#: By the name of a table's file.
TABLES: dict[str, type[Row]] = {
    "runs.csv": RunRow,
    "comparison.csv": MethodRow,
    "pairs.csv": PairRow,
    "normalised.csv": NormalisedRow,
    "claims.csv": VerdictRow,
    "paper.csv": NumberRow,
}
