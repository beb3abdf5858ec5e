"""Curves of trainings, and which of two improves faster from the same score on."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from baselines.improvement import LENGTH, LONGEST, NOISE, Curve, Curves, chance, lead, leads, meeting, smoothed
from pbt_core import Evaluation, Member


def curve(*scores):
    return Curve(tuple(enumerate(scores)))


def read(evaluations):
    curves = Curves()
    for evaluation in evaluations:
        curves.take_in(evaluation)
    return curves


def test_curves_meet_where_the_lower_one_reaches_the_beginning_of_the_other():
    """At one of its points; the other is taken from where it has that score too, or from its beginning if it never has."""
    assert meeting((1, 2, 3, 4), (3, 4, 5, 6)) == (2.0, 0.0)
    assert meeting((3, 4, 5, 6), (1, 2, 3, 4)) == (0.0, 2.0)
    assert meeting((1, 2), (1, 3, 4)) == (0.0, 0.0)
    assert meeting((0, 4, 5), (3, 3.5, 5.5)) == (1.0, 1.25)
    assert meeting((0, 9), (3, 4)) == (1.0, 0.0)
    assert meeting((1, 2), (3, 4)) is None
    assert meeting((3, 4), (1, 2)) is None


def test_one_that_jumps_over_the_score_where_they_meet_is_not_ahead_by_that():
    """Both rise by 1 an evaluation from then on; the first comes from far below."""
    late, early = curve(5, 12.5, 13.5, 14.5, 15.5, 16.5), curve(10, 11, 12, 13, 14, 15)
    assert lead(late, early) == pytest.approx(0, abs=0.7)  # smoothing rounds the jump off
    assert max(late.scores) - max(early.scores) == 1.5


def test_a_lead_is_in_the_score_reached_from_the_same_score_in_equally_many_evaluations():
    """What one leads the other lags; where they began does not count."""
    slow, fast = curve(10, 11, 12, 13, 14, 15, 16), curve(2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22)
    assert lead(fast, slow) == pytest.approx(6, abs=1)
    assert lead(slow, fast) == -lead(fast, slow)
    assert leads((fast, slow)) == (lead(fast, slow), lead(slow, fast))


def test_a_curve_above_all_of_another_is_moved_down_and_never_lags():
    """It is compared from every point of the other, with the best of them; the other cannot be compared."""
    low = curve(0, 5, 6, 6.5, 7)
    assert lead(curve(50, 52, 54, 56, 58), low) > 2
    assert lead(curve(50, 50, 50, 50, 50), low) == pytest.approx(0, abs=0.6)
    assert lead(curve(90, 80, 70, 60, 50), low) == pytest.approx(0)
    assert lead(low, curve(50, 52, 54, 56, 58)) == 0.0
    assert lead(Curve(()), low) == lead(low, Curve(())) == 0.0


def test_the_sign_test_counts_points_won_from_the_same_score_on():
    """Two or three of as many: 1/4 or 1/8; none: 1; above all of it: certain; never met: no answer."""
    rising, flat = curve(5, 7, 9, 11), curve(5.5, 5.6, 5.7, 5.8)
    assert chance(rising, flat) in (1 / 4, 1 / 8)
    assert chance(flat, rising) == 1.0
    assert chance(curve(20, 21), flat) == 0.0
    assert chance(curve(1, 1.1), flat) is None
    assert chance(Curve(()), flat) is None


def test_smoothing_is_the_mean_of_a_gaussian_process_about_a_line():
    """Against scikit-learn's and numpy's; what is straight stays as it is."""
    scores = tuple(np.random.default_rng(0).normal(size=12) + np.arange(12))
    x = np.arange(12.0)
    line = np.polyval(np.polyfit(x, scores, 1), x)
    process = GaussianProcessRegressor(kernels.RBF(LENGTH), alpha=NOISE, optimizer=None).fit(x[:, None], scores - line)
    assert smoothed(scores) == pytest.approx(process.predict(x[:, None]) + line)
    assert smoothed((3.0, 5.0, 7.0)) == pytest.approx((3.0, 5.0, 7.0))
    assert [smoothed((3.0,)), smoothed((3.0, 4.0))] == [pytest.approx((3.0,)), pytest.approx((3.0, 4.0))]


def evaluation(step, score, before, age=None):
    return Evaluation(0, step, 10, step if age is None else age, {}, score, before)


def test_a_curve_begins_with_the_copied_weights_and_has_what_was_trained_since():
    """Nothing of what the member was before."""
    curves = read([evaluation(10, 1.0, None), evaluation(20, 7.0, 5.0, age=90), evaluation(30, 8.0, 7.0, age=100)])
    cloned = curves.of(Member(0, {}, step=30, score=8.0, parent=3, born=10, age=100))
    assert cloned == Curve(((80, 5.0), (90, 7.0), (100, 8.0)), begun=True)
    assert (cloned.origin, cloned.trained) == ((80, 5.0), ((90, 7.0), (100, 8.0)))
    just = curves.of(Member(0, {}, step=30, score=4.0, parent=3, born=30, age=50))
    assert just == Curve(((50, 4.0),), begun=True)
    assert curves.of(Member(1, {})) == Curve(())


def test_a_curve_of_fresh_weights_has_no_point_to_begin_from_and_no_score_that_is_not_finite():
    """A restart ends the one before."""
    curves = read([evaluation(10, 1.0, None), evaluation(20, float("nan"), 1.0), evaluation(30, 2.0, None, age=10)])
    assert curves.of(Member(0, {}, step=30, score=2.0, age=10)) == Curve(((10, 2.0),))


def test_only_the_last_points_of_a_long_curve_are_compared():
    """What a comparison costs is bounded."""
    count = LONGEST + 20
    curves = read([evaluation(10 * i, float(i), None if i == 1 else float(i - 1)) for i in range(1, count + 1)])
    assert len(curves.of(Member(0, {}, step=10 * count, score=float(count), age=10 * count)).points) == LONGEST
