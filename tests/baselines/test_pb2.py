import math
from dataclasses import replace
from statistics import mean

import numpy as np
import pytest
from played import SPACE, play

from baselines import PB2
from pbt_core import (
    PBT,
    Choice,
    Clone,
    Integer,
    LogUniform,
    Member,
    OneMinus,
    Perturb,
    Population,
    Serial,
    Space,
    Uniform,
)
from pbt_core.population import Evaluation
from pbt_core.testing import check_engine
from pbt_core.unit import from_unit, to_unit

METHOD = PB2(PBT(ready=10, explore=Perturb((2.0,))))
MIXED = Space({"lr": LogUniform(1e-4, 1.0), "layers": Integer(1, 9), "kind": Choice(("x", "y", "z"), ordered=True)})


def settings(rng):
    return {**MIXED.sample(rng), "kind": "x"}


def view(change, rounds=10, size=8, last=0.0):
    """A record in which each interval raised the score by ``change(settings, step)``; member 0 stands last."""
    rng, evaluations = np.random.default_rng(0), []
    for step in range(10, 10 * rounds + 1, 10):
        for m in range(size):
            h = settings(rng)
            evaluations.append(Evaluation(m, step, 10, step, h, 5.0 + change(h, step), 5.0))
    scores = [last, *range(1, size)]
    steps = {"step": 10 * rounds, "previous": 10 * rounds - 10, "age": 10 * rounds}
    members = {m: Member(m, settings(rng), score=float(scores[m]), **steps) for m in range(size)}
    return Population(members, MIXED, evaluations)


def proposals(population, method=METHOD, count=12):
    decisions = [method.decide(population[0], population, np.random.default_rng(i)) for i in range(count)]
    assert all(isinstance(decision, Clone) and decision.parent in (6, 7) for decision in decisions)
    return [decision.hyperparameters for decision in decisions]


@pytest.mark.parametrize("best", [-3.0, -1.0])
def test_proposals_are_from_where_the_score_rose_most(best):
    """Within the bounds; what the model cannot order is PBT's to perturb, from the parent."""
    proposed = proposals(view(lambda h, step: -abs(math.log10(h["lr"]) - best)))
    for hyperparameters in proposed:
        MIXED.check(hyperparameters)
        assert hyperparameters["kind"] == "y"
    assert abs(np.median([math.log10(h["lr"]) for h in proposed]) - best) < 0.6


def test_what_held_lately_counts_more_than_what_held_long_ago():
    """The optimum moves in time, and the proposals with it."""

    def moving(h, step):
        return -abs(math.log10(h["lr"]) - (-3.0 if step <= 60 else -1.0))

    proposed = [math.log10(h["lr"]) for h in proposals(view(moving, rounds=12))]
    assert np.median(proposed) > -2


def test_a_region_that_diverges_is_avoided():
    """An interval that ended without a finite score counts as the worst one."""
    proposed = proposals(view(lambda h, step: math.nan if h["lr"] > 0.03 else math.log10(h["lr"])))
    assert np.median([h["lr"] for h in proposed]) < 0.05


def test_settings_that_others_train_with_are_less_attractive():
    """Their outcome is on its way: with all others at the optimum, proposals are farther from it."""

    def distance(at):
        population = view(lambda h, step: 0.1 * abs(math.log10(h["lr"]) + 2), rounds=3, size=8)
        others = {m.id: replace(m, hyperparameters={**m.hyperparameters, "lr": at, "layers": 5}) for m in population}
        proposed = proposals(Population(others, MIXED, population.evaluations), count=20)
        return mean(h["lr"] > 0.1 for h in proposed)

    assert distance(1.0) < distance(1e-4)


def test_before_there_are_rows_enough_proposals_are_drawn_from_the_prior():
    """Rows without a score to begin from do not count."""
    population = view(lambda h, step: 0.0, rounds=1)
    evaluations = [replace(e, before=None) for e in population.evaluations] * 5
    method = PB2(PBT(ready=10), startup_intervals=5)
    proposed = proposals(Population({m.id: m for m in population}, MIXED, evaluations), method, count=30)
    assert {h["kind"] for h in proposed} == {"x", "y", "z"}


def test_who_is_replaced_by_whom_and_when_is_as_in_pbt():
    """The same parents, drawn alike; nobody but a bottom member, nobody who is not ready."""
    population = view(lambda h, step: h["lr"])
    for m in population:
        ours = METHOD.decide(m, population, np.random.default_rng(1))
        theirs = METHOD.pbt.decide(m, population, np.random.default_rng(1))
        assert type(ours) is type(theirs)
        if isinstance(theirs, Clone):
            assert ours.parent == theirs.parent


def test_it_finds_better_schedules_than_pbt():
    """Four runs of eight members over fifteen intervals."""
    ours, theirs = (
        [play(method, 8, 150, seed).best().member.score for seed in range(4)]
        for method in (PB2(PBT(ready=10)), PBT(ready=10))
    )
    assert mean(ours) > mean(theirs)


def test_the_record_is_the_same_after_an_interruption_and_can_be_explained_when_asynchronous():
    """The conformance kit of engines, with this method."""
    check_engine(Serial(), method=PB2(PBT(ready=20), window=20, startup_intervals=5, candidates=50))


@pytest.mark.parametrize(
    "dimension", [*SPACE.values(), Integer(2, 5), Integer(1, 40, log=True), Uniform(-2, -1), OneMinus(0.5, 0.9999)]
)
def test_a_unit_and_its_value_are_each_others_inverse(dimension):
    """And no unit leads out of the bounds."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        value = dimension.sample(rng)
        assert from_unit(dimension, to_unit(dimension, value)) == pytest.approx(value)
        assert dimension.check(from_unit(dimension, rng.random())) is None
    assert all(dimension.check(from_unit(dimension, unit)) is None for unit in (0.0, 1.0))


def test_settings_that_make_no_sense_are_refused():
    """Key, value, rule."""
    with pytest.raises(ValueError, match="window = 5 must be at least startup_intervals = 10"):
        PB2(PBT(ready=10), window=5)
