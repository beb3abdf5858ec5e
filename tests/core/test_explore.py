import math
import warnings

import numpy as np
import pytest

from baselines import PB2, Annealed, Genetic, Noam, Scheduled
from pbt_core import (
    DRIFT_FREE_FACTORS,
    PBT,
    Choice,
    Compose,
    ExploreWarning,
    Integer,
    LogUniform,
    Noise,
    Nudge,
    OneMinus,
    Perturb,
    Resample,
    Space,
    Truncation,
    Uniform,
    WelchTTest,
)
from pbt_core.explore import explore_warnings, explored

DISCOUNT = Space({"gamma": Uniform(0.9, 0.999)})


def explores(space, explore, times=300):
    """Values on the way of one that is explored again and again."""
    rng = np.random.default_rng(0)
    values = space.sample(rng)
    for _ in range(times):
        values = explore(values, space, rng)
        yield values["gamma"]


@pytest.mark.parametrize(
    ("space", "explore"),
    [
        (Space({"gamma": OneMinus(0.9, 0.999)}), Perturb()),
        (DISCOUNT, Nudge()),
        (Space({"gamma": OneMinus(0.9, 0.999)}), Nudge()),
    ],
    ids=["OneMinus", "Nudge", "both"],
)
def test_both_remedies_for_values_near_a_bound_lead_to_values_between_the_bounds(space, explore):
    """Where the default factors on a uniform discount lead from bound to bound."""
    assert {*explores(DISCOUNT, Perturb())} == {0.9, 0.999}
    assert sum(value in (0.9, 0.999) for value in explores(space, explore)) < 150


def test_a_nudge_is_a_share_of_the_range_on_the_scale_of_the_prior():
    """Up or down, alike; whole numbers move by one at least, ordered choices to a neighbour."""
    space = Space(
        {
            "u": Uniform(10.0, 20.0),
            "l": LogUniform(1e-4, 1.0),
            "m": OneMinus(0.9, 0.999),
            "n": Integer(1, 5),
            "o": Choice((1, 2, 3), ordered=True),
        }
    )
    rng, middle = np.random.default_rng(0), {"u": 15.0, "l": 1e-2, "m": 0.99, "n": 3, "o": 2}
    moved = {name: sorted({round(Nudge(0.1)(middle, space, rng)[name], 9) for _ in range(60)}) for name in space}
    assert moved["u"] == [14.0, 16.0]
    assert moved["l"] == pytest.approx([10**-2.4, 10**-1.6])
    assert moved["m"] == pytest.approx([1 - 10**-1.8, 1 - 10**-2.2])
    assert moved["n"] == [2, 4]
    assert moved["o"] == [1, 3]


@pytest.mark.parametrize(
    ("dimension", "explore", "warned"),
    [
        (Uniform(0.9, 0.999), Perturb(), True),
        (Uniform(-0.999, -0.9), Perturb(), True),
        (LogUniform(0.9, 0.999), Perturb(DRIFT_FREE_FACTORS), True),
        (Uniform(0.9, 0.999), Perturb((1.05, 0.95)), False),
        (Uniform(0.9, 0.999), Perturb((1.0, 1.2)), False),
        (Uniform(0.9, 0.999), Compose((Resample(), Perturb())), True),
        (Uniform(0.9, 0.999), Nudge(), False),
        (Uniform(0.9, 0.999), Resample(), False),
        (Uniform(0.9, 0.999), None, False),
        (Uniform(0.0, 0.01), Perturb(), False),
        (Uniform(-1.0, 1.0), Perturb(), False),
        (OneMinus(0.9, 0.999), Perturb(), False),
        (OneMinus(0.9, 0.91), Perturb(), True),
        (Integer(100, 110), Perturb(), True),
        (Integer(1, 2), Perturb(), False),
        (Integer(1, 3), Perturb(), False),
        (Choice((0.9, 0.95, 0.99), ordered=True), Perturb(), False),
        (LogUniform(1e-5, 1e-2), Noise(0.1), True),
        (Uniform(0.0, 1.0), Noise(50.0), True),
        (Uniform(0.0, 1.0), Noise(0.1), False),
        (Uniform(0.9, 0.999), lambda h, space, rng: dict(h), False),
    ],
)
def test_an_explorer_that_leads_from_bound_to_bound_is_warned_of(dimension, explore, warned):
    """By name, with the bounds, the explorer and the remedy."""
    lines = explore_warnings(Space({"x": dimension, "lr": Uniform(0.0, 1e6)}), explore)
    assert bool(lines) == warned
    for line in lines:
        assert line.startswith(f"hyperparameter 'x' = {dimension!r}: ")
        assert "onto a bound" in line
        assert "Nudge()" in line


