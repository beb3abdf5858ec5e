"""What waiting costs: simulated runs of one method that differ in how members wait for each other, and in the stragglers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import pandas as pd
from pydantic import ConfigDict, Field, ValidationError

from reproductions.suite.results import statistics
from reproductions.suite.results.records import Record
from reproductions.suite.results.schemas import Count, Document
from reproductions.suite.running.clusters import ClusterFile
from reproductions.suite.study.inputs import InputError, first_violation, shown
from reproductions.suite.study.registry import ConfigError

#: Keys of a cluster that may differ among the runs of one comparison.
VARIED = ("stragglers", "slowdown")
SYNCHRONOUS, ASYNCHRONOUS = "synchronous", "asynchronous"


class Simulated(Document):
    """What is read of ``execution`` in the summary of a simulated run."""

    model_config = ConfigDict(extra="ignore")

    cluster: ClusterFile
    staleness: Annotated[Count, Field(ge=1)] | None


def simulated(record: Record) -> Simulated:
    """How a run was simulated. ConfigError in one line for one that was not, or whose summary cannot be."""
    execution = record.summary.get("execution") or {}
    if execution.get("engine") != "simulated":
        raise ConfigError(f"{record.folder}: its engine must be 'simulated'")
    try:
        # As JSON, in which nothing but a list stands for a tuple and no truth value for a number.
        return Simulated.model_validate_json(json.dumps(execution), strict=True)
    except ValidationError as error:
        raise InputError(f"{record.folder / 'summary.json'}: {first_violation(error, 'execution')}") from None


def mode(record: Record) -> str:
    """How members wait for each other: synchronous, asynchronous, or at most so many intervals ahead."""
    if record.summary["settings"]["synchronous"]:
        return SYNCHRONOUS
    staleness = simulated(record).staleness
    return ASYNCHRONOUS if staleness is None else f"at most {staleness} ahead"


def runs(records: Sequence[Record]) -> pd.DataFrame:
    """One row a run: stragglers (the share of intervals), slowdown, mode, seed, virtual wall seconds, reported score.

    ``difference`` is the score less that of the synchronous run with the same seed and the same stragglers. ConfigError in
    one line for runs that were not simulated, or differ in anything else.
    """
    rows: list[dict[str, Any]] = []
    for record in records:
        cluster = simulated(record).cluster.model_dump(mode="json")
        alike = {key: record.summary[key] for key in ("domain", "problem", "method", "scale")}
        alike |= {key: value for key, value in cluster.items() if key not in VARIED}
        rows.append(
            {**{key: cluster[key] for key in VARIED}, "mode": mode(record), "seed": record.seed,
             "wall_s": record.summary["wall_s"], "score": record.reported()}
        )  # fmt: skip
        if (first := rows[0].setdefault("alike", alike)) != alike:
            key = next(key for key in alike if alike[key] != first[key])
            raise ConfigError(
                f"{record.folder}: {key} = {shown(alike[key])} must be {shown(first[key])} as in {records[0].folder}: "
                f"runs of a comparison differ in mode, seed and {' and '.join(VARIED)} alone"
            )
    frame = pd.DataFrame(rows).drop(columns="alike")
    keys = [*VARIED, "seed"]
    if len(twice := frame[frame.duplicated([*keys, "mode"])]):
        raise ConfigError(f"two runs have the same mode, stragglers and seed {twice.seed.iloc[0]}")
    frame["score"] = frame["score"].astype(float)  # NaN for a run without one
    rounds = frame[frame["mode"] == SYNCHRONOUS].set_index(keys)["score"].rename("of_rounds")
    frame["difference"] = frame["score"] - frame.join(rounds, keys)["of_rounds"]
    return frame.sort_values([*VARIED, "mode", "seed"], kind="stable", ignore_index=True)


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each share of stragglers and mode: means over seeds with Student's 95 % intervals."""
    rows = []
    for (share, slowdown, name), group in frame.groupby([*VARIED, "mode"], sort=False):
        row: dict[str, Any] = {"stragglers": share, "slowdown": slowdown, "mode": name, "seeds": len(group)}
        for column in ("wall_s", "score", "difference"):
            estimate = statistics.student_mean(list(group[column]))
            row |= {column: estimate.value, f"{column}_low": estimate.low, f"{column}_high": estimate.high}
        rows.append(row)
    return pd.DataFrame(rows)
