"""What the record of a run shows beyond its scores, as one row of numbers: what claims about populations are judged by."""

from __future__ import annotations

import json
from typing import Any

from scipy import stats

from reproductions.suite.results.records import Record


def traits(record: Record) -> dict[str, Any]:
    """The traits of a finished run.

    clock_steps: the virtual wall-clock of ``Record``.
    founders: how many initial members the final members descend from.
    trends: JSON, by hyperparameter, the rank correlation (Spearman) of its value with the steps along the lineage of the
        answer's weights: -1 falls throughout, 1 rises throughout. Without hyperparameters that never changed.
    """
    lineage = record.lineage
    return {
        "clock_steps": record.clock_steps,
        "founders": len({lineage.founder(member) for member in lineage.members}),
        "trends": json.dumps(trends(record)),
    }


def trends(record: Record) -> dict[str, float]:
    """See ``traits``; rounded, so that the last bits of a library do not matter."""
    if record.lineage.best is None:
        return {}
    path = record.lineage.schedule()
    correlations = {}
    for name in path[0].hyperparameters:
        values = [segment.hyperparameters[name] for segment in path]
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        if numeric and len(set(values)) > 1:
            correlations[name] = round(float(stats.spearmanr([segment.start for segment in path], values).statistic), 4)
    return correlations
