import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from pbt_core import Record as Events
from reproductions.suite.cli import main
from reproductions.suite.figures import plotting
from reproductions.suite.publish import readme
from reproductions.suite.publish.reference import keep, restore
from reproductions.suite.results import run_table, statistics
from reproductions.suite.results.records import Record, load
from reproductions.suite.results.tables import comparison, normalised, pairs, read
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.sweep import Anchor


def test_the_interval_of_a_mean_covers_it_about_as_often_as_it_says():
    """Percentile bootstrap over 20 seeds of a known mean: nominal 95 %, known to be a little low."""
    rng = np.random.default_rng(0)
    estimates = [statistics.mean(rng.normal(3.0, 1.0, size=20).tolist()) for _ in range(100)]
    assert 85 <= sum(e.low <= 3.0 <= e.high for e in estimates) <= 100


def test_one_seed_gives_a_value_without_an_interval_and_shows_none():
    """No false certainty."""
    estimate = statistics.mean([2.0])
    assert estimate.value == 2.0
    assert math.isnan(estimate.low)
    assert str(estimate) == "2.000"


def test_the_interquartile_mean_leaves_out_the_extremes():
    """One outlier in eight has no say."""
    assert statistics.interquartile_mean([1, 2, 3, 4, 5, 6, 7, 1000]).value == pytest.approx(4.5)


def test_the_probability_of_improvement_counts_pairs_and_halves_ties():
    """3 wins, 1 tie, 2 losses of 6 pairs."""
    estimate = statistics.probability_of_improvement([1.0, 3.0], [0.5, 1.0, 5.0])
    assert estimate.value == pytest.approx((3 + 0.5) / 6)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_what_resampling_does_not_change_has_no_interval():
    """Seeds that are equal, or of which one side wins every pair, do not say how sure that is."""
    estimate = statistics.probability_of_improvement([3.0, 4.0, 5.0], [0.0, 1.0, 2.0])
    assert str(estimate) == "1.000"
    assert str(statistics.mean([0.1 + 0.2, 0.3, 0.3])) == "0.300"
    assert not math.isnan(statistics.probability_of_improvement([3.0, 4.0, 1.5], [0.0, 1.0, 2.0]).low)


def test_estimates_are_the_same_each_time():
    """The bootstrap is seeded."""
    assert statistics.mean([1.0, 2.0, 4.0]) == statistics.mean([1.0, 2.0, 4.0])


def test_non_finite_scores_are_told_not_hidden():
    """A method whose every member diverged has no mean."""
    assert math.isnan(statistics.mean([1.0, math.nan]).value)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for method in ("pbt", "grid"):
        for seed in ("0", "1", "2"):
            out = folder / f"{method}-{seed}"
            assert main(["run", "toy", method, "--seed", seed, "--quiet", "--out", str(out)]) == 0
    return sorted(folder.iterdir())


def test_tables_put_methods_side_by_side_with_intervals_and_equal_budgets(runs):
    """Three seeds each; PBT certainly beats the grid on the toy."""
    table = comparison(load(runs)).set_index("method")
    assert list(table.index) == ["pbt", "grid"]
    assert (table.seeds == 3).all()
    assert (table.budget_steps_mean == table.member_steps_mean).all()
    assert table.loc["grid", "reported_final_mean"] == pytest.approx(0.39, abs=0.001)
    row = pairs(load(runs)).set_index(["method", "against"]).loc[("pbt", "grid")]
    assert row.probability_of_improvement == 1.0
    assert math.isnan(row.probability_of_improvement_low)
    assert row.paired_difference_low > 0.5
    alone = pairs(load(run for run in runs if run.name.startswith("pbt")))
    assert list(alone.columns) == ["problem", "method", "against", "seeds"]
    assert alone.empty


def test_runs_of_different_budgets_are_not_compared(runs, tmp_path):
    """Same compute for every method, or an error."""
    out = tmp_path / "short"
    assert main(["run", "toy", "grid", "--set", "steps=100", "--variant", "short", "--quiet", "--out", str(out)]) == 0
    with pytest.raises(ConfigError, match="different budgets"):
        comparison(load([*runs, out]))


