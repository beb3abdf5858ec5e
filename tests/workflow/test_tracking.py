import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from alembic import command as alembic
from alembic.config import Config
from sqlalchemy import create_engine

from pbt_core import Record as Events
from pbt_core.files import locked
from reproductions.suite.cli import main
from reproductions.suite.publish.tracking import client as opening
from reproductions.suite.publish.tracking import members, methods, points, seeds, views
from reproductions.suite.publish.tracking import store as folder_of
from reproductions.suite.publish.tracking.pages import pages
from reproductions.suite.publish.tracking.store import DATABASE, mend, store_uri
from reproductions.suite.publish.tracking.words import LONGEST, short
from reproductions.suite.results import statistics
from reproductions.suite.results.records import load
from reproductions.suite.study.registry import ConfigError

#: A schema of MLflow 2.3.
OLD = "3500859a5d39"
PBT = "laptop/quadratic/pbt/default"


def made(folder, method="pbt", seed=0, *settings):
    """A short run of the toy problem."""
    out = folder / f"{method}-{seed}"
    arguments = ["toy", method, "--seed", str(seed), "--quiet", "--set", "steps=20", *settings, "--out", str(out)]
    assert main(["run", *arguments]) == 0
    return out


def track(store, *runs, figures=()):
    return main(["track", *map(str, runs), "--store", str(store), *(f"--figures={path}" for path in figures)])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two methods with two seeds each, and a figure, written twice."""
    folder = tmp_path_factory.mktemp("tracking")
    runs = [made(folder, method, seed) for method in ("pbt", "grid") for seed in (0, 1)]
    assert main(["figure", "toy", *map(str, runs), "--out", str(folder / "figures" / "toy")]) == 0
    for _ in range(2):
        assert track(folder / "store", *runs, figures=[folder / "figures"]) == 0
    return folder / "store"


@pytest.fixture
def client(store):
    return of(store)


def of(store):
    return mlflow.MlflowClient(tracking_uri=store_uri(store))


class Served(contextlib.nullcontext):
    """A server that has ended at once."""

    def __init__(self, command, env):
        super().__init__(self)

    def wait(self):
        return 0

    def terminate(self):
        pass


def runs_where(client, condition=""):
    experiment = client.get_experiment_by_name("toy")
    return client.search_runs([experiment.experiment_id], condition, max_results=100)


def children(client, run):
    return runs_where(client, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")


def only(client, kind, method="pbt", seed=None):
    condition = f"tags.kind = '{kind}' and tags.method = '{method}'"
    (run,) = runs_where(client, condition + ("" if seed is None else f" and tags.seed = '{seed}'"))
    return run


def test_writing_the_same_runs_again_adds_nothing(client):
    """One run a method, one a seed and one a member, although everything was written twice."""
    assert len(runs_where(client)) == 2 * (1 + 2 * (1 + 2))
    assert len(runs_where(client, f"tags.`pbt.key` = '{PBT}/0'")) == 1


def test_methods_unfold_into_seeds_and_seeds_into_members(client):
    """Each level is the parent of the next, and its names say what it is."""
    method = only(client, "method")
    assert method.info.run_name == "pbt quadratic"
    seeds = children(client, method)
    assert {seed.info.run_name for seed in seeds} == {"pbt seed 0 quadratic", "pbt seed 1 quadratic"}
    (first,) = [seed for seed in seeds if seed.data.tags["seed"] == "0"]
    assert {member.info.run_name for member in children(client, first)} == {
        "pbt seed 0 member 0 quadratic",
        "pbt seed 0 member 1 quadratic",
    }


def test_a_method_shows_what_its_seeds_came_to_with_an_interval_in_few_columns(client):
    """The same numbers as in the tables; not one metric more than the table of runs has columns, but for the curve."""
    method = only(client, "method")
    final = [seed.data.metrics["final"] for seed in children(client, method)]
    estimate = statistics.mean(final)
    shown = method.data.metrics
    assert shown["final"] == pytest.approx(estimate.value)
    assert sorted([shown["final_low"], shown["final_high"]]) == pytest.approx([estimate.low, estimate.high])
    assert (shown["seeds"], method.data.tags["seeds"]) == (2, "0, 1")
    assert shown.keys() == {*views.COLUMNS, "best_so_far"}
    assert "seed" not in method.data.params
    assert method.data.params["population"] == "2"


def test_a_seed_shows_its_reported_score_and_what_its_best_member_had(client, store):
    """What is in its summary, under names that need no explanation."""
    seed, summary = only(client, "seed", seed=0), load([store.parent / "pbt-0"])[0].summary
    assert seed.data.metrics.keys() == {"final", "best", "cpu_s", "best_so_far"}
    assert seed.data.metrics["final"] == summary["final"]["score"]  # the toy holds nothing out
    assert seed.data.metrics["best"] == summary["best"]["score"]
    assert seed.data.tags["final_member"] == str(summary["final"]["member"])
    assert "h0 = " in seed.data.tags["final_hyperparameters"]


def test_held_out_scores_are_what_is_reported_where_the_task_has_them(lone, tmp_path):
    """What selects is not what is shown as the result."""
    (record,) = load([tmp_path / "pbt-0"])
    evaluated = [{**e, "held_out": e["score"] - 1} if e["event"] == "evaluated" else e for e in record.events]
    final = {**record.summary["final"], "held_out": record.summary["final"]["score"] - 1}
    changed = {**record.summary, "final": final, "variant": "held-out"}
    client = of(lone)
    number = client.get_experiment_by_name("toy").experiment_id
    seeds.write(client, number, dataclasses.replace(record, events=Events(evaluated), summary=changed))
    (seed,) = runs_where(client, "tags.kind = 'seed' and tags.variant = 'held-out'")
    assert seed.data.metrics["final"] == final["held_out"]
    assert seed.data.metrics["best_so_far"] == pytest.approx(record.best_so_far(reported=False).iloc[-1] - 1)


def test_members_have_hyperparameters_as_metrics_over_steps(client):
    """MLflow's parameters may not change, hyperparameters do."""
    member, *_ = children(client, only(client, "seed", seed=0))
    history = client.get_metric_history(member.info.run_id, "h0")
    assert [metric.step for metric in history] == list(range(1, 21))
    assert len({metric.value for metric in history}) > 1


