import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reproductions.suite.results.claims import Claim
from reproductions.suite.results.multiplicity import holm, p_value
from reproductions.suite.results.verdicts import estimate, judge, size, verdict

CLAIM = Claim("PBT wins", "it does", "recall", "gan", "gan", {"pbt": 1, "random_search": -1}, margin=0.5)
RESULTS = ("reproduced", "no difference", "not reproduced")


@pytest.mark.parametrize("side", ["above", "at most", "alike"])
def test_p_is_at_most_5_percent_exactly_where_the_interval_gives_a_result(side):
    """Over samples around the threshold and around both ends of the margin; some of each verdict are among them."""
    claim, rng, seen = dataclasses.replace(CLAIM, side=side), np.random.default_rng(0), set()
    for _ in range(300):
        values = list(rng.normal(rng.uniform(-1.0, 1.0), rng.uniform(0.1, 1.0), 6))
        given = verdict(claim, estimate(claim, values), len(values))
        seen.add(given)
        assert (p_value(claim, values) <= 0.05) == (given in RESULTS)
    assert len(seen) == (3 if side == "alike" else 4)


@pytest.mark.parametrize("seeds", [3, 6, 9, 20])
def test_p_of_a_share_agrees_with_its_interval(seeds):
    """Whatever number of seeds is as claimed."""
    claim = dataclasses.replace(CLAIM, statistic="share", margin=None)
    for such in range(seeds + 1):
        values = [1.0] * such + [-1.0] * (seeds - such)
        given = verdict(claim, estimate(claim, values), seeds)
        assert (p_value(claim, values) <= 0.05) == (given in RESULTS)


def test_p_is_that_of_students_test():
    """As scipy has it."""
    values = [0.1, 0.9, 1.4, 2.0]
    claim = dataclasses.replace(CLAIM, threshold=-1.0, column="cpu_s", margin=None)
    assert p_value(claim, values) == pytest.approx(stats.ttest_1samp(values, -1.0).pvalue)
    assert math.isnan(p_value(claim, [1.0]))
    assert math.isnan(p_value(claim, [1.0, 1.0]))


def test_holms_adjustment_is_that_of_its_paper():
    """By hand: the smallest of four times 4, the next times 3, never less than the one before; NaN is no test."""
    assert holm([0.01, 0.04, math.nan, 0.03, 0.9])[:2] == pytest.approx([0.04, 0.09])
    assert holm([0.01, 0.04, math.nan, 0.03, 0.9])[3:] == pytest.approx([0.09, 0.9])
    assert math.isnan(holm([0.01, math.nan])[1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.2, 0.15], "within"),
        ([0.9, 1.0, 1.1], "beyond"),
        ([-0.9, -1.0, -1.1], "beyond"),
        ([0.2, 0.9, 0.5], "either"),
    ],
)
def test_the_size_of_a_difference_stands_beside_its_verdict(values, expected):
    """A difference may be sure, and too small to matter."""
    assert size(CLAIM, estimate(CLAIM, values)) == expected
    assert size(dataclasses.replace(CLAIM, column="cpu_s", margin=None), estimate(CLAIM, values)) == ""


def test_a_table_of_verdicts_adjusts_for_all_that_are_judged_in_it():
    """Claims that were not run do not count."""
    rows = [
        {"domain": "gan", "problem": "p", "method": method, "variant": "default", "seed": seed, "final_selected": 0.0}
        | {"final_reported": score}
        for method, scores in (("pbt", [1.0, 2.0, 4.0]), ("random_search", [0.0, 0.0, 0.0]))
        for seed, score in enumerate(scores)
    ]
    missing = dataclasses.replace(CLAIM, weights={"tpe": 1})
    judged = judge([CLAIM, CLAIM, missing], pd.DataFrame(rows))
    assert list(judged.p_holm[:2]) == pytest.approx([2 * judged.p[0]] * 2)
    assert math.isnan(judged.p_holm[2])
