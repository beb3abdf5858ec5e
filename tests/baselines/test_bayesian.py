import importlib.util
import math
from statistics import mean

import numpy as np
import pytest
from played import gain, play

from baselines import Bayesian, RandomSearch
from pbt_core import Choice, Integer, LogUniform, Member, OneMinus, Population, Space, Uniform
from pbt_core.population import Evaluation
from pbt_core.space import Dimension

SAMPLERS = ("tpe", "gp")
LINE = Space({"lr": LogUniform(1e-4, 1.0)})


def asked(method, rows, waiting=2, space=LINE):
    """The proposals for ``waiting`` free slots after trainings that are given as (settings, score)."""
    evaluations = [Evaluation(100 + i, 10, 10, 10, h, score, None) for i, (h, score) in enumerate(rows)]
    members = {i: Member(i, rows[0][0], step=10, score=0.0, age=10) for i in range(waiting)}
    view = Population(members, space, evaluations)
    return [method.decide(members[i], view, np.random.default_rng(i)).hyperparameters for i in members]


def rows(score, size=15):
    return [({"lr": lr}, score(math.log10(lr))) for lr in np.geomspace(1e-4, 1.0, size).tolist()]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_come_from_where_the_scores_were_high(sampler):
    """The same trainings with other scores give other proposals."""
    method = Bayesian(sampler, training_steps=10, startup_trainings=5)
    for best in (-3.0, -1.0):
        proposed = [
            math.log10(h["lr"]) for h in asked(method, rows(lambda x, best=best: -((x - best) ** 2)), waiting=4)
        ]
        assert abs(np.median(proposed) - best) < 0.5


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_slots_that_ask_at_once_are_given_different_proposals(sampler):
    """Those asked for before count as under way."""
    method = Bayesian(sampler, training_steps=10, startup_trainings=5)
    assert len({h["lr"] for h in asked(method, rows(lambda x: -abs(x + 2)), waiting=4)}) == 4


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_region_that_diverges_is_avoided(sampler):
    """A score that is not finite counts as the worst one: left out, the region would look unexplored."""
    method = Bayesian(sampler, training_steps=10, startup_trainings=5)
    evaluations = rows(lambda x: math.nan if x > -1.5 else x)
    assert np.median([math.log10(h["lr"]) for h in asked(method, evaluations, waiting=6)]) < -1.3


def test_the_first_trainings_are_drawn_from_the_prior_and_so_are_those_before_any_finite_score():
    """With the draws that random search would begin with."""
    start = [m.start(LINE, 3, np.random.default_rng(5)) for m in (Bayesian("tpe", 10), RandomSearch())]
    assert start[0] == start[1]
    method = Bayesian("tpe", training_steps=10, startup_trainings=20)
    diverged = rows(lambda x: math.nan, size=30)
    for history in (rows(lambda x: x), diverged):
        assert asked(method, history)[0] == LINE.sample(np.random.default_rng(0))


def test_every_kind_of_dimension_is_searched_and_one_of_the_users_own_refused():
    """Optuna has no word for it; the message names the hyperparameter."""

    class Other(Dimension):
        pass

    space = Space(
        {
            "a": Uniform(-1, 1),
            "b": Integer(1, 9),
            "c": Integer(1, 90, log=True),
            "d": Choice(("x", True, 1, 1.0, None, (1, (2, 3)))),
            "e": OneMinus(0.9, 0.999),
        }
    )
    draws = [space.sample(np.random.default_rng(i)) for i in range(12)]
    for sampler in SAMPLERS:
        for proposal in asked(Bayesian(sampler, 10, 5), [(h, h["a"]) for h in draws], space=space):
            space.check(proposal)
    with pytest.raises(ValueError, match="hyperparameter 'e' is of type Other, which optuna cannot search"):
        Bayesian("tpe", 10).start(Space({"e": Other()}), 2, np.random.default_rng(0))


def test_with_equal_budgets_it_finds_better_settings_than_random_search():
    """Ten runs of eight trainings one after another in eight slots, against 64 trainings at once."""
    scores = [play(Bayesian("tpe", 40, 8), 8, 320, seed).best().member.score for seed in range(10)]
    random = [play(RandomSearch(), 64, 40, seed).best().member.score for seed in range(10)]
    assert mean(scores) > mean(random) + 1
    assert sum(a > b for a, b in zip(scores, random, strict=True)) >= 7


def test_the_gaussian_process_finds_better_settings_than_random_search():
    """Twelve trainings with a model against twice as many draws; a proposal costs a tenth of a second and more."""
    space = Space({"lr": LogUniform(1e-5, 1.0), "decay": Uniform(0.0, 1.0)})

    def plane(hyperparameters, step):
        return gain({**hyperparameters, "layers": 7})

    scores = [play(Bayesian("gp", 20, 6), 4, 80, seed, 20, plane, space=space).best().member.score for seed in range(2)]
    random = [play(RandomSearch(), 32, 20, seed, 20, plane, space=space).best().member.score for seed in range(20)]
    assert mean(scores) > mean(random)


def test_a_missing_library_is_named_with_the_remedy(monkeypatch):
    """One line, before any work."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"^Bayesian needs the module 'optuna': pip install -c constraints\.txt -e '\.\[baselines\]'$"
    ):
        Bayesian("tpe", 10).start(LINE, 2, np.random.default_rng(0))


def test_settings_that_make_no_sense_are_refused():
    """Key, value, rule."""
    with pytest.raises(ValueError, match="sampler = 'cma' must be 'tpe' or 'gp'"):
        Bayesian("cma", 10)
    with pytest.raises(ValueError, match="training_steps = 0 must be at least 1 step"):
        Bayesian("tpe", 0)
