"""The final report: made after the run, outside its budget, the same however often it is made, and what is reported."""

import dataclasses
import json
import math
import os

import pytest
from reporting import Reporting

from pbt_core import RunError, Score
from reproductions.suite.results import records, run_table, tables
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.contrasts import contrast
from reproductions.suite.running.execute import execute
from reproductions.suite.running.execution import resolve_execution
from reproductions.suite.study import registry
from reproductions.suite.study.inputs import InputError
from reproductions.suite.study.settings import resolve
from reproductions.toy.task import Toy

SEEDS = (0, 1)


def asked(method, seed=0, **changes):
    overrides = [f"{key}={value}" for key, value in {"steps": 12, **changes}.items()]
    return resolve("toy", method, seed, overrides=overrides)


def as_reporting(patch):
    """The toy's domain with this task, which holds a score out."""
    sweep = registry.sweep("toy")
    patch.setattr(registry, "task_class", lambda domain: Reporting)
    patch.setattr(sweep, "MEASURE", dataclasses.replace(sweep.MEASURE, held_out="Q(theta), held out"))


@pytest.fixture(autouse=True)
def reporting(monkeypatch):
    as_reporting(monkeypatch)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """PBT and the grid over two seeds, each with its report."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        as_reporting(patch)
        for method in ("pbt", "grid"):
            for seed in SEEDS:
                execute(asked(method, seed), folder / f"{method}-{seed}")
        return records.load(sorted(folder.iterdir()))


def numbers(summary):
    """The report without its cost, which is never twice the same."""
    return {key: value for key, value in summary["final"]["reported"].items() if key != "cpu_s"}


def test_the_report_is_of_the_answer_and_has_its_mean_its_samples_and_its_cost(runs):
    """All episodes are worse than the score: a number of its own. The best ever has none."""
    for run in runs:
        reported = run.summary["final"]["reported"]
        assert len(reported["samples"]) == 4
        assert reported["value"] == pytest.approx(sum(reported["samples"]) / 4, abs=0.01)
        assert reported["value"] < run.summary["final"]["score"] - 2
        assert reported["cpu_s"] >= 0
        assert "reported" not in run.summary["best"]
    assert len({run.summary["final"]["reported"]["value"] for run in runs}) == len(runs)


def test_the_budget_and_the_costs_of_training_know_nothing_of_it(runs):
    """No event tells of it, no step is counted for it."""
    for run in runs:
        assert run.summary["member_steps"] == run.summary["budget_steps"] == 24
        assert not run.events.others("reported")


@pytest.mark.parametrize("execution", [{}, {"engine": "processes", "workers": 2}], ids=["serial", "processes"])
def test_a_report_that_was_killed_is_made_again_to_the_same_numbers(execution, tmp_path, monkeypatch):
    """In whichever process, on as many threads as the run; draws from global generators included."""
    how = resolve_execution("toy", "laptop", threads=2, **execution)
    settings = asked("pbt", synchronous="true")
    report, limits, before = Reporting.report, [], os.environ["OMP_NUM_THREADS"]

    def limited(task, state, seed):
        limits.append(os.environ["OMP_NUM_THREADS"])
        return report(task, state, seed)

    def killed(task, state, seed):
        raise KeyboardInterrupt

    monkeypatch.setattr(Reporting, "report", limited)
    whole = execute(settings, tmp_path / "whole", execution=how)
    with monkeypatch.context() as patch:
        patch.setattr(Reporting, "report", killed)
        with pytest.raises(KeyboardInterrupt):
            execute(settings, tmp_path / "run", execution=how)
    assert not (tmp_path / "run" / "summary.json").exists()
    again = execute(settings, tmp_path / "run", execution=how)
    assert numbers(again) == numbers(whole)
    assert limits == ["2", "2"]  # also where the run was finished before and no engine limited them
    assert os.environ["OMP_NUM_THREADS"] == before


def test_the_reported_number_is_that_of_the_report_in_every_table(runs):
    """The comparison, the table of runs and the claims; the held-out score is reported of the best ever."""
    finals = {(run.method, run.seed): run.summary["final"]["reported"]["value"] for run in runs}
    frame = tables.final_scores(runs).set_index(["method", "seed"])
    assert frame.reported.to_dict() == finals
    best = tables.final_scores(runs, "best")
    assert list(best.reported) == pytest.approx(list(best.selected - 1))
    table = run_table.runs(runs).set_index(["method", "seed"])
    assert table.final_reported.to_dict() == finals
    claim = Claim("PBT is better", "", None, "toy", "toy", {"pbt": 1, "grid": -1})
    differences = [finals["pbt", seed] - finals["grid", seed] for seed in SEEDS]
    assert contrast(claim, table.reset_index()).values == pytest.approx(differences)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (None, r"final\.held_out = -?[0-9.]+, but MEASURE\.held_out of toy is None"),
        ("Q, held out", r"final\.held_out = None, but MEASURE\.held_out of toy is 'Q, held out'"),
    ],
)
def test_what_is_held_out_and_what_the_domain_says_of_it_agree(named, words, tmp_path, monkeypatch):
    """The table would report one number, the verdict another or none."""
    sweep = registry.sweep("toy")
    monkeypatch.setattr(sweep, "MEASURE", dataclasses.replace(sweep.MEASURE, held_out=named))
    if named:
        monkeypatch.setattr(registry, "task_class", lambda domain: Toy)
    execute(asked("pbt"), tmp_path)
    with pytest.raises(InputError, match=rf"summary\.json: {words}: tasks must"):
        records.read_record(tmp_path)


def test_a_report_that_is_not_the_mean_of_its_samples_is_refused(tmp_path):
    """The number that all tables and verdicts take would be anybody's."""
    execute(asked("pbt"), tmp_path)
    path = tmp_path / "summary.json"
    content = json.loads(path.read_text())
    content["final"]["reported"]["value"] += 0.5
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"final\.reported\.value = .* must be the mean of its samples, "):
        records.read_record(tmp_path)


