import math
from statistics import mean

import numpy as np
from played import play

from baselines import Genetic, RandomSearch
from baselines.genetic import survivors
from pbt_core import Compose, Member, Population, Restart, Space, Uniform
from pbt_core.population import Evaluation

SPACE = Space({"a": Uniform(0, 100), "b": Uniform(0, 100)})


def ended(scores):
    """Full trainings whose settings say which they were."""
    return [Evaluation(i, 20, 10, 20, {"a": i, "b": i}, score, None) for i, score in enumerate(scores)]


def children(scores, mutation, count=400, size=4):
    view = Population({i: Member(i, {}, step=20, age=20) for i in range(size)}, SPACE, ended(scores))
    method = Genetic(training_steps=20, mutation=mutation)
    return [method.decide(view[0], view, np.random.default_rng(i)).hyperparameters for i in range(count)]


def test_parents_are_the_best_trainings_of_all_generations():
    """As many as there are slots; a diverged one and an interval within a training are none."""
    scores = [9.0, 1.0, math.nan, 3.0, 8.0, 2.0, math.inf]
    within = Evaluation(0, 10, 10, 10, {"a": 0, "b": 0}, 99.0, None)
    assert [e.score for e in survivors([within, *ended(scores)], training_steps=20, size=3)] == [9.0, 8.0, 3.0]


def test_a_child_has_each_value_from_one_of_two_parents_the_better_ones_more_often():
    """Tournaments of two different ones: the worst survivor never wins, the best wins half of them."""
    offspring = children([4.0, 3.0, 2.0, 1.0, 0.0], Compose(()))
    shares = np.bincount([int(child["a"]) for child in offspring], minlength=5) / len(offspring)
    assert shares[3] == shares[4] == 0
    assert shares[0] > shares[1] > shares[2] > 0
    assert abs(shares[0] - 0.5) < 0.08
    assert any(child["a"] != child["b"] for child in offspring)


def test_a_child_mutates():
    """With any explorer of PBT's."""
    assert all(child["a"] == 77 for child in children([1.0, 2.0], lambda h, space, rng: {**h, "a": 77.0}, count=10))


def test_without_a_finite_score_a_child_is_a_draw_from_the_prior():
    """There is nobody to inherit from."""
    assert children([math.nan], Compose(()), count=1)[0] == SPACE.sample(np.random.default_rng(0))


def test_weights_are_never_inherited():
    """Every generation begins anew: at the end of a training the decision is a restart, before it none is taken."""
    view = Population({0: Member(0, {}, step=20, age=20), 1: Member(1, {}, step=20, age=10)}, SPACE, ended([1.0, 2.0]))
    decisions = [Genetic(training_steps=20).decide(view[m], view, np.random.default_rng(0)) for m in (0, 1)]
    assert [isinstance(decision, Restart) for decision in decisions] == [True, False]


def test_with_equal_budgets_it_finds_better_settings_than_random_search():
    """Ten runs of eight generations in eight slots, against 64 trainings at once."""
    scores = [play(Genetic(40), 8, 320, seed).best().member.score for seed in range(10)]
    random = [play(RandomSearch(), 64, 40, seed).best().member.score for seed in range(10)]
    assert mean(scores) > mean(random) + 1
    assert sum(a > b for a, b in zip(scores, random, strict=True)) >= 7
