import math

import pandas as pd
import pytest
from matplotlib import rc_context

from reproductions.suite.figures.gains import gain_figure
from reproductions.suite.figures.look import STYLE, arrange
from reproductions.suite.results.gains import gains


def runs(scores, domain="translation", problem="catalogues"):
    """A table of runs from {method: scores by seed}."""
    rows = [
        {
            "domain": domain,
            "problem": problem,
            "method": method,
            "variant": "default",
            "seed": seed,
            "final_selected": 0.0,
            "final_reported": score,
        }
        for method, of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    return pd.DataFrame(rows)


def test_a_gain_is_the_mean_paired_difference_and_its_ratio_to_the_pooled_deviation():
    """By hand: variances 4 and 1 pool to a deviation of the root of 2.5."""
    table = gains(runs({"pbt": [10.0, 12.0, 14.0], "random_search": [9.0, 10.0, 11.0]}))
    (row,) = table.to_dict("records")
    assert row["gain"] == pytest.approx(2.0)
    assert row["standard_gain"] == pytest.approx(2.0 / math.sqrt(2.5))
    assert row["gain_low"] < row["gain"] < row["gain_high"]
    assert (row["unit"], row["margin"], row["seeds"]) == ("BLEU", 0.5, 3)


def test_a_gain_with_a_run_that_has_no_score_has_no_value():
    """What the other seeds say would leave out the worst."""
    (row,) = gains(runs({"pbt": [10.0, 12.0, 14.0], "random_search": [9.0, math.nan, 11.0]})).to_dict("records")
    assert math.isnan(row["gain"])


def test_the_figure_of_gains_has_a_dot_for_each_baseline_and_the_margin_behind_it():
    """Both panels of a domain show the same baselines; equal scores have no deviation to be measured in."""
    scores = {"pbt": [3.0, 4.0], "random_search": [2.0, 3.5], "hand_set": [3.0, 4.0], "hand_tuned": [9.0, 9.5]}
    table = pd.concat([gains(runs(scores)), gains(runs({"pbt": [1.0] * 3, "hand_tuned": [1.0] * 3}, "gan", "f"))])
    with rc_context(STYLE):
        figure = gain_figure(table)
        arrange(figure)
    for ax in figure.axes[:2]:
        named = [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
        assert named == ["random search", "hand set", "hand tuned"]
    assert [patch.get_width() for patch in figure.axes[1].patches] == [pytest.approx(1.0)]
