"""Finished runs into MLflow, after the fact, by one writer. The only module that imports mlflow.

Experiment: the domain. Parent run: (scale, problem, method, variant, seed), with what was asked for as parameters, best-so-far
curves and the winner's hyperparameters as metrics, tables of the lineage and counts as tags, and files as artifacts. Child
runs: the members, with scores and hyperparameters as metrics over steps (hyperparameters change, which MLflow's parameters may
not). Runs begin and end when the training did. Numbers that are not finite are left out, as MLflow turns them into huge ones:
the tag ``pbt.diverged`` says so. All runs have the tags ``kind`` (run or member), domain, scale, problem, method, variant and
seed, to filter, group and compare by. Figures are artifacts of runs of their own, in the experiment ``figures``. Writing the
same again changes nothing: runs are found again by a tag with a digest of what they were made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import quote, urlencode

from reproductions.suite.publish import tracking_store
from reproductions.suite.publish.tracking_store import DATABASE, artifact_uri, store_uri
from reproductions.suite.results.records import Record
from reproductions.suite.study import registry
from reproductions.suite.study.inputs import read_bytes, shown
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.words import flat, name_of, short, words

# Before mlflow is imported: it would phone home, and start job runners that nobody needs.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import DBAPIError

#: What identifies a parent run within its experiment.
IDENTITY = ("scale", "problem", "method", "variant", "seed")
#: MLflow's limit for one call.
BATCH = 1000
#: To be raised when what is written changes, so that runs that were written before are written again.
LAYOUT = 4
#: Of the two views of MLflow's pages, that for models which are trained.
_VIEW = "workflowType=machine_learning"
DIGEST = "pbt.record"
KEY = "pbt.key"
#: The view of an experiment's table of runs that the printed links open, and the tag that MLflow's pages look it up by.
VIEW = "pbt"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
#: What stands beside the names of the runs in it, which tell method and problem: few enough to be seen without scrolling.
COLUMNS = (
    "metrics.`final_held_out`",
    "metrics.`final_score`",
    "metrics.`best_score`",
    "params.`seed`",
    "params.`variant`",
)


class StoreError(OSError):
    """MLflow's database fails while it is written to."""


def connect(store: Path) -> MlflowClient:
    """A client of the store in a folder, which is made if it is missing; what has been moved is mended.

    ConfigError, in one line with the remedy, for a store that cannot be used.
    """
    tracking_store.check(store)
    for name in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        client = MlflowClient(tracking_uri=store_uri(store))
        client.search_experiments(max_results=1)
    except (MlflowException, DBAPIError) as error:
        if "database schema" in str(error):
            raise ConfigError(
                f"{store / DATABASE}: was made by another version of MLflow: move it away and track again, or keep a copy "
                f"and run `mlflow db upgrade '{store_uri(store)}'`"
            ) from None
        raise ConfigError(
            f"{store / DATABASE}: cannot be used ({_first_line(error)}): move it away and track again"
        ) from None
    tracking_store.mend(store)
    return client


@contextlib.contextmanager
def _writing(store: Path) -> Iterator[None]:
    """StoreError for what the database, not what is written, is to blame for: a lock, a full disk, a broken file."""
    try:
        yield
    except (MlflowException, DBAPIError) as error:
        if "sqlite3." not in str(error):
            raise
        raise StoreError(f"{store / DATABASE}: {_first_line(error)}; the same command goes on from here") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


def track(records: Sequence[Record], store: Path) -> list[str]:
    """Write runs to the store in a folder; returns the keys of those that were new or had changed."""
    client = connect(store)
    written = []
    with _writing(store):
        for record in records:
            experiment = _experiment(client, record.summary["domain"], store)
            key, digest = run_key(record), _digest(record)
            if not _is_written(client, experiment, key, digest):
                _write(client, experiment, record, key, digest)
                written.append(key)
    return written


def figure_folders(studies: Sequence[Path]) -> list[Path]:
    """The folders of figures, STUDY/EXPERIMENT, in the given figures/STUDY. ConfigError for what is no such folder."""
    found = []
    for study in studies:
        if not study.is_dir():
            raise ConfigError(f"--figures {study}: must be a folder of folders of figures")
        found += sorted(path for path in study.resolve().iterdir() if path.is_dir())
    for folder in found:
        for name in (folder.name, folder.parent.name):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]*", name):
                raise ConfigError(f"--figures: the folder's name {shown(name)} must be plain letters and digits")
    return found


