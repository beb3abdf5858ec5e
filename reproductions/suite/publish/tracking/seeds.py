"""One training run, a method with a seed: its settings, its results and its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Param

from reproductions.suite.publish.tracking import members, names
from reproductions.suite.publish.tracking.client import DIGEST, KEY, LAYOUT, log
from reproductions.suite.publish.tracking.points import Curve, metrics, training_period
from reproductions.suite.publish.tracking.words import flat, metric_name, short, words
from reproductions.suite.results.records import Record
from reproductions.suite.results.tables import final_scores
from reproductions.suite.study import registry
from reproductions.suite.study.inputs import read_bytes
from reproductions.suite.study.registry import ConfigError

FILES = ("summary.json", "lineage.json", "events.parquet")
#: The settings that are written. How a run was carried out is left out: it would hide the settings that differ.
REQUESTED = ("problem", "method", "variant", "seed", "population", "steps", "interval", "search", "task")


def digest(record: Record) -> str:
    """SHA-256 of all that is written of a run."""
    sha = hashlib.sha256(str(LAYOUT).encode())
    for name in FILES:
        sha.update(hashlib.sha256(read_bytes(record.folder / name)).digest())
    return sha.hexdigest()


def write(client: MlflowClient, experiment: str, record: Record) -> None:
    """Write a training run and its members. Its method becomes its parent later (``methods``)."""
    summary, period = record.summary, training_period(record)
    points, not_finite = metrics(dict(_curves(record)), _values(record), period)
    tags = names.identity(record, "seed")
    tags |= {
        KEY: names.key(tags),
        "mlflow.source.git.commit": str(summary["commit"]),
        **{name: str(summary[name]) for name in ("member_steps", "cloned", "diverged", "failed", "wall_s")},
        **_answer(summary["final"]),
        **not_finite,
    }
    run = client.create_run(experiment, start_time=period.begun, tags=tags, run_name=names.run_name(tags)).info.run_id
    log(client, run, points, parameters(record))
    for name in FILES:
        client.log_artifact(run, str(record.folder / name))
    members.write(client, experiment, record, run)
    client.set_terminated(run, end_time=period.ended)
    client.set_tag(run, DIGEST, digest(record))


def _curves(record: Record) -> Iterator[tuple[str, Curve]]:
    """The reported score of the member that was best until then; none where nothing was ever finite."""
    if not record.evaluations.empty:
        curve = record.best_so_far(reported=bool(record.evaluations["held_out"].notna().any())).dropna()
        yield "best_so_far", list(zip(curve.index.tolist(), curve.tolist(), strict=True))


def _values(record: Record) -> dict[str, float]:
    """The reported scores of the run's answer and of the best ever member, and the cost; NaN where there is none."""
    final, best = (float(final_scores([record], kind).reported[0]) for kind in ("final", "best"))
    return {"final": final, "best": best, "cpu_s": float(record.summary["cpu_s"])}


def _answer(final: dict[str, Any] | None) -> dict[str, str]:
    """The member that the run ended with as its best, and its hyperparameters then."""
    if final is None:
        return {}
    values = final["hyperparameters"].items()
    settings = ", ".join(f"{name} = {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in values)
    return {"final_member": str(final["member"]), "final_hyperparameters": short(settings)}


def parameters(record: Record) -> list[Param]:
    """The settings of a run; of the task's settings only those that differ from its scale's and problem's.

    Settings without a value are left out: they would hide those that differ.
    """
    settings = record.summary["settings"]
    try:
        sweep = registry.sweep(settings["domain"])
        usual = {**sweep.SCALES[settings["scale"]].task, **sweep.PROBLEMS[settings["problem"]]}
    except (ConfigError, KeyError):  # a run of an older suite
        usual = {}
    requested = {name: settings[name] for name in REQUESTED if name in settings}
    if isinstance(requested.get("task"), dict):
        requested["task"] = {
            name: value for name, value in requested["task"].items() if _json(value) != _json(usual.get(name))
        }
    stated = ((path, value) for path, value in flat(requested) if value not in (None, [], {}))
    return [Param(metric_name(path), short(words(value))) for path, value in stated]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=list)