def imagined(problem, method, seed, score, budget=100):
    """The record of a run that never was."""
    evaluation = {"score": score, "held_out": None, "metrics": {}}
    zeros = dict.fromkeys(("member_steps", "cloned", "diverged", "failed", "cpu_s", "wall_s"), 0)
    named = {"problem": problem, "method": method, "variant": "default", "seed": seed}
    return Record(
        Path(problem), {**named, "final": evaluation, "best": evaluation, "budget_steps": budget, **zeros}, Events()
    )


@pytest.fixture
def two_problems():
    """PBT is better on the one and worse on the other, whose scores are a thousand times as large."""
    scores = {"small": {"pbt": 2.0, "grid": 1.0}, "large": {"pbt": 1000.0, "grid": 2000.0}}
    return [
        imagined(problem, method, seed, score + seed / 10, budget=100 if problem == "small" else 200)
        for problem, methods in scores.items()
        for method, score in methods.items()
        for seed in range(2)
    ]


def test_two_problems_in_one_table_have_rows_of_their_own_and_are_never_mixed(two_problems):
    """Means, and who beats whom, are within a problem; budgets may differ between problems, not within one."""
    table = comparison(two_problems)
    assert table.columns[0] == "problem"
    assert list(zip(table.problem, table.method, strict=True)) == [
        ("small", "pbt"),
        ("small", "grid"),
        ("large", "pbt"),
        ("large", "grid"),
    ]
    assert list(table.reported_final_mean) == pytest.approx([2.05, 1.05, 1000.05, 2000.05])
    assert list(table.budget_steps_mean) == [100, 100, 200, 200]
    both = pairs(two_problems).set_index(["problem", "method", "against"])
    assert both.loc[("small", "pbt", "grid")].probability_of_improvement == 1.0
    assert both.loc[("large", "pbt", "grid")].probability_of_improvement == 0.0
    assert both.loc[("large", "pbt", "grid")].paired_difference == pytest.approx(-1000)
    assert len(both) == 4
    with pytest.raises(ConfigError, match="runs of small have different budgets"):
        comparison([*two_problems, imagined("small", "grid", 2, 1.0, budget=200)])


def test_the_readmes_table_shows_the_columns_that_its_file_has(two_problems, tmp_path):
    """A problem in each row; no FID where there is none."""
    comparison(two_problems).to_csv(tmp_path / "comparison.csv", index=False)
    header, _, first, *_ = readme.table(tmp_path / "comparison.csv").splitlines()
    assert header.startswith("| problem | method | seeds | reported, final best member |")
    assert "FID" not in header
    assert first.startswith("| small | pbt | 2 | 2.050 [")


