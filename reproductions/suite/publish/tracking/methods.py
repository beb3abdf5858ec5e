"""A method on a problem, summed up over its seeds: what a reader compares.

It is made from the training runs that the store holds, whenever they were written, so that a seed that came later counts. A
seed without a finite score is never left out of a mean: there is none then, as in the tables, and a tag names the seed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from itertools import groupby

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Param, Run

from reproductions.suite.publish.tracking import names
from reproductions.suite.publish.tracking.client import DIGEST, KEY, LAYOUT, by_key, is_current, log, runs
from reproductions.suite.publish.tracking.points import NOT_FINITE, Curve, Period, metrics
from reproductions.suite.results import statistics

PARENT = "mlflow.parentRunId"


def summarise(client: MlflowClient, experiment: str) -> list[str]:
    """Write a parent for the seeds of each method whose seeds have changed; returns the keys of those that were written."""
    seeds = [
        run
        for run in runs(client, experiment, "tags.kind = 'seed'")
        if DIGEST in run.data.tags and names.is_named(run, names.SEED)
    ]
    written = by_key(runs(client, experiment, "tags.kind = 'method'"))
    written.pop("", None)  # somebody else's
    seeds.sort(key=lambda run: (_method(run), int(run.data.tags["seed"])))
    fresh = []
    for key, group in groupby(seeds, _method):
        children = list(group)
        former, digest = written.pop(key, []), _digest(children)
        if not is_current(former, digest, _tags(children)):
            _write(client, experiment, children, digest)
            for run in former:
                client.delete_run(run.info.run_id)
            fresh.append(key)
    for run in (run for gone in written.values() for run in gone):
        client.delete_run(run.info.run_id)
    return fresh


def _method(run: Run) -> str:
    return names.key(run.data.tags, names.METHOD)


def _digest(seeds: Sequence[Run]) -> str:
    made_from = [LAYOUT, [(run.info.run_id, run.data.tags[DIGEST]) for run in seeds]]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def _write(client: MlflowClient, experiment: str, seeds: Sequence[Run], digest: str) -> None:
    curve = mean_curve({run.data.tags["seed"]: _curve(client, run) for run in seeds})
    start, end = min(run.info.start_time for run in seeds), max(run.info.end_time for run in seeds)
    period = Period(start, end, max((step for step, _ in curve), default=0))
    # A value that is missing has a tag instead, which names the seeds at fault.
    values = {name: value for name, value in _values(seeds).items() if math.isfinite(value)}
    points, _ = metrics({"best_so_far": curve}, values, period)
    tags = _tags(seeds) | {"mlflow.note.content": NOTE, **without_score(seeds)}
    name = names.run_name(tags)
    method = client.create_run(experiment, start_time=start, tags=tags, run_name=name).info.run_id
    log(client, method, points, common(seeds))
    for run in seeds:
        client.set_tag(run.info.run_id, PARENT, method)
    client.set_terminated(method, end_time=end)
    client.set_tag(method, DIGEST, digest)


def _tags(seeds: Sequence[Run]) -> dict[str, str]:
    """What the method of these seeds is filtered and grouped by."""
    first = seeds[0].data.tags
    named = {name: first[name] for name in ("domain", *names.METHOD)}
    return {
        "kind": "method",
        **named,
        KEY: _method(seeds[0]),
        "seeds": ", ".join(run.data.tags["seed"] for run in seeds),
    }


NOTE = (
    "Means over the seeds, which are the child runs. `final` is the reported score of the member that a run ended with as "
    "its best, `final_low` and `final_high` are the ends of its 95 % interval (bootstrap over seeds), `best` is that of the "
    "best member at any time, `cpu_s` the CPU seconds of a run. The run begins with the first seed and ends with the last."
)


def _values(seeds: Sequence[Run]) -> dict[str, float]:
    final = statistics.mean(_each(seeds, "final"))
    best, cost = (statistics.mean(_each(seeds, name)).value for name in ("best", "cpu_s"))
    low_high = {"final_low": final.low, "final_high": final.high}
    return {"final": final.value, **low_high, "best": best, "cpu_s": cost, "seeds": float(len(seeds))}


def _each(seeds: Sequence[Run], name: str) -> list[float]:
    return [run.data.metrics.get(name, math.nan) for run in seeds]


def without_score(seeds: Sequence[Run]) -> dict[str, str]:
    """The tag that names the seeds without a finite final score, for which their method has no mean."""
    lacking = [run.data.tags["seed"] for run in seeds if "final" not in run.data.metrics]
    return {NOT_FINITE: f"final of seed{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"} if lacking else {}


def common(seeds: Sequence[Run]) -> list[Param]:
    """The settings that all seeds have in common."""
    first, *others = [run.data.params for run in seeds]
    return [
        Param(name, value)
        for name, value in first.items()
        if name != "seed" and all(other.get(name) == value for other in others)
    ]


def _curve(client: MlflowClient, seed: Run) -> Curve:
    history = client.get_metric_history(seed.info.run_id, "best_so_far")
    return sorted((point.step, point.value) for point in history)


def mean_curve(curves: dict[str, Curve]) -> list[tuple[int, float]]:
    """The mean over seeds of the best score so far, from the first step on at which every seed has a score.

    Seeds that were evaluated at other steps keep their last value between them: a best-so-far curve is a step function.
    """
    series = {seed: pd.Series(dict(curve), dtype=float) for seed, curve in curves.items()}
    mean = pd.DataFrame(series).sort_index().ffill().dropna().mean(axis=1)
    return list(zip(mean.index.tolist(), mean.tolist(), strict=True))
