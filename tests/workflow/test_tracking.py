import json
import subprocess
from urllib.parse import parse_qs

import mlflow
import pytest

from reproductions.cli import main
from reproductions.commands.keeping import store_uri
from reproductions.records import load
from reproductions.tracking import LONGEST, _parent_metrics, _short, pages


def written(folder, domain, method):
    """A short run."""
    assert main(["run", domain, method, "--quiet", "--set", "steps=20", "--out", str(folder / method)]) == 0
    return folder / method


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two toy runs written twice."""
    folder = tmp_path_factory.mktemp("tracking")
    runs = [str(written(folder, "toy", method)) for method in ("pbt", "grid")]
    assert main(["figure", "toy", *runs, "--out", str(folder / "figures" / "toy")]) == 0
    for _ in range(2):
        assert main(["track", *runs, "--store", str(folder / "store"), "--figures", str(folder / "figures")]) == 0
    return folder / "store"


@pytest.fixture
def client(store):
    return mlflow.MlflowClient(tracking_uri=store_uri(store))


def found(client, filter_string=""):
    experiment = client.get_experiment_by_name("toy")
    return client.search_runs([experiment.experiment_id], filter_string, max_results=100)


def test_writing_the_same_runs_again_adds_nothing(client):
    """One parent a run and one child a member, although everything was written twice."""
    assert len(found(client)) == 2 * (1 + 2)
    assert len(found(client, "tags.`pbt.key` = 'laptop/quadratic/pbt/default/0'")) == 1


def test_members_are_children_with_hyperparameters_as_metrics_over_steps(client):
    """MLflow's parameters may not change, hyperparameters do."""
    parent = found(client, "tags.`pbt.key` = 'laptop/quadratic/pbt/default/0'")[0]
    children = found(client, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert {child.data.tags["member"] for child in children} == {"0", "1"}
    history = client.get_metric_history(children[0].info.run_id, "h0")
    assert [metric.step for metric in history] == list(range(1, 21))
    assert len({metric.value for metric in history}) > 1


def test_the_lineage_is_in_the_tags_and_files_are_artifacts(client):
    """Who descends from whom, and what all of it was read from."""
    parent = found(client, "tags.`pbt.key` = 'laptop/quadratic/pbt/default/0'")[0]
    founders = json.loads(parent.data.tags["pbt.founders"])
    assert set(founders) == {"0", "1"}
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert names == {"summary.json", "lineage.json", "events.parquet"}


def test_figures_are_artifacts_of_one_run_an_experiment(client):
    """Written twice, there once: not a copy in every run."""
    (experiment,) = client.search_experiments(filter_string="name = 'figures'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["experiment"] == "toy"
    assert "figure2.png" in {artifact.path for artifact in client.list_artifacts(run.info.run_id)}


def test_runs_are_filtered_and_grouped_by_tags_that_all_of_them_have(client):
    """Runs by method, members by run, and no member among the runs."""
    identity = {"domain": "toy", "scale": "laptop", "problem": "quadratic", "variant": "default", "seed": "0"}
    for kind, count in (("run", 1), ("member", 2)):
        for method in ("pbt", "grid"):
            runs = found(client, f"tags.kind = '{kind}' and tags.method = '{method}' and tags.seed = '0'")
            assert len(runs) == count
            for run in runs:
                assert (identity | {"kind": kind, "method": method}).items() <= run.data.tags.items()


def test_names_begin_with_what_differs(client):
    """MLflow's tables and legends cut off the end."""
    assert {run.info.run_name for run in found(client)} == {
        *("pbt s0 quadratic", "pbt s0 m0 quadratic", "pbt s0 m1 quadratic"),
        *("grid s0 quadratic", "grid s0 m0 quadratic", "grid s0 m1 quadratic"),
    }


def test_two_methods_side_by_side_differ_in_few_short_parameters(client):
    """What is equal is told alike, what is not set is left out, lists are one line of words."""
    pbt, grid = (found(client, f"tags.kind = 'run' and tags.method = '{method}'")[0].data for method in ("pbt", "grid"))
    every = pbt.params.keys() | grid.params.keys()
    differ = {name for name in every if pbt.params.get(name) != grid.params.get(name)}
    assert differ == {
        "method",
        *(
            f"search.{name}"
            for name in ["copy", "exploit.kind", "explore", "initial", "kind", "ready", "schedules", "warmup"]
        ),
    }
    assert pbt.params["search.explore"] == "noise scale=0.1"
    assert pbt.params["search.copy"] == "weights"
    assert grid.params["search.schedules"] == "fixed values=(h0=1.0 h1=0.0); fixed values=(h0=0.0 h1=1.0)"
    assert "task" not in every
    for data in (pbt, grid):
        assert {"final_score", "best_score", "best_so_far", "cpu_s", "winner_h0", "winner_h1"} <= data.metrics.keys()
        assert data.metrics["final_score"] == pytest.approx(data.metrics["best_score"], abs=0.5)


def test_long_parameters_are_cut_but_still_differ_where_they_did():
    """A schedule for each member fills pages; whether it is the same schedule must still be seen."""
    long, other = ("; ".join(f"fixed values=(lr={rate})" for rate in (*range(40), end)) for end in (1, 2))
    assert len(_short(long)) <= LONGEST
    assert _short(long).startswith("fixed values=(lr=0); ")
    assert _short(long) != _short(other)
    assert _short("fixed") == "fixed"


def test_held_out_scores_are_metrics_of_the_run_where_the_task_has_them(client, tmp_path):
    """What is reported, at the end and on the way; toy has none of its own."""
    record = load([written(tmp_path, "toy", "pbt")])[0]
    assert "final_held_out" not in found(client, "tags.kind = 'run'")[0].data.metrics
    for event in record.events:
        if event["event"] == "evaluated":
            event["held_out"] = event["score"] - 1
    record.summary["final"]["held_out"] = record.summary["final"]["score"] - 1
    names = {metric.key: metric.value for metric in _parent_metrics(record)}
    assert names["final_held_out"] == names["final_score"] - 1
    assert names["best_so_far_held_out"] == names["best_so_far"] - 1


def test_the_ui_prints_the_pages_worth_opening(store, client, capsys, monkeypatch):
    """The runs of each domain, and its methods side by side: one run a method, of one problem and seed."""
    parents = {run.info.run_id for run in found(client, "tags.kind = 'run'")}
    experiment = client.get_experiment_by_name("toy").experiment_id
    links = pages(store_uri(store))
    assert "runs of Default" not in links  # MLflow's own, which is in every store, and empty
    assert links["runs of toy"] == f"/#/experiments/{experiment}/runs?workflowType=machine_learning"
    query = parse_qs(links["methods of toy side by side"].removeprefix("/#/compare-runs?"))
    assert set(json.loads(query["runs"][0])) == parents
    assert json.loads(query["experiments"][0]) == [experiment]
    assert query["workflowType"] == ["machine_learning"]
    monkeypatch.setattr("subprocess.run", lambda *arguments, **options: subprocess.CompletedProcess(arguments, 0))
    assert main(["ui", "--store", str(store), "--port", "5123"]) == 0
    printed = capsys.readouterr().out
    assert all(f"http://127.0.0.1:5123{page}\n" in printed for page in links.values())


def test_the_ui_says_what_to_do_when_there_is_no_store(tmp_path, capsys):
    """One line, exit code 2."""
    assert main(["ui", "--store", str(tmp_path)]) == 2
    assert "make demo" in capsys.readouterr().err
