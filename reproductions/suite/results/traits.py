"""What the record of a run shows beyond its scores, as one row of numbers: what claims about populations are judged by."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

from scipy import stats

from reproductions.suite.results.records import Record
from reproductions.suite.study import registry


def traits(record: Record) -> dict[str, Any]:
    """The traits of a finished run.

    clock_steps: the virtual wall-clock of ``Record``.
    founders: how many initial members the final members descend from.
    common_ancestor: the share of the longest training until which the lineages of all final members are one (0: never):
        how early the population's last common ancestor lived.
    trends: JSON, by hyperparameter, the rank correlation (Spearman) of its value with the steps along the lineage of the
        answer's weights: -1 falls throughout, 1 rises throughout. ``a/b`` is the ratio of two that are measured on
        logarithmic scales: whether they part. 0 for what never changed: it has no trend.
    """
    lineage = record.lineage
    return {
        "clock_steps": record.clock_steps,
        "founders": len({lineage.founder(member) for member in lineage.members}),
        "common_ancestor": common_ancestor(record),
        "trends": json.dumps(trends(record)),
    }


def common_ancestor(record: Record) -> float:
    """See ``traits``."""
    # Weights are the same as long as the same member trained them from the same of its steps on.
    paths = [record.lineage.schedule(member) for member in record.lineage.members]
    shared = 0
    for segments in zip(*paths, strict=False):
        if len({(segment.member, segment.member_step) for segment in segments}) > 1:
            break
        shared = segments[0].stop
    longest = max(
        (path[-1].stop for path in paths if path), default=1
    )  # asynchronous weights may be older than any member
    return round(shared / longest, 4)


def trends(record: Record) -> dict[str, float]:
    """See ``traits``; rounded, so that the last bits of a library do not matter."""
    if record.lineage.best is None:
        return {}
    path = record.lineage.schedule()
    courses = {
        name: [segment.hyperparameters[name] for segment in path]
        for name, value in path[0].hyperparameters.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    logarithmic = [name for name in registry.sweep(record.summary["domain"]).MEASURE.logarithmic if name in courses]
    for above, below in combinations(logarithmic, 2):
        courses[f"{above}/{below}"] = [a / b for a, b in zip(courses[above], courses[below], strict=True)]
    starts = [segment.start for segment in path]
    return {
        name: round(float(stats.spearmanr(starts, values).statistic), 4) if len(set(values)) > 1 else 0.0
        for name, values in courses.items()
    }
