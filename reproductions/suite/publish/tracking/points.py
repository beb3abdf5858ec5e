"""Numbers as MLflow's metrics: when each of them was measured, and which were left out because they are not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlflow.entities import Metric

from reproductions.suite.publish.tracking.words import metric_name
from reproductions.suite.results.records import Record

NOT_FINITE = "not_finite"
#: The tag names at most so many steps.
NAMED = 8
#: MLflow takes no longer tags than 8,000 characters.
LONGEST = 2000

#: (step, value), by step.
Curve = Iterable[tuple[int, float]]


@dataclass(frozen=True)
class Period:
    """When something took place, in milliseconds since 1970, and the step that it ended at."""

    begun: int
    ended: int
    steps: int

    def at(self, step: int) -> int:
        """The time of a step. A record has no times of its own: steps are taken as evenly spread over the period."""
        share = min(1.0, step / self.steps) if self.steps else 1.0
        return self.begun + round(share * (self.ended - self.begun))


def training_period(record: Record) -> Period:
    """When the training of a run took place, from its first session to its last.

    Older summaries do not say so: then it ended when the summary was written, and began ``wall_s`` before.
    """
    begun, ended = record.summary.get("begun"), record.summary.get("ended")
    if ended is None:
        ended = (record.folder / "summary.json").stat().st_mtime
    if begun is None:
        begun = ended - record.summary["wall_s"]
    return Period(milliseconds(begun), milliseconds(ended), record.clock_steps)


def milliseconds(seconds: float) -> int:
    """Seconds since 1970 as MLflow has them."""
    return max(0, round(1000 * seconds))


def metrics(
    curves: Mapping[str, Curve], values: Mapping[str, float], period: Period
) -> tuple[list[Metric], dict[str, str]]:
    """The finite points of ``curves``, and of single ``values`` of the end; and a tag that names the others, if there are any.

    Single values have step 0, from which MLflow knows that they are no curve, and draws bars.
    """
    points, left_out = [], []
    for name, curve in curves.items():
        key, steps = metric_name(name), []
        for step, value in curve:
            if math.isfinite(value):
                points.append(Metric(key, float(value), period.at(step), step))
            else:
                steps.append(step)
        if steps:
            left_out.append(f"{name} at {_steps(steps)}")
    for name, value in values.items():
        if math.isfinite(value):
            points.append(Metric(metric_name(name), float(value), period.ended, 0))
        else:
            left_out.append(name)
    return points, {NOT_FINITE: "; ".join(left_out)[:LONGEST]} if left_out else {}


def _steps(steps: Sequence[int]) -> str:
    """Such as ``step 40`` or ``steps 10, 20, 30 and 17 more``."""
    named = ", ".join(map(str, steps[:NAMED]))
    more = f" and {len(steps) - NAMED} more" if len(steps) > NAMED else ""
    return f"step{'s' if len(steps) > 1 else ''} {named}{more}"
