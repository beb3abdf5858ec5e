import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
import sys
from urllib.parse import parse_qs

import mlflow
import pytest

from pbt_core import Record as Events
from reproductions.suite.cli import main
from reproductions.suite.commands.keeping import store_uri
from reproductions.suite.publish import tracking_store
from reproductions.suite.publish.tracking import COLUMNS, VIEW_TAG, _parent_metrics, pages
from reproductions.suite.results.records import load
from reproductions.suite.study.words import LONGEST, short


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


class Served(contextlib.nullcontext):
    """A server that has ended at once."""

    def __init__(self, command, env):
        super().__init__(self)

    def wait(self):
        return 0

    def terminate(self):
        pass


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
    assert "task.lr" not in every  # the scale's own
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
    assert len(short(long)) <= LONGEST
    assert short(long).startswith("fixed values=(lr=0); ")
    assert short(long) != short(other)
    assert short("fixed") == "fixed"


def test_held_out_scores_are_metrics_of_the_run_where_the_task_has_them(client, tmp_path):
    """What is reported, at the end and on the way; toy has none of its own."""
    record = load([written(tmp_path, "toy", "pbt")])[0]
    assert "final_held_out" not in found(client, "tags.kind = 'run'")[0].data.metrics
    held_out = [{**e, "held_out": e["score"] - 1} if e["event"] == "evaluated" else e for e in record.events]
    record = dataclasses.replace(record, events=Events(held_out))
    record.summary["final"]["held_out"] = record.summary["final"]["score"] - 1
    names = {metric.key: metric.value for metric in _parent_metrics(record)}
    assert names["final_held_out"] == names["final_score"] - 1
    assert names["best_so_far_held_out"] == names["best_so_far"] - 1


def test_the_ui_prints_the_pages_worth_opening(store, client, capsys, monkeypatch):
    """The runs of each domain, and its methods side by side: one run a method, of one problem and seed."""
    parents = {run.info.run_id for run in found(client, "tags.kind = 'run'")}
    experiment = client.get_experiment_by_name("toy").experiment_id
    links = pages(store)
    assert "runs of Default" not in links  # MLflow's own, which is in every store, and empty
    assert (
        links["runs of toy"] == f"/#/experiments/{experiment}/runs?viewStateShareKey=pbt&workflowType=machine_learning"
    )
    path, _, query = links["charts of toy, methods side by side"].partition("?")
    assert path == f"/#/experiments/{experiment}/runs"
    charts = {key: values[0] for key, values in parse_qs(query).items()}
    assert charts["compareRunsMode"] == "CHART"
    assert {run.info.run_id for run in found(client, charts["searchFilter"])} == parents
    query = parse_qs(links["differences of toy's methods"].removeprefix("/#/compare-runs?"))
    assert set(json.loads(query["runs"][0])) == parents
    assert json.loads(query["experiments"][0]) == [experiment]
    assert query["workflowType"] == ["machine_learning"]
    monkeypatch.setattr("subprocess.Popen", Served)
    assert main(["ui", "--store", str(store), "--port", "5123"]) == 0
    printed = capsys.readouterr().out
    assert all(f"http://127.0.0.1:5123{page}\n" in printed for page in links.values())


def test_the_ui_says_what_to_do_when_there_is_no_store(tmp_path, capsys):
    """One line, exit code 2."""
    assert main(["ui", "--store", str(tmp_path)]) == 2
    assert "make demo" in capsys.readouterr().err


def test_the_printed_table_shows_what_runs_came_to_beside_their_names(client):
    """Few columns, of what runs have: final and best scores, and the seed."""
    view = json.loads(client.get_experiment_by_name("toy").tags[VIEW_TAG])
    assert view["selectedColumns"] == list(COLUMNS)
    data = found(client, "tags.kind = 'run'")[0].data
    there = {f"metrics.`{name}`" for name in data.metrics} | {f"params.`{name}`" for name in data.params}
    assert set(COLUMNS) - there == {"metrics.`final_held_out`"}  # the toy holds nothing out


def test_a_run_took_as_long_as_its_training_not_as_its_tracking(client, store):
    """Parents and children end when the summary was written, unless it says when."""
    record = load([store.parent / "pbt"])[0]
    begun, ended = (record.summary.get(name) for name in ("begun", "ended"))
    ended = ended or (record.folder / "summary.json").stat().st_mtime
    begun = begun or ended - record.summary["wall_s"]
    for run in found(client, "tags.method = 'pbt'"):
        assert run.info.start_time == pytest.approx(1000 * begun, abs=1)
        assert run.info.end_time == pytest.approx(1000 * ended, abs=1)


@pytest.fixture
def lone(tmp_path, store):
    """A store with one run of its own, a copy of another store's, for tests that change it."""
    shutil.copytree(store, tmp_path / "a" / "store")
    shutil.copytree(store.parent / "pbt", tmp_path / "pbt")
    assert main(["track", str(tmp_path / "pbt"), "--store", str(tmp_path / "a" / "store")]) == 0
    return tmp_path / "a" / "store"


