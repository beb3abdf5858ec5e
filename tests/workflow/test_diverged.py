"""A run without a finite score stops no study, and its method does not look better for it."""

import contextlib
import csv
import json
import math

import pandas as pd
import pytest

from reproductions.suite.cli import main
from reproductions.suite.figures import headline, profiles
from reproductions.suite.results import statistics, tables, verdicts
from reproductions.suite.results.claims import Claim, all_claims
from reproductions.suite.results.records import load
from reproductions.suite.results.run_table import read_runs
from reproductions.suite.study.sweep import Measure

#: No member is ever ready, so none of those that diverge begins anew.
HOT = ["--set", "steps=9", "--set", "task.lr=1e30", "--set", "search.until=0"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """PBT, three seeds, of which the last diverged; the grid, two seeds; and a labelled run of PBT that diverged."""
    folder = tmp_path_factory.mktemp("runs")
    asked = [(method, seed, []) for method in ("pbt", "grid") for seed in (0, 1)]
    for method, seed, more in [*asked, ("pbt", 2, HOT), ("pbt", 3, [*HOT, "--variant", "hot"])]:
        settings = more or ["--set", "task.lr=0.01", "--set", "steps=9"]
        command = ["run", "toy", method, "--seed", str(seed), "--quiet", *settings]
        label = f"{method}-{seed}"
        with pytest.warns(RuntimeWarning) if more else contextlib.nullcontext():
            assert main([*command, "--out", str(folder / label)]) == 0
    # Of one method are only seeds with the same settings, and no setting of the toy lets one seed alone diverge.
    healthy, path = json.loads((folder / "pbt-0" / "summary.json").read_text()), folder / "pbt-2" / "summary.json"
    settings = healthy["settings"] | {"seed": 2}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": settings}))
    return folder


def all_of(folder):
    return [str(path) for path in sorted(folder.iterdir())]


def test_the_run_says_so_in_one_line(tmp_path, capsys):
    """And has done what was asked."""
    with pytest.warns(RuntimeWarning):
        assert main(["run", "toy", "pbt", "--quiet", *HOT, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"toy quadratic pbt seed 0: no finite score; in {tmp_path}\n"


def test_tables_count_it_and_give_its_method_no_mean(runs, tmp_path):
    """A mean over the others would leave out the worst; where order is all that matters it is the lowest."""
    assert main(["table", "toy", *all_of(runs), "--out", str(tmp_path)]) == 0
    table = tables.read(tmp_path / "comparison.csv").set_index("method")
    assert table.without_score.to_dict() == {"pbt": 1, "pbt (hot)": 1, "grid": 0}
    assert table.loc[["pbt", "pbt (hot)"], ["reported_final_mean", "selected_final_mean"]].isna().all(axis=None)
    assert math.isfinite(table.loc["grid", "reported_final_mean"])
    shown = (tmp_path / "comparison.md").read_text()
    assert "nan" not in shown
    pairs = tables.read(tmp_path / "pairs.csv").set_index(["method", "against"])
    pbt, grid = ([r.summary["final"] for r in load(runs.iterdir()) if r.method == name] for name in ("pbt", "grid"))
    wins = [
        1.0 if p and p["score"] > g["score"] else 0.5 if p and p["score"] == g["score"] else 0.0
        for p in pbt
        for g in grid
    ]
    assert pairs.loc[("pbt", "grid"), "probability_of_improvement"] == pytest.approx(sum(wins) / len(wins))
    assert pairs.loc[("grid", "pbt (hot)"), "probability_of_improvement"] == 1


def test_the_table_of_runs_leaves_its_scores_empty_and_its_claims_are_inconclusive(runs, tmp_path, capsys):
    """With the number of such runs; the claims of other domains are judged as before."""
    path = tmp_path / "runs.csv"
    assert main(["runs", *all_of(runs), "--out", str(path)]) == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert sum(row["final_selected"] == "" for row in rows) == 2
    assert main(["claims", str(path), "--out", str(tmp_path)]) == 0
    assert "1 run(s) without a value" in capsys.readouterr().out
    row = tables.read(tmp_path / "claims.csv").set_index("domain").loc["toy"]
    assert (row.verdict, row.without_value) == ("inconclusive", 1)
    assert math.isnan(row.ours)
    without = read_runs(path)
    judged = verdicts.judge(all_claims(), without[without.seed < 2]).set_index("domain").loc["toy"]
    assert math.isfinite(judged.ours)


def test_a_claim_is_not_judged_by_the_seeds_that_came_through():
    """Though they would settle it; the held-out score counts where the domain has one."""
    claim = Claim("PBT wins", "it does", "recall", "gan", "gan", {"pbt": 1, "random_search": -1})
    rows = [
        {"domain": "gan", "problem": "p", "method": method, "variant": "default", "seed": seed, "final_selected": 1.0}
        | {"final_reported": score + seed / score}
        for method, score in (("pbt", 9.0), ("random_search", 1.0))
        for seed in range(4)
    ]
    assert verdicts.judge([claim], pd.DataFrame(rows)).verdict[0] == "reproduced"
    rows[3]["final_reported"] = math.nan
    row = verdicts.judge([claim], pd.DataFrame(rows)).iloc[0]
    assert (row.verdict, row.without_value) == ("inconclusive", 1)
    assert math.isnan(row.ours)


@pytest.mark.parametrize(
    "chosen", [["pbt-3"], ["pbt-2", "pbt-3"], ["pbt-0", "pbt-1", "pbt-2", "grid-0", "grid-1", "pbt-3"]]
)
def test_figures_draw_what_can_be_drawn(chosen, runs, tmp_path):
    """A labelled run alone, runs none of which has a score, and some among others."""
    folders = [str(runs / name) for name in chosen]
    assert main(["figure", "toy", *folders, "--out", str(tmp_path)]) == 0
    assert {"figure2.svg", "scores.svg", "best_so_far.svg"} <= {path.name for path in tmp_path.iterdir()}
    assert "PBT (hot)" in (tmp_path / "figure2.svg").read_text()
    assert "without a finite score left out" in (tmp_path / "scores.svg").read_text()
    assert main(["paper", *folders, "--out", str(tmp_path / "paper")]) == 0


def test_figure_3_says_how_many_runs_it_leaves_out():
    """They are not to be forgotten."""
    rows = [
        {"domain": "d", "problem": "p", "method": method, "seed": seed, "final_reported": 1.0 + seed}
        for method in ("pbt", "random_search")
        for seed in range(3)
    ]
    rows[0]["final_reported"] = math.nan
    frame = pd.DataFrame(rows).assign(final_selected=5.0)
    measures = {"d": Measure("score", "", "held out", "steps")}
    assert headline.relative(frame, measures).attrs["lost"] == 1
    assert "1 run without a finite score left out" in headline.headline(frame, measures).get_suptitle()


def test_a_run_without_a_score_is_below_all_that_have_one():
    """However low they are; two such runs are equal."""
    lowest, nothing = -1.7e308, math.nan
    assert statistics.probability_of_improvement([lowest], [nothing]).value == 1
    assert statistics.probability_of_improvement([nothing], [nothing, lowest]).value == 0.25
    assert profiles.improved([[nothing], [1.0]], [[lowest], [0.0]]).value == 0.5