def test_methods_warn_when_they_meet_the_space():
    """PBT and the genetic algorithm; PB2's model takes no factors."""
    for method in (PBT(ready=1), Genetic(training_steps=10, mutation=Perturb())):
        with pytest.warns(
            ExploreWarning, match=r"'gamma' = Uniform\(low=0.9, high=0.999\): Perturb\(factors=\(1.2, 0.8\)\)"
        ):
            method.start(DISCOUNT, 2, np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PB2(PBT(ready=1)).start(DISCOUNT, 2, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Perturb(()), r"factors = \(\) must be one or more"),
        (lambda: Perturb((1.2, math.inf)), r"factors = \(1.2, inf\): factors\[1\] = inf must be a finite number"),
        (lambda: Perturb((1.2, math.nan)), r"factors\[1\] = nan must be a finite number"),
        (lambda: Perturb((1.2, 0.0)), r"factors\[1\] = 0.0 must be above 0"),
        (lambda: Perturb((1.2, -0.8)), r"factors\[1\] = -0.8 must be above 0"),
        (lambda: Perturb((True, 0.8)), r"factors\[0\] = True must be a finite number"),
        (lambda: Perturb(("1.2", 0.8)), r"factors\[0\] = '1.2' must be a finite number"),
        (lambda: Perturb((10**400, 0.8)), r"factors\[0\] = 1000.* must be a finite number"),
        (lambda: Perturb("12"), "factors = '12' must be a tuple"),
        (lambda: Perturb(1.2), "factors = 1.2 must be a tuple"),
        (lambda: Resample(1.5), r"probability = 1.5 must be in \[0, 1\]"),
        (lambda: Resample(math.nan), "probability = nan must be a finite number"),
        (lambda: Resample(True), "probability = True must be a finite number"),
        (lambda: Resample("0.5"), "probability = '0.5' must be a finite number"),
        (lambda: Noise(math.inf), "scale = inf must be a finite number"),
        (lambda: Noise(math.nan), "scale = nan must be a finite number"),
        (lambda: Noise(True), "scale = True must be a finite number"),
        (lambda: Noise(0), "scale = 0 must be above 0"),
        (lambda: Nudge(0), r"share = 0 must be in \(0, 1\]"),
        (lambda: Nudge(True), "share = True must be a finite number"),
        (lambda: Compose(Perturb()), r"explorers = Perturb\(.*\) must be a tuple"),
        (lambda: Compose((Perturb,)), r"Perturb is a class: give an instance, Perturb\(...\)"),
        (lambda: Compose((None,)), "None must be a function"),
        (lambda: PBT(ready=True), "ready = True must be a whole number"),
        (lambda: PBT(ready=2.5), "ready = 2.5 must be a whole number"),
        (lambda: PBT(ready="2"), "ready = '2' must be a whole number"),
        (lambda: PBT(ready=0), "ready = 0 must be at least 1 step"),
        (lambda: PBT(ready=1, warmup=math.nan), "warmup = nan must be a whole number"),
        (lambda: PBT(ready=1, until=math.inf), "until = inf must be a whole number"),
        (lambda: PBT(ready=1, until=False), "until = False must be a whole number"),
        (lambda: PBT(ready=1, copy="weights"), "copy = 'weights' must be a tuple"),
        (lambda: PBT(ready=1, copy=("weight",)), r"copy\[0\] = 'weight' must be 'weights' or 'hyperparameters'"),
        (lambda: Truncation("0.2"), "fraction = '0.2' must be a finite number"),
        (lambda: WelchTTest(window=10.0), "window = 10.0 must be a whole number"),
        (lambda: WelchTTest(over="scores"), "over = 'scores' must be 'samples' or 'evaluations'"),
        (lambda: Annealed({}, hold=0, end=10, decay="cosine"), "decay = 'cosine' must be 'exponential' or 'linear'"),
        (lambda: Annealed({}, hold=0, end=math.inf), "end = inf must be a whole number"),
        (lambda: Annealed({}, hold=0, end=10, final=math.nan), "final = nan must be a finite number"),
        (lambda: Noam({}, peak=math.nan, warmup=1, lead=1), "peak = nan must be a finite number"),
        (lambda: Noam({}, peak=0, warmup=1, lead=1), "peak = 0 must be above 0"),
        (lambda: Scheduled(()), r"schedules = \(\) must be one or more"),
        (
            lambda: PBT(ready=1, explore=Perturb),
            r"must be a function: Perturb is a class: give an instance, Perturb\(...\)",
        ),
        (lambda: PBT(ready=1, explore="perturb"), "explore = 'perturb' must be a function"),
        (lambda: PBT(ready=1, exploit=0.2), "exploit = 0.2 must be a function"),
        (lambda: PBT(ready=1, initial={"lr": 0.1}), r"initial = \{'lr': 0.1\} must be a tuple"),
        (lambda: PBT(ready=1, initial=(0.1,)), r"initial\[0\] = 0.1 must be a mapping of hyperparameters"),
        (lambda: PB2(PBT(ready=1), window=50.5), "PB2: window = 50.5 must be a whole number"),
        (lambda: Genetic(training_steps=10.0), "Genetic: training_steps = 10.0 must be a whole number"),
        (
            lambda: Genetic(training_steps=10, mutation=Perturb),
            "Genetic: mutation = .* must be a function: Perturb is a class",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(make, message):
    """Owner, name, value and rule, where they are made."""
    with pytest.raises(ValueError, match=message):
        make()


def test_numbers_from_numpy_are_as_good_as_pythons():
    """And print alike, which is how a run knows its method."""
    assert repr(Perturb(np.array([1.2, 0.8]))) == repr(Perturb())
    assert repr(Noise(np.float64(0.1))) == repr(Noise(0.1))
    assert repr(PBT(ready=np.int64(5), initial=[{"lr": np.float64(0.5)}])) == repr(PBT(ready=5, initial=({"lr": 0.5},)))


def test_what_an_explorer_of_the_users_own_gives_becomes_pythons():
    """numpy's numbers are restored, what is no mapping is named."""
    space, rng = Space({"lr": Uniform(0.0, 1.0), "n": Integer(1, 9)}), np.random.default_rng(0)
    changed = explored(lambda h, space, rng: {"lr": np.float32(0.5), "n": np.int64(2)}, {}, space, rng)
    assert repr(changed) == "{'lr': 0.5, 'n': 2}"
    with pytest.raises(ValueError, match=r"explore <lambda> gave None: it must give a mapping of all hyperparameters"):
        explored(lambda h, space, rng: h.update(lr=0.1), {"lr": 0.5, "n": 1}, space, rng)


def test_an_explorer_of_the_users_own_that_raises_is_named():
    """In one line, with the place; and so is one of several."""
    space = Space({"lr": Uniform(0.0, 1.0)})

    def forgets(hyperparameters, space, rng):
        return {"lr": hyperparameters["learning_rate"]}

    for explore in (forgets, Compose((Perturb(), forgets))):
        with pytest.raises(
            ValueError,
            match=r"^explore (.*forgets|Compose\(.*) raised KeyError: 'learning_rate' \(.*test_explore.py, line \d+\)$",
        ):
            explored(explore, {"lr": 0.5}, space, np.random.default_rng(0))


def below_a_half(hyperparameters):
    return hyperparameters["x"] < 0.5


def test_an_explorer_that_changes_what_it_was_given_is_tried_again_from_the_same():
    """It gets a copy at each try."""
    seen = []

    def explore(hyperparameters, space, rng):
        seen.append(hyperparameters["x"])
        hyperparameters["x"] += 0.2 * rng.random()
        return hyperparameters

    space = Space({"x": Uniform(0, 1)}, where=below_a_half)
    given = {"x": 0.45}
    assert explored(explore, given, space, np.random.default_rng(1))["x"] < 0.5
    assert set(seen) == {0.45}
    assert len(seen) > 1
    assert given == {"x": 0.45}


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_whose_bounds_are_one_float_are_explored(log):
    """They are wide of anything that a float tells apart."""
    low = 2**62
    space = Space({"n": Integer(low, low + 3, log)})
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert low <= explored(Nudge(), {"n": low}, space, rng)["n"] <= low + 3
