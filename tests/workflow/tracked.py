"""Short runs that are tracked, and what MLflow then holds of them."""

import mlflow

from reproductions.suite.cli import main
from reproductions.suite.publish.tracking.store import store_uri

#: The files of a run, all of which become artifacts.
WHOLE = {"summary.json", "lineage.json", "events.parquet"}


def made(folder, method="pbt", seed=0, *settings):
    """A short run of the toy problem."""
    out = folder / f"{method}-{seed}"
    arguments = ["toy", method, "--seed", str(seed), "--quiet", "--set", "steps=20", *settings, "--out", str(out)]
    assert main(["run", *arguments]) == 0
    return out


def track(store, *runs, figures=()):
    return main(["track", *map(str, runs), "--store", str(store), *(f"--figures={path}" for path in figures)])


def of(store):
    return mlflow.MlflowClient(tracking_uri=store_uri(store))


def runs_where(client, condition=""):
    experiment = client.get_experiment_by_name("toy")
    return client.search_runs([experiment.experiment_id], condition, max_results=100)


def children(client, run):
    return runs_where(client, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")


def only(client, kind, method="pbt", seed=None):
    condition = f"tags.kind = '{kind}' and tags.method = '{method}'"
    (run,) = runs_where(client, condition + ("" if seed is None else f" and tags.seed = '{seed}'"))
    return run


def files(client, method, seed=0):
    return {artifact.path for artifact in client.list_artifacts(only(client, "seed", method, seed).info.run_id)}
