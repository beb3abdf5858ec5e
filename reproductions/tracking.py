"""Finished runs into MLflow, after the fact, by one writer. The only module that imports mlflow.

Experiment: the domain. Parent run: (scale, problem, method, variant, seed), with the settings as parameters, best-so-far
curves and the winner's hyperparameters as metrics, tables of the lineage as tags, and files as artifacts. Child runs: the
members, with scores and hyperparameters as metrics over steps (hyperparameters change, which MLflow's parameters may not).
All of them have the tags ``kind`` (run or member), domain, scale, problem, method, variant and seed, to filter, group and
compare by. Figures are artifacts of runs of their own, in the experiment ``figures``. Writing the same again changes nothing:
runs are found again by a tag with a digest of what they were made from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from reproductions.records import Record

# Before mlflow is imported: it would phone home, and start job runners that nobody needs.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

#: What identifies a parent run within its experiment.
IDENTITY = ("scale", "problem", "method", "variant", "seed")
#: MLflow's limit for one call.
BATCH = 1000
#: Longer parameters are cut: side by side, one schedule a member would hide what else differs.
LONGEST = 200
#: To be raised when what is written changes, so that runs that were written before are written again.
LAYOUT = 3
#: Of the two views of MLflow's pages, that for models which are trained.
_VIEW = "workflowType=machine_learning"
DIGEST = "pbt.record"
KEY = "pbt.key"


def track(records: Sequence[Record], uri: str, artifacts: Path) -> list[str]:
    """Write runs to the tracking store at ``uri``; returns the keys of those that were new or had changed.

    ``artifacts`` is where MLflow keeps files.
    """
    client = MlflowClient(tracking_uri=uri)
    written = []
    for record in records:
        experiment = _experiment(client, record.summary["domain"], artifacts)
        key, digest = run_key(record), _digest(record)
        if not _is_written(client, experiment, key, digest):
            _write(client, experiment, record, key, digest)
            written.append(key)
    return written


def track_figures(folder: Path, uri: str, artifacts: Path) -> bool:
    """Write the PNG figures in ``folder`` (STUDY/EXPERIMENT) as a run of their own; whether they were new or had changed."""
    client = MlflowClient(tracking_uri=uri)
    experiment = _experiment(client, "figures", artifacts)
    figures = sorted(folder.glob("*.png"))
    digest = hashlib.sha256(b"".join([str(LAYOUT).encode(), *(path.read_bytes() for path in figures)])).hexdigest()
    name, study = folder.name, folder.parent.name
    key = f"{study}/{name}"
    if not figures or _is_written(client, experiment, key, digest):
        return False
    tags = {KEY: key, "kind": "figures", "study": study, "experiment": name}
    run = client.create_run(experiment, tags=tags, run_name=f"{name} ({study})").info.run_id
    for figure in figures:
        client.log_artifact(run, str(figure))
    client.set_terminated(run)
    client.set_tag(run, DIGEST, digest)
    return True


def _is_written(client: MlflowClient, experiment: str, key: str, digest: str) -> bool:
    """Whether the very same is there already; what has changed since, or was cut off while it was written, is removed."""
    found = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=10)
    if len(found) == 1 and found[0].data.tags.get(DIGEST) == digest:
        return True
    for old in found:
        _delete(client, experiment, old.info.run_id)
    return False


def run_key(record: Record) -> str:
    """The identity of a parent run as one string."""
    return "/".join(str(record.summary[name]) for name in IDENTITY)


def run_name(record: Record, member: int | None = None) -> str:
    """Short, and what differs first, since legends and columns cut off the end: such as ``pbt s0 m3 ms_pacman``.

    That is member 3 of PBT with seed 0; without ``member`` the parent run. The scale is told where it is not the usual one.
    """
    scale = record.summary["scale"]
    parts = [record.method, f"s{record.seed}", f"m{member}" if member is not None else "", record.problem]
    return " ".join(filter(None, [*parts, scale if scale != "laptop" else ""]))


def _identity(record: Record, kind: str) -> dict[str, str]:
    return {"kind": kind, **{field: str(record.summary[field]) for field in ("domain", *IDENTITY)}}


def _experiment(client: MlflowClient, name: str, artifacts: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=(artifacts / name).absolute().as_uri()))


def _digest(record: Record) -> str:
    told = json.dumps([LAYOUT, record.summary, record.events], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _delete(client: MlflowClient, experiment: str, run_id: str) -> None:
    for child in client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'", max_results=1000):
        client.delete_run(child.info.run_id)
    client.delete_run(run_id)


def _write(client: MlflowClient, experiment: str, record: Record, key: str, digest: str) -> None:
    summary = record.summary
    lineage = record.lineage
    tags = {
        KEY: key,
        **_identity(record, "run"),
        "pbt.commit": str(summary["commit"]),
        "pbt.best_member": str(lineage.best),
        "pbt.founders": json.dumps({member: lineage.founder(member) for member in lineage.members}),
    }
    parent = client.create_run(experiment, tags=tags, run_name=run_name(record)).info.run_id
    # What is not set is left out: it would only stand in the way of what differs.
    params = [
        Param(path, _short(_words(value))) for path, value in _flat(summary["settings"]) if value not in (None, [], {})
    ]
    _log(client, parent, _parent_metrics(record), params)
    for file in ("summary.json", "lineage.json", "events.parquet"):
        client.log_artifact(parent, str(record.folder / file))
    for member in lineage.members:
        _write_member(client, experiment, record, parent, member)
    client.set_terminated(parent)
    # Last, so that a run that was cut off is written again.
    client.set_tag(parent, DIGEST, digest)


def _write_member(client: MlflowClient, experiment: str, record: Record, parent: str, member: int) -> None:
    clones = [event for event in record.lineage.clones if event["member"] == member]
    tags = {
        "mlflow.parentRunId": parent,
        **_identity(record, "member"),
        "member": str(member),
        "pbt.founder": str(record.lineage.founder(member)),
        "pbt.parents": json.dumps([[event["step"], event["parent"]] for event in clones]),
        "pbt.is_best": str(member == record.lineage.best),
    }
    run = client.create_run(experiment, tags=tags, run_name=run_name(record, member)).info.run_id
    own = record.evaluations[record.evaluations["member"] == member]
    metrics = []
    for row in own.to_dict("records"):
        step = int(row.pop("step"))
        row.pop("member")
        metrics += [_metric(str(key), value, step) for key, value in row.items() if _is_number(value)]
    _log(client, run, metrics, [])
    client.set_terminated(run)


def _parent_metrics(record: Record) -> list[Metric]:
    summary = record.summary
    metrics = []
    for reported in (False, True):
        curve = record.best_so_far(reported).dropna()
        name = "best_so_far_held_out" if reported else "best_so_far"
        metrics += [_metric(name, value, int(step)) for step, value in zip(curve.index, curve, strict=True)]
    for kind in ("final", "best"):
        for name in ("score", "held_out"):
            value = (summary[kind] or {}).get(name)
            if value is not None and _is_number(value):
                metrics.append(_metric(f"{kind}_{name}", value, 0))
    for name, value in (summary["final"] or {}).get("hyperparameters", {}).items():
        if _is_number(value):  # beside the scores, since the comparison's plots have metrics and parameters for axes
            metrics.append(_metric(f"winner_{name}", value, 0))
    for name in ("member_steps", "cloned", "diverged", "failed", "cpu_s", "wall_s"):
        metrics.append(_metric(name, summary[name], 0))
    return metrics


def _metric(key: str, value: float, step: int) -> Metric:
    # A fixed time: MLflow would otherwise order equal steps by when they were written.
    return Metric(key, float(value), 0, step)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _log(client: MlflowClient, run_id: str, metrics: Sequence[Metric], params: Sequence[Param]) -> None:
    for start in range(0, len(params), 100):
        client.log_batch(run_id, params=params[start : start + 100])
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as (dotted path, value) pairs; lists stay whole."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _words(value: Any) -> str:
    """A value in one line, such as ``perturb factors=(1.2, 0.8)``: JSON is spread over many lines by MLflow's pages."""
    if isinstance(value, dict):
        told = [str(value["kind"])] if "kind" in value else []
        told += [f"{key}=({_words(item)})" if isinstance(item, dict | list) else f"{key}={item}"
                 for key, item in value.items() if key != "kind"]  # fmt: skip
        return " ".join(told)
    if isinstance(value, list):
        return ("; " if any(isinstance(item, dict) for item in value) else ", ").join(map(_words, value))
    return str(value)