def test_a_runs_files_are_its_artifacts_and_members_know_their_founders(client):
    """Who descends from whom, and what all of it was read from."""
    seed = only(client, "seed", seed=0)
    assert {artifact.path for artifact in client.list_artifacts(seed.info.run_id)} == WHOLE
    assert {member.data.tags["descends_from"] for member in children(client, seed)} <= {"0", "1"}
    assert [member.data.tags["is_final_best"] for member in children(client, seed)].count("true") == 1


def test_figures_are_artifacts_of_one_run_an_experiment(client):
    """Written twice, there once: not a copy in every run."""
    (experiment,) = client.search_experiments(filter_string="name = 'figures'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["experiment"] == "toy"
    assert "figure2.png" in {artifact.path for artifact in client.list_artifacts(run.info.run_id)}


def test_figures_were_made_when_their_files_were(client, store):
    """Not when they were tracked."""
    (experiment,) = client.search_experiments(filter_string="name = 'figures'")
    (run,) = client.search_runs([experiment.experiment_id])
    drawn = [1000 * path.stat().st_mtime for path in (store.parent / "figures" / "toy").glob("*.png")]
    assert (run.info.start_time, run.info.end_time) == pytest.approx((min(drawn), max(drawn)), abs=1)


def test_runs_are_filtered_and_grouped_by_tags_that_all_of_them_have(client):
    """Seeds by method, members by seed, and no member among the seeds."""
    identity = {"domain": "toy", "scale": "laptop", "problem": "quadratic", "variant": "default", "seed": "0"}
    for kind, count in (("seed", 1), ("member", 2)):
        for method in ("pbt", "grid"):
            runs = runs_where(client, f"tags.kind = '{kind}' and tags.method = '{method}' and tags.seed = '0'")
            assert len(runs) == count
            for run in runs:
                assert (identity | {"kind": kind, "method": method}).items() <= run.data.tags.items()


def test_two_methods_side_by_side_differ_in_few_short_parameters(client):
    """What is equal is written alike, what is not set is left out, lists are one line of words."""
    pbt, grid = (only(client, "method", method).data for method in ("pbt", "grid"))
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


def test_long_parameters_are_cut_but_still_differ_where_they_did():
    """A schedule for each member fills pages; whether it is the same schedule must still be seen."""
    long, other = ("; ".join(f"fixed values=(lr={rate})" for rate in (*range(40), end)) for end in (1, 2))
    assert len(short(long)) <= LONGEST
    assert short(long).startswith("fixed values=(lr=0); ")
    assert short(long) != short(other)
    assert short("fixed") == "fixed"


def test_a_run_took_as_long_as_its_training_not_as_its_tracking(client, store):
    """Seeds, their members and every point of theirs lie within the training; a method spans its seeds."""
    spans = []
    for seed in (0, 1):
        summary = load([store.parent / f"pbt-{seed}"])[0].summary
        begun, ended = (1000 * summary[name] for name in ("begun", "ended"))
        run = only(client, "seed", seed=seed)
        for each in (run, *children(client, run)):
            assert (each.info.start_time, each.info.end_time) == pytest.approx((begun, ended), abs=1)
        for key in run.data.metrics:
            times = [point.timestamp for point in client.get_metric_history(run.info.run_id, key)]
            assert begun - 1 <= min(times) <= max(times) == run.info.end_time
        spans.append((run.info.start_time, run.info.end_time))
    method = only(client, "method")
    assert (method.info.start_time, method.info.end_time) == (min(s for s, _ in spans), max(e for _, e in spans))


def test_an_older_summary_that_does_not_tell_when_it_began_is_taken_at_its_files_time(store, tmp_path):
    """It ended when the summary was written, after as many seconds as it took."""
    shutil.copytree(store.parent / "pbt-0", tmp_path / "old")
    path = tmp_path / "old" / "summary.json"
    summary = json.loads(path.read_text())
    del summary["begun"], summary["ended"]
    path.write_text(json.dumps(summary | {"wall_s": 100.0}))
    os.utime(path, (1e9, 1e9))
    period = points.training_period(load([tmp_path / "old"])[0])
    assert (period.begun, period.ended) == (1e12 - 1e5, 1e12)


def test_the_mean_curve_holds_the_last_value_of_seeds_that_were_evaluated_at_other_steps():
    """From the first step on at which every seed has a score; and there is none where a seed never had one."""
    curves = {"0": [(1, 0.0), (2, 2.0), (4, 4.0)], "1": [(2, 0.0), (3, 1.0)]}
    assert methods.mean_curve(curves) == [(2, 1.0), (3, 1.5), (4, 2.5)]
    assert methods.mean_curve({**curves, "2": []}) == []


def test_the_ui_prints_the_pages_worth_opening(store, client, capsys, monkeypatch):
    """The methods of each domain as a table, and their charts and differences side by side, one run a method."""
    both = {only(client, "method", method).info.run_id for method in ("pbt", "grid")}
    experiment = client.get_experiment_by_name("toy").experiment_id
    links = pages(store)
    assert not any("Default" in name for name in links)  # MLflow's own, which is in every store, and empty
    table = links["toy: methods and their seeds, table"]
    assert table == f"/#/experiments/{experiment}/runs?viewStateShareKey=methods&workflowType=machine_learning"
    path, _, query = links["toy, quadratic, laptop: methods side by side, charts"].partition("?")
    assert path == f"/#/experiments/{experiment}/runs"
    charts = {key: values[0] for key, values in parse_qs(query).items()}
    assert charts["compareRunsMode"] == "CHART"
    state = view(client, charts["viewStateShareKey"])
    assert {run.info.run_id for run in runs_where(client, state["searchFilter"])} == both
    query = parse_qs(links["toy, quadratic, laptop: how the methods differ"].removeprefix("/#/compare-runs?"))
    assert set(json.loads(query["runs"][0])) == both
    assert json.loads(query["experiments"][0]) == [experiment]
    assert query["workflowType"] == ["machine_learning"]
    monkeypatch.setattr("subprocess.Popen", Served)
    assert main(["ui", "--store", str(store), "--port", "5123"]) == 0
    printed = capsys.readouterr().out
    assert all(f"http://127.0.0.1:5123{page}\n" in printed for page in links.values())


def view(client, key):
    """The state of a saved view, read as MLflow's pages do."""
    envelope = json.loads(client.get_experiment_by_name("toy").tags[views.PREFIX + key])
    assert envelope["name"]
    assert isinstance(envelope["createdAt"], int)
    return json.loads(envelope["state"])


def test_the_ui_says_what_to_do_when_there_is_no_store(tmp_path, capsys):
    """One line, exit code 2."""
    assert main(["ui", "--store", str(tmp_path)]) == 2
    assert "make demo" in capsys.readouterr().err


def test_the_printed_table_shows_methods_and_seeds_with_few_columns_that_they_have(client):
    """No member, since MLflow's pages load a hundred runs; sorted by the start, without which they do not nest."""
    state = view(client, "methods")
    assert {run.data.tags["kind"] for run in runs_where(client, state["searchFilter"])} == {"method", "seed"}
    assert state["orderByKey"] == "attributes.start_time"
    columns = {name.removeprefix("metrics.").strip("`") for name in state["selectedColumns"]}
    assert columns <= only(client, "method").data.metrics.keys()
    assert {run.data.tags["kind"] for run in runs_where(client, view(client, "members")["searchFilter"])} > {"member"}


def test_every_metric_of_a_method_has_its_place_in_the_charts(client):
    """MLflow adds charts for metrics that a view does not know."""
    cards = view(client, "charts-laptop-quadratic")["compareRunCharts"]
    assert {card["metricKey"] for card in cards} == set(only(client, "method").data.metrics)
    assert {card["metricKey"] for card in cards if not card["deleted"]} == set(views.CHARTS)


def test_a_view_fits_into_a_tag_whatever_the_names_are():
    """MLflow refuses longer values; names have at most a hundred characters."""
    longest = views.charts("s" * 100, "p" * 100, None)
    state = json.dumps(longest.state, separators=(",", ":"))
    assert len(json.dumps({"name": longest.name, "createdAt": 10**13, "updatedAt": 10**13, "state": state})) < 5000


@pytest.fixture
def lone(tmp_path, store):
    """A copy of the store that a test may change, with a run of its own beside it."""
    shutil.copytree(store, tmp_path / "a" / "store")
    shutil.copytree(store.parent / "pbt-0", tmp_path / "pbt-0")
    assert track(tmp_path / "a" / "store", tmp_path / "pbt-0") == 0
    return tmp_path / "a" / "store"


def files(client, method, seed=0):
    return {artifact.path for artifact in client.list_artifacts(only(client, "seed", method, seed).info.run_id)}


WHOLE = {"summary.json", "lineage.json", "events.parquet"}


def test_a_seed_that_comes_later_joins_its_method(lone, tmp_path):
    """Whoever tracks seeds one by one gets the same parent, and no second one."""
    assert track(lone, made(tmp_path, "pbt", 2)) == 0
    method = only(of(lone), "method")
    assert method.data.tags["seeds"] == "0, 1, 2"
    assert {run.data.tags["seed"] for run in children(of(lone), method)} == {"0", "1", "2"}
    # A mean of three, though only one of them was given.
    finals = [run.data.metrics["final"] for run in children(of(lone), method)]
    assert method.data.metrics["final"] == pytest.approx(np.mean(finals))


def test_a_run_that_was_made_again_takes_the_place_of_the_former_which_is_deleted(lone, tmp_path):
    """With its members; MLflow's pages can still show it among the deleted."""
    former = only(of(lone), "seed", seed=0)
    shutil.rmtree(tmp_path / "pbt-0")
    assert track(lone, made(tmp_path, "pbt", 0, "--set", "interval=2")) == 0
    again = only(of(lone), "seed", seed=0)
    assert again.info.run_id != former.info.run_id
    assert of(lone).get_run(former.info.run_id).info.lifecycle_stage == "deleted"
    assert children(of(lone), former) == []
    assert again.info.run_id in {run.info.run_id for run in children(of(lone), only(of(lone), "method"))}


def test_what_was_cut_off_while_it_was_written_is_written_again(lone, tmp_path):
    """The tag that is set last is missing then; so it is when files are gone."""
    (number,) = {run.info.experiment_id for run in runs_where(of(lone))}
    cut_off = only(of(lone), "seed", seed=0)
    of(lone).delete_tag(cut_off.info.run_id, opening.DIGEST)
    assert track(lone, tmp_path / "pbt-0") == 0
    whole = only(of(lone), "seed", seed=0)
    assert whole.info.run_id != cut_off.info.run_id
    shutil.rmtree(lone / "artifacts" / "toy" / whole.info.run_id)
    assert track(lone, tmp_path / "pbt-0") == 0
    assert files(of(lone), "pbt") == WHOLE
    assert len(opening.runs(of(lone), number, "tags.kind != 'member'")) == 2 * (1 + 2)


def test_a_store_that_was_moved_finds_its_artifacts_again_and_writes_new_ones_beside_them(lone, tmp_path):
    """Also to a folder whose name means something in addresses; nothing is written to the old place."""
    moved = tmp_path / "100% a?b=c #d" / "store"
    moved.parent.mkdir()
    lone.rename(moved)
    assert track(moved, tmp_path / "pbt-0") == 0
    assert files(of(moved), "pbt") == WHOLE
    assert track(moved, made(tmp_path, "explore_only")) == 0
    assert files(of(moved), "explore_only") == WHOLE
    assert not lone.exists()
    assert of(moved).get_experiment_by_name("toy").artifact_location == (moved / "artifacts" / "toy").as_uri()
    assert not (tmp_path / "100% a").exists()


def test_a_moved_store_that_is_only_looked_at_shows_its_artifacts_too(lone, tmp_path):
    """`ui` mends it as well."""
    moved = lone.rename(tmp_path / "moved")
    pages(moved)
    assert files(of(moved), "pbt") == WHOLE


def test_a_copied_store_uses_its_own_artifacts_and_a_linked_one_stays_as_it_is(lone, tmp_path):
    """Two checkouts side by side; one folder by two ways."""
    shutil.copytree(lone, tmp_path / "copy")
    assert sorted(mend(tmp_path / "copy")) == ["figures", "toy"]
    shutil.rmtree(lone / "artifacts")
    assert files(of(tmp_path / "copy"), "pbt") == WHOLE
    (tmp_path / "link").symlink_to(tmp_path / "copy")
    assert mend(tmp_path / "link") == []


def test_an_experiment_that_was_deleted_in_the_pages_is_taken_back(lone, tmp_path):
    """With its runs; what comes after is written to it."""
    client = of(lone)
    client.delete_experiment(client.get_experiment_by_name("toy").experiment_id)
    assert track(lone, tmp_path / "pbt-0", made(tmp_path, "explore_only")) == 0
    assert {run.data.tags["method"] for run in runs_where(client)} == {"pbt", "grid", "explore_only"}


def test_scores_that_are_not_finite_are_left_out_and_a_tag_says_which(tmp_path):
    """MLflow would store the largest number there is. A mean over a seed without a score does not exist."""
    settings = ["--set", "task.lr=1e30", "--set", "search.until=0"]
    with pytest.warns(RuntimeWarning, match="overflow|invalid"):
        hot = made(tmp_path, "pbt", 0, *settings)
    assert track(tmp_path / "store", hot, made(tmp_path, "pbt", 1)) == 0
    client = of(tmp_path / "store")
    seed = only(client, "seed", seed=0)
    assert seed.data.tags["not_finite"] == "final"
    assert "final" not in seed.data.metrics
    assert seed.data.params["task.lr"] == "1e+30"  # not the scale's
    (record,) = load([hot])
    for member in children(client, seed):
        number = int(member.data.tags["member"])
        steps = [event["step"] for event in record.events.others("diverged") if event["member"] == number]
        named, more = steps[: points.NAMED], len(steps) - points.NAMED
        words = f"score at steps {', '.join(map(str, named))}" + (f" and {more} more" if more > 0 else "")
        assert member.data.tags["not_finite"].startswith(words)
    method = only(client, "method")
    assert method.data.tags["not_finite"] == "final of seed 0"
    assert not {"final", "final_low", "final_high"} & method.data.metrics.keys()
    assert "not_finite" not in only(client, "seed", seed=1).data.tags
    for run in runs_where(client):
        assert all(abs(value) < sys.float_info.max for value in run.data.metrics.values())


def test_what_a_member_does_not_have_is_not_called_infinite():
    """A missing held-out score is none; one that is not a number is."""
    table = pa.table(
        {
            "member": [0, 0, 1],
            "step": [1, 2, 1],
            "score": [1.0, float("inf"), 5.0],
            "held_out": pa.array([None, 2.0, 5.0]),
            "hyperparameters.optimiser": ["adam", "sgd", "adam"],
        }
    )
    curves = dict(members.curves(table, 0))
    assert curves == {"score": [(1, 1.0), (2, float("inf"))], "held_out": [(2, 2.0)]}
    metrics, tags = points.metrics(curves, {"final": float("nan"), "best": 3.0}, points.Period(1000, 3000, 2))
    assert [(m.key, m.step, m.value, m.timestamp) for m in metrics] == [
        ("score", 1, 1.0, 2000),
        ("held_out", 2, 2.0, 3000),
        ("best", 0, 3.0, 3000),
    ]
    assert tags == {"not_finite": "score at step 2; final"}


def make_old(store, revision=OLD):
    """A database as an older version of MLflow left it, with an experiment and a run of somebody."""
    from mlflow.store.tracking.dbmodels.initial_models import Base

    store.mkdir()
    engine = create_engine(f"sqlite:///{store / DATABASE}")
    Base.metadata.create_all(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    config.set_main_option("sqlalchemy.url", str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, revision)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(store / DATABASE)) as database:
        columns, values = "experiment_id, name, artifact_location, lifecycle_stage", "7, 'mine', '/tmp', 'active'"
        database.execute(f"INSERT INTO experiments ({columns}) VALUES ({values})")
        database.commit()


def test_a_store_of_an_older_mlflow_is_upgraded_and_the_former_file_is_kept(tmp_path, store, capfd):
    """What was in it stays; what is tracked is added to it. One line says where the former file is."""
    old = tmp_path / "old"
    make_old(old)
    before = (old / DATABASE).read_bytes()
    capfd.readouterr()
    assert track(old, store.parent / "pbt-0") == 0
    (line,) = capfd.readouterr().err.splitlines()
    kept = old / f"{DATABASE}.schema-{OLD}"
    assert str(kept) in line
    assert kept.read_bytes() == before
    assert {experiment.name for experiment in of(old).search_experiments()} >= {"mine", "toy"}
    assert files(of(old), "pbt") == WHOLE


def test_a_store_that_another_process_is_writing_to_is_left_to_it_and_may_be_looked_at(lone, tmp_path, capfd):
    """Two writers would write everything twice."""
    with locked(lone):
        assert track(lone, tmp_path / "pbt-0") == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert "another `track` is writing to it; try again" in line
        assert pages(lone)


def test_a_database_that_fails_while_it_is_written_to_is_one_line(lone, tmp_path, capfd, monkeypatch):
    """Whoever holds it then; the same command goes on from there."""
    run = made(tmp_path, "explore_only")
    write = opening.log

    def held(client, run_id, metrics, parameters=()):
        raise mlflow.exceptions.MlflowException("(sqlite3.OperationalError) database is locked\nmore lines")

    monkeypatch.setattr("reproductions.suite.publish.tracking.seeds.log", held)
    capfd.readouterr()
    assert track(lone, run) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "database is locked; the same command goes on from here" in line
    monkeypatch.setattr("reproductions.suite.publish.tracking.seeds.log", write)
    assert track(lone, run) == 0
    assert files(of(lone), "explore_only") == WHOLE


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
                connection.execute(
                    {
                        "another version": "UPDATE alembic_version SET version_num = '0123456789ab'",
                        "no version": "DELETE FROM alembic_version",
                        "another program's": "DROP TABLE alembic_version",
                    }[kind]
                )
                connection.commit()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no database", ["not a database", "track again"]),
        ("torn", ["mlflow.db", "track again"]),
        ("a folder", ["must be a file", "--store"]),
        ("another version", ["another version of MLflow", "0123456789ab", "pip install", "track again"]),
        ("no version", ["does not say the version", "track again"]),
        ("another program's", ["another program's", "--store"]),
        ("locked", ["locked", "try again"]),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line_with_the_remedy(kind, words, lone, tmp_path, capfd, monkeypatch):
    """For who writes to it and for who looks at it."""
    monkeypatch.setattr(folder_of, "PATIENCE", 0.1)
    lone = lone.rename(tmp_path / "b")  # MLflow remembers the stores that it has opened
    with contextlib.ExitStack() as stack:
        if kind == "locked":
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(lone / "mlflow.db")))
            connection.execute("BEGIN IMMEDIATE")
        else:
            broken_store(kind, lone)
        capfd.readouterr()
        for arguments in (["track", str(tmp_path / "pbt-0"), "--store", str(lone)], ["ui", "--store", str(lone)]):
            assert main(arguments) == 2
            (line,) = capfd.readouterr().err.splitlines()
            assert line.startswith("error: ")
            assert all(word in line for word in words), line


@contextlib.contextmanager
def nobody():
    """As a user who may write to what belongs to nobody else: root may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("mode", [0o444, 0o666])
def test_a_store_that_may_not_be_written_to_is_one_line_with_the_remedy(store, mode):
    """Its file, or its folder, beside which SQLite keeps a journal."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "store"
        folder.mkdir()
        shutil.copy(store / DATABASE, folder)
        (folder / DATABASE).chmod(mode)
        folder.chmod(0o555)
        with (
            nobody(),
            pytest.raises(ConfigError, match="make the file and its folder writable") as error,
            opening.opened(folder),
        ):
            pass
        assert "choose another --store" in str(error.value)
        folder.chmod(0o755)
