"""What is written to MLflow, and how its pages show it."""

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import sys
from urllib.parse import parse_qs

import pyarrow as pa
import pytest
from tracked import WHOLE, children, made, of, only, runs_where, track

from pbt_core import Record as Events
from reproductions.suite.cli import main
from reproductions.suite.publish.tracking import members, methods, points, seeds, views
from reproductions.suite.publish.tracking.pages import pages
from reproductions.suite.publish.tracking.words import LONGEST, short
from reproductions.suite.results import statistics
from reproductions.suite.results.records import load

PBT = "laptop/quadratic/pbt/default"


class Served(contextlib.nullcontext):
    """A server that has ended at once, or one that ^C is pressed at."""

    is_stopped = True

    def __init__(self, command, env):
        super().__init__(self)

    def wait(self):
        if self.is_stopped:
            raise KeyboardInterrupt
        return 0

    def terminate(self):
        pass


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
    port = free_port()
    assert main(["ui", "--store", str(store), "--port", str(port)]) == 130
    printed = capsys.readouterr().out
    assert all(f"http://127.0.0.1:{port}{page}\n" in printed for page in links.values())
    monkeypatch.setattr(Served, "is_stopped", False)
    assert main(["ui", "--store", str(store), "--port", str(port)]) == 1
    assert capsys.readouterr().err == "error: MLflow's server has ended by itself, with exit code 0\n"


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def test_the_ui_is_refused_where_another_program_has_its_port(store, capsys):
    """Before it prints links, which would be the other one's."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert main(["ui", "--store", str(store), "--port", str(port)]) == 2
    assert capsys.readouterr() == ("", f"error: --port {port}: Address already in use: choose another\n")


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
