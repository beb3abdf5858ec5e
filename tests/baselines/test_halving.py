from statistics import mean

import numpy as np
import pytest
from played import play

from baselines import Halving, RandomSearch


def ages(ledger):
    """The age at which each training ended, in the order of their ends; those under way at the end of the run left out."""
    last, ended = {}, []
    for e in ledger.evaluations:
        if e.member in last and e.age <= last[e.member].age:
            ended.append(last[e.member])
        last[e.member] = e
    return ended


def rank(evaluation):
    """How good its settings are, whatever its age: the score a step."""
    return evaluation.score / evaluation.age


def test_bad_trainings_are_stopped_early_and_good_ones_go_on():
    """Those stopped at the first rung are worse than those that were trained to the end, which are few."""
    ended = ages(play(Halving("asha", training_steps=80, first_rung=10, reduction_factor=2), size=8, steps=400, seed=0))
    first, whole = [e for e in ended if e.age == 10], [e for e in ended if e.age == 80]
    assert len(first) > 2 * len(whole) > 0
    assert mean(map(rank, first)) < 0.5 * mean(map(rank, whole))
    assert {e.age for e in ended} <= {10, 20, 40, 80}


def test_steps_that_are_saved_begin_more_trainings():
    """More than twice as many as with whole trainings, in the same budget."""
    ledger = play(Halving("asha", training_steps=80, first_rung=10, reduction_factor=2), size=8, steps=400, seed=0)
    assert sum(e.steps for e in ledger.evaluations) == 8 * 400
    assert sum(e.age == e.steps for e in ledger.evaluations) > 2 * 8 * 400 / 80


def test_hyperband_begins_to_stop_at_different_rungs():
    """Some brackets let everybody pass the first rung: of those stopped there, fewer than with one bracket."""
    ended = {
        kind: ages(play(Halving(kind, training_steps=80, first_rung=10, reduction_factor=2), size=8, steps=800, seed=0))
        for kind in ("asha", "hyperband")
    }
    shares = {kind: np.mean([e.age == 10 for e in trainings]) for kind, trainings in ended.items()}
    assert 0 < shares["hyperband"] < shares["asha"]


def test_with_equal_budgets_it_finds_better_settings_than_random_search():
    """Ten runs of eight slots against 64 trainings at once."""
    for kind in ("asha", "hyperband"):
        scores = [play(Halving(kind, 40, 10, 2), 8, 320, seed).best().member.score for seed in range(10)]
        random = [play(RandomSearch(), 64, 40, seed).best().member.score for seed in range(10)]
        assert mean(scores) > mean(random)


def test_a_diverged_training_is_stopped_at_once_and_counts_for_nobody():
    """Rung or not; the others are compared among themselves."""

    def brittle(hyperparameters, step):
        return float("nan") if hyperparameters["lr"] > 1e-2 else hyperparameters["lr"]

    method = Halving("asha", training_steps=60, first_rung=30, reduction_factor=2)
    ended = ages(play(method, size=8, steps=300, seed=0, gain=brittle))
    assert {e.age for e in ended if e.hyperparameters["lr"] > 1e-2} == {10}
    assert 60 in {e.age for e in ended}


def test_settings_that_make_no_sense_are_refused():
    """Key, value, rule."""
    with pytest.raises(ValueError, match=r"first_rung = 40 must be in \[1, training_steps = 40\)"):
        Halving("asha", training_steps=40, first_rung=40)
    with pytest.raises(ValueError, match="reduction_factor = 1 must be at least 2"):
        Halving("asha", training_steps=40, first_rung=10, reduction_factor=1)
    with pytest.raises(ValueError, match="pruner = 'median' must be 'asha' or 'hyperband'"):
        Halving("median", training_steps=40, first_rung=10)
