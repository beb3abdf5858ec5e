"""Links to the pages of MLflow that show a store's runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

from mlflow import MlflowClient
from mlflow.entities import Run

from reproductions.suite.publish.tracking import names, views
from reproductions.suite.publish.tracking.client import DIGEST, opened, runs

#: Chooses MLflow's pages for model training; by default it opens those for language models.
TRAINING = "workflowType=machine_learning"


def pages(store: Path) -> dict[str, str]:
    """Titles of pages, each with the end of its address: for each experiment with runs, a table of its methods and seeds,
    and for each problem with several methods, their charts side by side and what differs between them.
    """
    with opened(store, to_write=False) as client:
        return dict(_pages(client))


def _pages(client: MlflowClient) -> Iterator[tuple[str, str]]:
    for experiment in client.search_experiments(order_by=["name ASC"]):
        number = experiment.experiment_id
        name = experiment.name if experiment.name.isprintable() else ascii(experiment.name)
        if not client.search_runs([number], max_results=1):
            continue  # such as MLflow's own "Default", which every store has
        address = f"/#/experiments/{number}/runs"
        if f"{views.PREFIX}{views.TABLE}" not in experiment.tags:
            yield name, f"{address}?{TRAINING}"
            continue
        yield f"{name}: methods and their seeds, table", f"{address}?{_query(viewStateShareKey=views.TABLE)}"
        for (scale, problem), methods in sorted(_by_problem(client, number).items()):
            if len(methods) < 2:
                continue
            where = f"{name}, {problem}, {scale}"
            shown = {"viewStateShareKey": views.charts_key(scale, problem), "compareRunsMode": "CHART"}
            yield f"{where}: methods side by side, charts", f"{address}?{_query(**shown)}"
            chosen = {"runs": [run.info.run_id for run in methods], "experiments": [number]}
            compared = {key: json.dumps(ids, separators=(",", ":")) for key, ids in chosen.items()}
            yield f"{where}: how the methods differ", f"/#/compare-runs?{_query(**compared)}"


def _by_problem(client: MlflowClient, experiment: str) -> dict[tuple[str, str], list[Run]]:
    grouped: dict[tuple[str, str], list[Run]] = {}
    for run in runs(client, experiment, "tags.kind = 'method'"):
        # Without its digest, writing it was interrupted.
        if DIGEST in run.data.tags and names.is_named(run, names.METHOD):
            grouped.setdefault((run.data.tags["scale"], run.data.tags["problem"]), []).append(run)
    return grouped


def _query(**options: str) -> str:
    """With spaces as %20: a plus would stay one after the #."""
    return f"{urlencode(options, quote_via=quote)}&{TRAINING}"