def of(store):
    return mlflow.MlflowClient(tracking_uri=store_uri(store))


def files(client, method):
    run = found(client, f"tags.kind = 'run' and tags.method = '{method}'")[0]
    return {artifact.path for artifact in client.list_artifacts(run.info.run_id)}


WHOLE = {"summary.json", "lineage.json", "events.parquet"}


def test_a_store_that_was_moved_finds_its_artifacts_again_and_writes_new_ones_beside_them(lone, tmp_path):
    """Also to a folder whose name means something in addresses; nothing is written to the old place."""
    moved = tmp_path / "100% a?b=c #d" / "store"
    moved.parent.mkdir()
    lone.rename(moved)
    assert main(["track", str(tmp_path / "pbt"), "--store", str(moved)]) == 0
    assert files(of(moved), "pbt") == WHOLE
    new = written(tmp_path, "toy", "explore_only")
    assert main(["track", str(new), "--store", str(moved)]) == 0
    assert files(of(moved), "explore_only") == WHOLE
    assert not lone.exists()
    assert of(moved).get_experiment_by_name("toy").artifact_location == (moved / "artifacts" / "toy").as_uri()
    assert not (tmp_path / "100% a").exists()


def test_a_copied_store_uses_its_own_artifacts_and_a_linked_one_stays_as_it_is(lone, tmp_path):
    """Two checkouts side by side; one folder by two ways."""
    shutil.copytree(lone, tmp_path / "copy")
    assert sorted(tracking_store.mend(tmp_path / "copy")) == ["figures", "toy"]
    shutil.rmtree(lone / "artifacts")
    assert files(of(tmp_path / "copy"), "pbt") == WHOLE
    (tmp_path / "link").symlink_to(tmp_path / "copy")
    assert tracking_store.mend(tmp_path / "link") == []


def test_an_experiment_that_was_deleted_in_the_pages_is_taken_back(lone, tmp_path):
    """With its runs; what comes after is written to it."""
    client = of(lone)
    client.delete_experiment(client.get_experiment_by_name("toy").experiment_id)
    new = written(tmp_path, "toy", "explore_only")
    assert main(["track", str(tmp_path / "pbt"), str(new), "--store", str(lone)]) == 0
    assert {run.data.tags["method"] for run in found(client)} == {"pbt", "grid", "explore_only"}


def test_scores_that_are_not_finite_are_left_out_and_the_run_is_tagged(tmp_path):
    """MLflow would store the largest number there is."""
    hot = tmp_path / "hot"
    settings = ["--set", "steps=9", "--set", "task.lr=1e30", "--set", "search.until=0", "--variant", "hot"]
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert main(["run", "toy", "pbt", "--quiet", *settings, "--out", str(hot)]) == 0
    assert main(["track", str(hot), "--store", str(tmp_path / "store")]) == 0
    client = of(tmp_path / "store")
    (parent,) = found(client, "tags.kind = 'run'")
    assert parent.data.tags["pbt.diverged"] == "true"
    diverged = load([hot])[0].summary["diverged"]
    assert int(parent.data.tags["pbt.diverged_evaluations"]) == diverged > 0
    assert "final_score" not in parent.data.metrics
    assert parent.data.params["task.lr"] == "1e+30"  # not the scale's
    for run in found(client):
        assert run.data.tags["pbt.diverged"] == "true"
        assert all(abs(value) < sys.float_info.max for value in run.data.metrics.values())


def broken_store(kind, store):
    database = store / "mlflow.db"
    match kind:
        case "no database":
            database.write_text("no database at all, but long enough to be looked at by whoever opens it" * 10)
        case "torn":
            os.truncate(database, database.stat().st_size // 2)
        case "a folder":
            database.unlink()
            database.mkdir()
        case _:
            with contextlib.closing(sqlite3.connect(database)) as connection:
                if kind == "another version":
                    connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
                else:
                    connection.execute("DROP TABLE alembic_version")
                connection.commit()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no database", ["not a database", "track again"]),
        ("torn", ["mlflow.db", "track again"]),
        ("a folder", ["must be a file", "--store"]),
        ("another version", ["another version of MLflow", "mlflow db upgrade", "track again"]),
        ("another program's", ["another program's", "--store"]),
        ("locked", ["locked", "try again"]),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line_with_the_remedy(kind, words, lone, tmp_path, capfd, monkeypatch):
    """For who writes to it and for who looks at it."""
    monkeypatch.setattr(tracking_store, "PATIENCE", 0.1)
    lone = lone.rename(tmp_path / "b")  # MLflow remembers the stores that it has opened
    with contextlib.ExitStack() as stack:
        if kind == "locked":
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(lone / "mlflow.db")))
            connection.execute("BEGIN IMMEDIATE")
        else:
            broken_store(kind, lone)
        capfd.readouterr()
        for arguments in (["track", str(tmp_path / "pbt"), "--store", str(lone)], ["ui", "--store", str(lone)]):
            assert main(arguments) == 2
            (line,) = capfd.readouterr().err.splitlines()
            assert line.startswith("error: ")
            assert all(word in line for word in words), line