def track_figures(folder: Path, store: Path) -> bool:
    """Write the PNG figures in ``folder`` (STUDY/EXPERIMENT) as a run of their own; whether they were new or had changed."""
    client = connect(store)
    figures = sorted(folder.glob("*.png"))
    digest = hashlib.sha256(b"".join([str(LAYOUT).encode(), *map(read_bytes, figures)])).hexdigest()
    name, study = folder.name, folder.parent.name
    key = f"{study}/{name}"
    with _writing(store):
        experiment = _experiment(client, "figures", store)
        if not figures or _is_written(client, experiment, key, digest):
            return False
        drawn = _milliseconds(max(figure.stat().st_mtime for figure in figures))
        tags = {KEY: key, "kind": "figures", "study": study, "experiment": name}
        run = client.create_run(experiment, start_time=drawn, tags=tags, run_name=f"{name} ({study})").info.run_id
        for figure in figures:
            client.log_artifact(run, str(figure))
        client.set_terminated(run, end_time=drawn)
        client.set_tag(run, DIGEST, digest)
    return True


def _is_written(client: MlflowClient, experiment: str, key: str, digest: str) -> bool:
    """Whether the very same is there already; what has changed since, or was cut off while it was written, is removed."""
    found = _runs(client, experiment, f"tags.`{KEY}` = '{key}'")
    if len(found) == 1 and found[0].data.tags.get(DIGEST) == digest:
        return True
    for old in found:
        _delete(client, experiment, old.info.run_id)
    return False


def _runs(client: MlflowClient, experiment: str, filter_string: str) -> list[Run]:
    """All runs of an experiment that a filter lets through."""
    found: list[Run] = []
    token = None
    while token is not None or not found:
        page = client.search_runs([experiment], filter_string, max_results=1000, page_token=token)
        found += page
        if not page.token:
            break
        token = page.token
    return found


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


def _experiment(client: MlflowClient, name: str, store: Path) -> str:
    """The experiment of this name, made if it is missing; one that was deleted in MLflow's pages is taken back."""
    found = client.get_experiment_by_name(name)
    if found is None:
        number = str(client.create_experiment(name, artifact_location=artifact_uri(store, name)))
    else:
        number = str(found.experiment_id)
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(number)
    view = json.dumps({"selectedColumns": list(COLUMNS), "orderByKey": "attributes.start_time", "orderByAsc": False})
    if found is None or found.tags.get(VIEW_TAG) != view:
        client.set_experiment_tag(number, VIEW_TAG, view)
    return number


def _digest(record: Record) -> str:
    told = json.dumps([LAYOUT, record.summary, record.events], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _delete(client: MlflowClient, experiment: str, run_id: str) -> None:
    for child in _runs(client, experiment, f"tags.`mlflow.parentRunId` = '{run_id}'"):
        client.delete_run(child.info.run_id)
    client.delete_run(run_id)


def times(record: Record) -> tuple[int, int]:
    """When the training of a run began and ended, in milliseconds since 1970.

    Older summaries do not tell: then it ended when the summary was written, after as many seconds as it took.
    """
    begun, ended = record.summary.get("begun"), record.summary.get("ended")
    if ended is None:
        ended = (record.folder / "summary.json").stat().st_mtime
    if begun is None:
        begun = ended - record.summary["wall_s"]
    return _milliseconds(begun), _milliseconds(ended)


def _milliseconds(seconds: float) -> int:
    return max(0, round(1000 * seconds))


def _write(client: MlflowClient, experiment: str, record: Record, key: str, digest: str) -> None:
    lineage, (begun, ended) = record.lineage, times(record)
    tags = {
        KEY: key,
        **_identity(record, "run"),
        **_diverged(record.summary["diverged"]),
        **{f"pbt.{name}": str(record.summary[name]) for name in ("commit", "member_steps", "cloned", "failed")},
        "pbt.best_member": str(lineage.best),
        "pbt.founders": json.dumps({member: lineage.founder(member) for member in lineage.members}),
    }
    parent = client.create_run(experiment, start_time=begun, tags=tags, run_name=run_name(record)).info.run_id
    _log(client, parent, _parent_metrics(record), _params(record))
    for file in ("summary.json", "lineage.json", "events.parquet"):
        client.log_artifact(parent, str(record.folder / file))
    for member in lineage.members:
        _write_member(client, experiment, record, parent, member)
    client.set_terminated(parent, end_time=ended)
    # Last, so that a run that was cut off is written again.
    client.set_tag(parent, DIGEST, digest)


def _write_member(client: MlflowClient, experiment: str, record: Record, parent: str, member: int) -> None:
    clones = [event for event in record.lineage.clones if event["member"] == member]
    diverged = sum(event["event"] == "diverged" and event["member"] == member for event in record.events)
    begun, ended = times(record)
    tags = {
        "mlflow.parentRunId": parent,
        **_identity(record, "member"),
        **_diverged(diverged),
        "member": str(member),
        "pbt.founder": str(record.lineage.founder(member)),
        "pbt.parents": json.dumps([[event["step"], event["parent"]] for event in clones]),
        "pbt.is_best": str(member == record.lineage.best),
    }
    run = client.create_run(experiment, start_time=begun, tags=tags, run_name=run_name(record, member)).info.run_id
    metrics = []
    if not record.evaluations.empty:
        own = record.evaluations[record.evaluations["member"] == member]
        for row in own.to_dict("records"):
            step = int(row.pop("step"))
            row.pop("member")
            metrics += [_metric(record, str(key), value, step) for key, value in row.items() if _is_number(value)]
    _log(client, run, metrics, [])
    client.set_terminated(run, end_time=ended)


def _diverged(evaluations: int) -> dict[str, str]:
    """Tags of a run, or a member, some of whose scores are not finite and so in no chart."""
    return {"pbt.diverged": "true", "pbt.diverged_evaluations": str(evaluations)} if evaluations else {}


def _params(record: Record) -> list[Param]:
    """What was asked for, and of the task's settings those that are not its scale's and problem's own.

    What is not set is left out: it would only stand in the way of what differs, as would how the work was carried out.
    """
    settings = record.summary["settings"]
    try:
        sweep = registry.sweep(settings["domain"])
        usual = {**sweep.SCALES[settings["scale"]].task, **sweep.PROBLEMS[settings["problem"]]}
    except (ConfigError, KeyError):  # a run of an older suite
        usual = {}
    names = ("problem", "method", "variant", "seed", "population", "steps", "interval", "search", "task")
    asked = {name: settings[name] for name in names if name in settings}
    if isinstance(asked.get("task"), dict):
        asked["task"] = {name: value for name, value in asked["task"].items() if _json(value) != _json(usual.get(name))}
    told = ((path, value) for path, value in flat(asked) if value not in (None, [], {}))
    return [Param(name_of(path), short(words(value))) for path, value in told]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=list)


