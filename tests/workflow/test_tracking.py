import json

import mlflow
import pytest

from reproductions.cli import main, store_uri


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two toy runs written twice."""
    folder = tmp_path_factory.mktemp("tracking")
    runs = []
    for method in ("pbt", "grid"):
        runs.append(str(folder / method))
        assert main(["run", "toy", method, "--quiet", "--set", "steps=20", "--out", runs[-1]]) == 0
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
    assert {child.data.tags["pbt.member"] for child in children} == {"0", "1"}
    history = client.get_metric_history(children[0].info.run_id, "h0")
    assert [metric.step for metric in history] == list(range(1, 21))
    assert len({metric.value for metric in history}) > 1


def test_the_lineage_is_in_the_tags_and_files_are_artifacts(client):
    """Who descends from whom, and the figures to look at."""
    parent = found(client, "tags.`pbt.key` = 'laptop/quadratic/pbt/default/0'")[0]
    founders = json.loads(parent.data.tags["pbt.founders"])
    assert set(founders) == {"0", "1"}
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert names == {"summary.json", "lineage.json", "events.parquet", "figures"}
    assert "figures/figure2.png" in {a.path for a in client.list_artifacts(parent.info.run_id, "figures")}
    assert parent.data.params["search.kind"] == "pbt"
    assert parent.data.tags["pbt.problem"] == "quadratic"
    assert parent.info.run_name == "quadratic pbt seed 0 (laptop)"
    assert parent.data.metrics["final_score"] == pytest.approx(parent.data.metrics["best_score"], abs=0.5)


def test_the_ui_says_what_to_do_when_there_is_no_store(tmp_path, capsys):
    """One line, exit code 2."""
    assert main(["ui", "--store", str(tmp_path)]) == 2
    assert "make demo" in capsys.readouterr().err