def test_its_cost_is_a_column_of_its_own(runs, tmp_path):
    """Of the comparison where there are reports, and of the table of runs, which can be read back."""
    costs = {run.seed: run.summary["final"]["reported"]["cpu_s"] for run in runs if run.method == "pbt"}
    row = tables.comparison(runs).set_index("method").loc["pbt"]
    assert row.report_cpu_s_mean == pytest.approx(sum(costs.values()) / 2)
    run_table.runs(runs).to_csv(tmp_path / "runs.csv", index=False)
    table = run_table.read_runs(tmp_path / "runs.csv")
    assert dict(zip(table[table.method == "pbt"].seed, table[table.method == "pbt"].report_cpu_s, strict=True)) == costs


def test_a_task_without_a_report_has_null_and_no_column(tmp_path, monkeypatch):
    """What was held out is reported, or the score of an exact task."""
    monkeypatch.setattr(Reporting, "report", lambda task, state, seed: None)
    assert execute(asked("pbt"), tmp_path)["final"]["reported"] is None
    run = records.read_record(tmp_path)
    assert run.reported() == run.summary["final"]["held_out"]
    assert "report_cpu_s_mean" not in tables.comparison([run])
    exact = {**run.summary, "final": {**run.summary["final"], "held_out": None}}
    assert dataclasses.replace(run, summary=exact).reported() == run.summary["final"]["score"]


def test_a_run_without_an_answer_reports_nothing(tmp_path, monkeypatch):
    """Every member diverged."""
    monkeypatch.setattr(Reporting, "evaluate", lambda task, state, seed: Score(math.nan))
    assert execute(asked("grid"), tmp_path)["final"] is None
    assert records.read_record(tmp_path).reported() is None


def test_a_report_that_is_no_number_is_reported_as_none_not_replaced_by_another_score(tmp_path, monkeypatch):
    """A run whose report broke down is one without a reported score."""
    monkeypatch.setattr(Reporting, "report", lambda task, state, seed: Score(math.nan))
    execute(asked("pbt"), tmp_path)
    run = records.read_record(tmp_path)
    assert math.isnan(run.reported())
    assert tables.comparison([run]).without_score[0] == 1


def test_what_is_no_score_ends_the_command_in_one_line(tmp_path, monkeypatch):
    """With the name of the hook; the training is kept."""
    monkeypatch.setattr(Reporting, "report", lambda task, state, seed: "well done")
    with pytest.raises(RunError, match=r"Reporting\.report must return a Score, not str"):
        execute(asked("pbt"), tmp_path)
    assert (tmp_path / "state" / "events.jsonl").exists()


@pytest.mark.parametrize(
    "report", [{"value": "x", "samples": [], "cpu_s": 1.0}, {"value": 1.0}, 3.0, {"value": 1.0, "n": 4}]
)
def test_a_report_in_a_summary_that_cannot_be_is_refused(report, runs, tmp_path):
    """By the schema, with the field."""
    summary = json.loads((runs[0].folder / "summary.json").read_text())
    summary["final"]["reported"] = report
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(InputError, match=r"final\.reported"):
        records.read_record(tmp_path)


def test_the_state_of_the_answer_is_closed_whether_its_report_succeeds_or_not(tmp_path, monkeypatch):
    """As engines do with those of members: a simulator must not outlive it."""
    settings = asked("pbt")
    execute(settings, tmp_path)
    closed = []

    def report(task, state, seed):
        raise ArithmeticError

    monkeypatch.setattr(Reporting, "report", report)
    monkeypatch.setattr(Reporting, "close", lambda task, state: closed.append(state), raising=False)
    with pytest.raises(ArithmeticError):
        execute(settings, tmp_path)  # all members are done: only the answer is loaded
    assert len(closed) == 1