def _parent_metrics(record: Record) -> list[Metric]:
    summary = record.summary
    metrics = []
    for reported in (False, True) if not record.evaluations.empty else ():
        curve = record.best_so_far(reported).dropna()
        name = "best_so_far_held_out" if reported else "best_so_far"
        told = zip(curve.index, curve, strict=True)
        metrics += [_metric(record, name, value, int(step)) for step, value in told if _is_number(value)]
    single = {
        f"{kind}_{name}": (summary[kind] or {}).get(name)
        for kind in ("final", "best")
        for name in ("score", "held_out")
    }
    # Beside the scores, since the comparison's plots have metrics and parameters for axes.
    winner = (summary["final"] or {}).get("hyperparameters", {})
    single |= {f"winner_{name}": value for name, value in winner.items()}
    single["cpu_s"] = summary["cpu_s"]
    return metrics + [_metric(record, name, value, 0) for name, value in single.items() if _is_number(value)]


def _metric(record: Record, key: str, value: float, step: int) -> Metric:
    # A fixed time: MLflow would otherwise order equal steps by when they were written.
    return Metric(name_of(key), float(value), times(record)[0], step)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _log(client: MlflowClient, run_id: str, metrics: Sequence[Metric], params: Sequence[Param]) -> None:
    for start in range(0, len(params), 100):
        client.log_batch(run_id, params=params[start : start + 100])
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def pages(store: Path) -> dict[str, str]:
    """What is worth opening in MLflow's pages, each as the end of the server's address.

    The runs of every experiment, since from the list of experiments MLflow leads to its view for language models; and where
    an experiment has several methods, those on one problem and seed side by side: their charts, and what differs between them.
    """
    client = connect(store)
    told = {}
    for experiment in client.search_experiments(order_by=["name ASC"]):
        number = experiment.experiment_id
        if not client.search_runs([number], max_results=1):
            continue  # such as MLflow's own "Default", which every store has
        shared = {"viewStateShareKey": VIEW} if VIEW_TAG in experiment.tags else {}
        told[f"runs of {experiment.name}"] = f"/#/experiments/{number}/runs?{_query(shared)}"
        groups: dict[tuple[str, ...], list[str]] = {}
        for run in _runs(client, number, "tags.kind = 'run'"):
            if DIGEST in run.data.tags:  # else it was cut off while it was written
                group = tuple(run.data.tags[name] for name in ("scale", "problem", "seed"))
                groups.setdefault(group, []).append(run.info.run_id)
        most = max(sorted(groups), key=lambda group: len(groups[group]), default=None)
        if most is None or len(groups[most]) < 2:
            continue
        same = zip(("scale", "problem", "seed"), most, strict=True)
        filtered = " and ".join(["tags.kind = 'run'", *(f"tags.{name} = '{value}'" for name, value in same)])
        charts = {"searchFilter": filtered, "compareRunsMode": "CHART"}
        told[f"charts of {experiment.name}, methods side by side"] = f"/#/experiments/{number}/runs?{_query(charts)}"
        chosen = {"runs": groups[most], "experiments": [number]}
        differences = {key: json.dumps(ids, separators=(",", ":")) for key, ids in chosen.items()}
        told[f"differences of {experiment.name}'s methods"] = f"/#/compare-runs?{_query(differences)}"
    return told


def _query(options: dict[str, str]) -> str:
    """With spaces as %20: a plus would stay one after the #."""
    return "&".join(filter(None, [urlencode(options, quote_via=quote), _VIEW]))