def test_the_front_page_has_the_judged_claims_and_counts_the_others():
    """By domain, from the kept table."""
    path = Path(__file__).parents[2] / "results/reference/laptop/claims.csv"
    frame = read(path)
    rows = [line for line in readme.verdicts(path).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + (frame.verdict != "not run").sum()
    assert not any(row.endswith("| not run |") for row in rows)
    waiting = frame[frame.verdict == "not run"].domain.value_counts()
    assert all(f"{count} of {domain}" in readme.verdicts(path) for domain, count in waiting.items())


def test_figures_are_named_after_their_problem_only_where_there_are_several(two_problems):
    """And each is made from the runs of its problem alone."""

    def make(records):
        return {"scores": lambda: {record.problem for record in records}}

    figures = plotting.by_problem(two_problems, make)
    assert {name: drawn() for name, drawn in figures.items()} == {"scores_small": {"small"}, "scores_large": {"large"}}
    alone = [record for record in two_problems if record.problem == "large"]
    assert list(plotting.by_problem(alone, make)) == ["scores"]


def test_the_best_so_far_curve_never_falls_and_reports_the_chosen_member(runs):
    """It is the running maximum of the selecting score over the whole population."""
    for record in load(runs):
        curve = record.best_so_far(reported=False)
        frame = record.evaluations
        assert curve.is_monotonic_increasing
        assert curve.iloc[-1] == frame.score.max()
        assert curve.loc[50] == frame[frame.step <= 50].score.max()


def test_figures_are_the_same_bytes_each_time_and_every_axis_is_labelled(runs, tmp_path):
    """A figure is a function of the runs."""
    from matplotlib.figure import Figure

    from reproductions.toy import analysis

    for name in ("a", "b"):
        assert main(["figure", "toy", *map(str, runs), "--out", str(tmp_path / name)]) == 0
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert "figure2.svg" in written
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for make in analysis.figures(load(runs)).values():
        figure = make()
        assert isinstance(figure, Figure)
        assert any(ax.get_ylabel() for ax in figure.axes)


def test_normalised_scores_are_averaged_over_problems_seed_by_seed(runs, tmp_path):
    """Random play is 0, people are 100; a problem without anchors has no say."""
    records = load(runs)
    other = [
        Record(r.folder, {**r.summary, "problem": "other", "final": {**r.summary["final"], "held_out": 3.0}}, r.events)
        for r in records
    ]
    anchors = {"quadratic": Anchor(0.0, 2.0, "made up"), "other": Anchor(1.0, 5.0, "made up")}
    frame = normalised(records + other, anchors).set_index(["problem", "method"])
    scores = [r.summary["final"]["score"] * 50 for r in records if r.method == "pbt"]
    assert frame.loc[("quadratic", "pbt"), "human_normalised_mean"] == pytest.approx(np.mean(scores))
    assert frame.loc[("other", "pbt"), "human_normalised_mean"] == pytest.approx(50)
    assert frame.loc[("mean", "pbt"), "human_normalised_mean"] == pytest.approx((np.mean(scores) + 50) / 2)
    assert set(normalised(records + other, {"other": anchors["other"]}).problem) == {"other"}


def test_keeping_a_study_replaces_only_the_runs_that_it_has(tmp_path, runs):
    """Long domains are not all run on one day; records are kept with those that were kept before."""
    results = tmp_path / "results"
    for record in load(runs):
        place = results / "laptop" / "runs" / "toy" / "quadratic" / record.method / "default" / f"seed-{record.seed}"
        shutil.copytree(record.folder, place)
        save_file({record.method: np.zeros(1)}, place / "illustration.safetensors")
    (results / "laptop" / "tables" / "toy").mkdir(parents=True)
    kept = results / "reference" / "laptop"
    (kept / "tables" / "gan").mkdir(parents=True)
    (kept / "tables" / "gan" / "comparison.csv").write_text("problem\n")
    (kept / "runs.csv").write_text(
        "domain,problem,method,variant,seed,scale,final_selected,final_reported\n"
        "gan,fashion_mnist,pbt,default,0,laptop,1,2\ntoy,quadratic,old,default,0,laptop,1,\n"
        "toy,quadratic,pbt,default,0,laptop,1,\n"
    )
    (kept / "provenance.json").write_text('{"gan": []}')
    keep("laptop", results)
    rows = pd.read_csv(kept / "runs.csv")
    assert rows.domain.tolist() == ["gan"] + ["toy"] * 7
    same = rows[(rows.domain == "toy") & (rows.method == "pbt") & (rows.seed == 0)]
    assert len(same) == 1
    assert same.final_selected.notna().all()
    again = results / "laptop" / "runs" / "toy" / "quadratic"
    shutil.rmtree(again / "pbt")
    keep("laptop", results)
    shutil.rmtree(again)
    restored = load(restore("laptop", results))
    assert sum(record.method == "pbt" for record in restored) == rows[rows.domain == "toy"].method.eq("pbt").sum()
    assert [list(load_file(path)) for path in again.glob("pbt/*/seed-0/illustration.safetensors")] == [["pbt"]]
    assert run_table.runs(restored).trends.tolist() == run_table.runs(load(runs)).trends.tolist()
    assert "toy" in set(pd.read_csv(kept / "claims.csv").domain)
    assert (kept / "tables" / "gan" / "comparison.csv").exists()
    assert set(json.loads((kept / "provenance.json").read_text())) == {"gan", "toy"}
