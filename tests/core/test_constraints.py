import functools
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines import PB2, Bayesian, Genetic, Halving, RandomSearch
from pbt_core import PBT, Choice, Compose, Integer, Noise, Nudge, Perturb, Plan, Resample, Serial, Space, Uniform
from pbt_core.explore import explored
from pbt_core.space import TRIES
from pbt_core.testing import Hill, check_method


def ordered(h):
    """low is at most high."""
    return h["low"] <= h["high"]


def swapped(h):
    h["low"], h["high"] = sorted((h["low"], h["high"]))
    return h


def fits_memory(h):
    return np.bool_(h["batch"] * h["steps"] <= 1024)


def never(h):
    return False


def misspelt(h):
    return h["lo"] < h["high"]


def forgetful(h):
    h["low"] = 0.0


def too_far(h):
    return {**h, "low": 7.0}


def normalised(h):
    total = h["low"] + h["high"]
    return {"low": h["low"] / total, "high": h["high"] / total}


BOUNDS = {"low": Uniform(0.0, 1.0), "high": Uniform(0.0, 1.0)}
ORDER = Space(BOUNDS, where=ordered)
MEMORY = Space({"batch": Choice((16, 32, 64, 128), ordered=True), "steps": Integer(1, 64, log=True)}, where=fits_memory)
EXPLORERS = [Perturb(), Resample(0.5), Noise(0.3), Nudge(), Compose((Perturb((2.0, 0.5)), Resample(0.25)))]


@given(
    st.sampled_from([ORDER, MEMORY, Space(BOUNDS, ordered, swapped)]), st.sampled_from(EXPLORERS), st.integers(0, 999)
)
def test_a_constraint_holds_after_every_draw_and_every_explore(space, explore, seed):
    """Whatever the explorer: what breaks it is drawn or explored again, or repaired."""
    rng = np.random.default_rng(seed)
    values = space.sample(rng)
    for _ in range(10):
        space.check(values)
        assert space.where(values)
        values = explored(explore, values, space, rng)


def test_draws_are_those_of_the_prior_of_which_the_constraint_holds():
    """Nothing else is moved: the first draw that holds is the one."""
    rng, plain = np.random.default_rng(4), np.random.default_rng(4)
    free = Space(BOUNDS)
    for _ in range(20):
        expected = next(h for h in iter(lambda: free.sample(plain), None) if ordered(h))
        assert ORDER.sample(rng) == expected


def test_without_a_constraint_an_explore_takes_no_more_draws_than_before():
    """One call of the explorer, and its values."""
    rng, plain = np.random.default_rng(4), np.random.default_rng(4)
    values = {"low": 0.5, "high": 0.6}
    for explore in EXPLORERS:
        assert explored(explore, values, Space(BOUNDS), rng) == explore(values, Space(BOUNDS), plain)


def test_a_repair_mends_what_breaks_the_constraint_and_nothing_else():
    """One draw each: what does not hold is swapped."""
    rng, plain = np.random.default_rng(4), np.random.default_rng(4)
    for _ in range(20):
        drawn = Space(BOUNDS).sample(plain)
        assert Space(BOUNDS, ordered, swapped).sample(rng) == (drawn if ordered(drawn) else swapped(dict(drawn)))


