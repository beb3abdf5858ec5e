import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reproductions.suite.results import design, power
from reproductions.suite.results.claims import all_claims
from reproductions.suite.study import registry


def test_power_is_that_of_published_tables():
    """Cohen (1988), one sample, two-sided, 5 %: an effect of 0.5 needs 34 pairs, of 0.8 needs 15, of 1.0 needs 10."""
    assert [power.seeds_needed(1.0, effect) for effect in (0.5, 0.8, 1.0)] == [34, 15, 10]


def test_power_is_the_share_of_drawn_studies_that_see_the_difference():
    """By simulation: 20,000 studies of 6 seeds whose true difference is 1.4 standard deviations."""
    drawn = np.random.default_rng(0).normal(1.4, 1.0, (20_000, 6))
    seen = stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05
    assert power.power(1.4, 6) == pytest.approx(seen.mean(), abs=0.01)


@pytest.mark.parametrize("seeds", [2, 3, 10, 100])
def test_the_detectable_difference_is_seen_with_a_power_of_80_percent(seeds):
    """Whatever the unit: it scales with the differences."""
    values = list(np.random.default_rng(seeds).normal(0.0, 3.0, seeds))
    effect = power.detectable(values) / np.std(values, ddof=1)
    assert power.power(effect, seeds) == pytest.approx(0.8, abs=1e-3)
    assert power.detectable([10 * value for value in values]) == pytest.approx(10 * power.detectable(values), rel=1e-6)


def test_the_share_of_seeds_that_is_detectable_is_seen_with_a_power_of_80_percent():
    """By hand: 6 of 6 seeds are seen with a probability of p^6, so p is 0.8^(1/6); five seeds never decide."""
    assert power.detectable_share(6) == pytest.approx(0.8 ** (1 / 6), abs=1e-5)
    assert 0.5 < power.detectable_share(20) < power.detectable_share(6)
    assert all(math.isnan(power.detectable_share(seeds)) for seeds in range(6))


def test_a_deviation_that_is_not_known_shows_no_difference():
    """Equal differences may be equal by chance, and one has no deviation."""
    assert math.isnan(power.detectable([2.0, 2.0]))
    assert power.seeds_needed(0.0, 0.1) == 2
    assert math.isnan(power.detectable([2.0]))
    assert power.seeds_needed(1.0, 1e-9) is None
    assert power.seeds_needed(math.nan, 1.0) is None


def test_the_seeds_of_a_claim_follow_from_its_runs_and_its_domains_margin():
    """Translation's differences of 1, 2 and 3 BLEU deviate by 1; its margin is half a BLEU."""
    scores = {"pbt": [11.0, 12.0, 13.0], "random_search": [10.0, 10.0, 10.0]}
    rows = [
        {
            "domain": "translation",
            "problem": "catalogues",
            "method": method,
            "variant": "default",
            "seed": seed,
            "final_selected": 0.0,
            "final_reported": score,
        }
        for method, of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    (row,) = design.seeds_of_claims(all_claims(), pd.DataFrame(rows)).to_dict("records")
    assert row["deviation"] == pytest.approx(1.0)
    assert row["margin"] == registry.sweep("translation").MEASURE.margin == 0.5
    assert row["seeds_needed"] == 34