def _short(words: str) -> str:
    """Long words by their beginning and a digest: equal ones still look equal. The whole is in summary.json."""
    if len(words) <= LONGEST:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return f"{words[: LONGEST - 40]}... ({len(words)} characters, {digest})"


def pages(uri: str) -> dict[str, str]:
    """What is worth opening in MLflow's pages, each as the end of the server's address.

    The runs of every experiment, since from the list of experiments MLflow leads to its view for language models; and where
    an experiment has several methods, those on one problem and seed side by side.
    """
    client = MlflowClient(tracking_uri=uri)
    told = {}
    for experiment in client.search_experiments(order_by=["name ASC"]):
        if not client.search_runs([experiment.experiment_id], max_results=1):
            continue  # such as MLflow's own "Default", which every store has
        groups: dict[tuple[str, ...], list[str]] = {}
        for run in client.search_runs([experiment.experiment_id], "tags.kind = 'run'", max_results=1000):
            if DIGEST in run.data.tags:  # else it was cut off while it was written
                group = tuple(run.data.tags[name] for name in ("scale", "problem", "seed"))
                groups.setdefault(group, []).append(run.info.run_id)
        told[f"runs of {experiment.name}"] = f"/#/experiments/{experiment.experiment_id}/runs?{_VIEW}"
        if not groups:
            continue
        most = max(sorted(groups), key=lambda group: len(groups[group]))
        if len(groups[most]) > 1:
            chosen = {"runs": groups[most], "experiments": [experiment.experiment_id]}
            query = urlencode({key: json.dumps(ids, separators=(",", ":")) for key, ids in chosen.items()})
            told[f"methods of {experiment.name} side by side"] = f"/#/compare-runs?{query}&{_VIEW}"
    return told