def test_a_repair_alone_is_asked_about_every_draw_and_explore():
    """Shares of a whole."""
    rng, space = np.random.default_rng(0), Space(BOUNDS, repair=normalised)
    values = space.sample(rng)
    for _ in range(10):
        assert values["low"] + values["high"] == pytest.approx(1)
        values = explored(Perturb(), values, space, rng)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda: ORDER.check({"low": 0.5, "high": 0.4}),
            r"\{'low': 0.5, 'high': 0.4\} break the constraint .*ordered \(low is",
        ),
        (
            lambda: Space(BOUNDS, never).sample(np.random.default_rng(0)),
            f"never was broken by {TRIES} draws from the prior",
        ),
        (lambda: Space(BOUNDS, misspelt).sample(np.random.default_rng(0)), "misspelt raised KeyError: 'lo' for"),
        (
            lambda: Space(BOUNDS, forgetful).sample(np.random.default_rng(0)),
            "forgetful gave None: it must give True or",
        ),
        (
            lambda: Space(BOUNDS, None, forgetful).sample(np.random.default_rng(0)),
            "forgetful gave None: it must give all",
        ),
        (
            lambda: Space(BOUNDS, None, too_far).sample(np.random.default_rng(0)),
            r"too_far: hyperparameter 'low' = 7.0 must",
        ),
        (
            lambda: explored(
                Perturb((2.0,)), {"low": 0.1, "high": 1.0}, Space(BOUNDS, never), np.random.default_rng(0)
            ),
            f"never was broken by {TRIES} explores of .*'low': 0.1",
        ),
        (lambda: Space(BOUNDS, where=lambda h: True), "where = .*<lambda> must be a function of a module"),
        (lambda: Space(BOUNDS, where=functools.partial(never)), "where = .* must be a function of a module"),
        (lambda: Space(BOUNDS, repair="swapped"), "repair = 'swapped' must be a function of a module"),
    ],
)
def test_a_constraint_that_is_broken_or_wrong_is_named(act, message):
    """One line, with the number of draws where they were in vain."""
    with pytest.raises(ValueError, match=message) as refused:
        act()
    assert "\n" not in str(refused.value)


def test_a_space_with_a_constraint_can_be_sent_to_workers_and_says_its_functions_names():
    """Without their addresses, which differ between processes."""
    space = pickle.loads(pickle.dumps(Space(BOUNDS, ordered, swapped)))  # noqa: S301
    assert (space.where, space.repair) == (ordered, swapped)
    assert repr(space).endswith(f"where={__name__}.ordered, repair={__name__}.swapped)")
    assert repr(Space(BOUNDS)) == f"Space({BOUNDS!r})"


METHODS = {
    "pbt": PBT(ready=10),
    "pbt, weights only": PBT(ready=10, copy=("weights",)),
    "explore only": PBT(ready=10, exploit=None, explore=Noise(0.2)),
    "pb2": PB2(PBT(ready=10), startup_intervals=4),
    "tpe": Bayesian("tpe", training_steps=20, startup_trainings=4),
    "halving": Halving("asha", training_steps=40, first_rung=10),
    "genetic": Genetic(training_steps=20),
    "genetic without mutation": Genetic(training_steps=20, mutation=Compose(())),
    "random search": RandomSearch(),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("space", [ORDER, MEMORY, Space(BOUNDS, ordered, swapped)], ids=["order", "memory", "repaired"])
def test_every_method_keeps_to_the_constraint(name, space):
    """The conformance kit checks each start and each decision against the space."""
    check_method(METHODS[name], space)


def known(h):
    return h["decay"] < h["lr"]


def test_a_run_keeps_to_the_constraint_from_the_first_draw_to_the_last_explore(tmp_path):
    """In every event that names hyperparameters."""
    space = Space(dict(Hill().space), where=known)
    plan = Plan(population=8, steps=100, interval=10)
    events = Serial().run(Hill(space=space), PBT(ready=10), plan, tmp_path).events
    recorded = [e["hyperparameters"] for e in events if "hyperparameters" in e]
    assert len(recorded) > 80
    assert all(map(known, recorded))


def test_the_example_of_a_search_space_runs(capsys):
    """As the README shows it: a known setting first, and values that keep to the constraint."""
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "search_space.py"), run_name="__main__")
    first, *others, perturbed, nudged = capsys.readouterr().out.splitlines()
    assert first.startswith("begins with {'lr': 0.0003, 'discount': 0.99, ")
    assert len(others) == 3
    assert perturbed.startswith("Perturb(factors=(1.2, 0.8)) gives {'lr': ")
    assert nudged.startswith("Nudge(share=0.1) gives {'lr': ")
    assert not example["SPACE"].where({"batch": 256, "unroll": 17})
