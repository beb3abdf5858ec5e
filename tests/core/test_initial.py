import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines import PB2, Bayesian, Genetic, Halving, RandomSearch
from pbt_core import PBT, Choice, Integer, LogUniform, Space, Uniform
from pbt_core.method import initial

SPACE = Space({"lr": LogUniform(1e-5, 1.0), "n": Integer(1, 9), "shape": Choice(((1, 3), (3, 3), None))})


def descending(h):
    return h["a"] + h["b"] <= 1.0


PAIR = Space({"a": Uniform(0.0, 1.0), "b": Uniform(0.0, 1.0)}, where=descending)

METHODS = {
    "pbt": lambda settings: PBT(ready=10, initial=settings),
    "pb2": lambda settings: PB2(PBT(ready=10, initial=settings)),
    "tpe": lambda settings: Bayesian("tpe", 10, initial=settings),
    "halving": lambda settings: Halving("asha", 40, 10, initial=settings),
    "genetic": lambda settings: Genetic(10, initial=settings),
    "random search": lambda settings: RandomSearch(settings),
}


def start(method, size, seed=0, space=SPACE):
    return method.start(space, size, np.random.default_rng(seed))


@pytest.mark.parametrize("name", METHODS)
def test_given_settings_come_first_and_the_other_members_are_drawn(name):
    """The others are those that they would be without."""
    good = {"lr": 0.1, "n": 3, "shape": (3, 3)}
    first, drawn = start(METHODS[name]((good,)), 6), start(METHODS[name](()), 6)
    assert first == [good, *drawn[1:]]
    assert len({h["lr"] for h in first}) == 6


partly = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.floats(1e-5, 1.0),
        "n": st.integers(1, 9),
        "shape": st.sampled_from([(1, 3), (3, 3), None]),
    },
)


@given(st.lists(partly, max_size=5), st.integers(5, 8), st.integers(0, 99))
def test_what_a_setting_leaves_out_is_what_its_member_would_draw(settings, size, seed):
    """Known values stand, the rest is the member's own draw, whatever is known of the others."""
    drawn = initial((), SPACE, size, np.random.default_rng(seed))
    completed = initial(settings, SPACE, size, np.random.default_rng(seed))
    assert completed == [
        {**draw, **known} for draw, known in zip(drawn, settings + [{}] * (size - len(settings)), strict=True)
    ]
    for hyperparameters in completed:
        SPACE.check(hyperparameters)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4), st.integers(0, 99))
def test_what_is_left_out_is_drawn_until_the_constraint_holds(known, seed):
    """Without moving the draws of anybody else."""
    drawn = initial((), PAIR, 5, np.random.default_rng(seed))
    completed = initial([{"a": a} for a in known if a < 0.999], PAIR, 5, np.random.default_rng(seed))
    given_first = [a for a in known if a < 0.999]
    assert [h["a"] for h in completed[: len(given_first)]] == given_first
    assert completed[len(given_first) :] == drawn[len(given_first) :]
    for hyperparameters in completed:
        PAIR.check(hyperparameters)
    alone = initial([{"a": 0.5}, {"a": 0.9}], PAIR, 5, np.random.default_rng(seed))[1]
    assert initial([{"a": 0.1}, {"a": 0.9}], PAIR, 5, np.random.default_rng(seed))[1] == alone


def test_settings_from_numpy_and_json_become_the_declared_values():
    """Whole numbers that stand for real ones are floats, lists are the tuples that were declared."""
    known = ({"lr": 1, "n": np.int64(3), "shape": [1, 3]}, {"lr": np.float32(0.5)})
    settings = start(PBT(ready=1, initial=known), 2)
    assert settings[0] == {"lr": 1.0, "n": 3, "shape": (1, 3)}
    assert [type(v) for v in settings[0].values()] == [float, int, tuple]
    assert type(settings[1]["lr"]) is float


@pytest.mark.parametrize(
    ("settings", "space", "message"),
    [
        (({"lr": 0.1},) * 3, SPACE, "initial: 3 settings are more than the population of 2 has members"),
        (
            ({"lr": 0.1}, {"rate": 0.1}),
            SPACE,
            "initial, setting 2 of 2: hyperparameter 'rate' is not declared; the space has",
        ),
        (
            ({"lr": 2.0},),
            SPACE,
            r"initial, setting 1 of 1: hyperparameter 'lr' = 2.0 must be a number in \[1e-05, 1.0\]",
        ),
        (({"lr": True},), SPACE, "hyperparameter 'lr' = True must be a number"),
        (({"lr": "0.1"},), SPACE, "hyperparameter 'lr' = '0.1' must be a number"),
        (({"n": 2.5},), SPACE, "hyperparameter 'n' = 2.5 must be a whole number"),
        (({"shape": (3, 1)},), SPACE, r"'shape' = \(3, 1\) must be one of"),
        (({"a": 0.9, "b": 0.9},), PAIR, r"setting 1 of 1: hyperparameters .* break the constraint .*descending"),
        (
            (
                {},
                {"a": 1.0},
            ),
            Space(dict(PAIR) | {"b": Uniform(0.1, 1.0)}, descending),
            "descending was broken by .* draws beside",
        ),
    ],
)
def test_settings_that_cannot_be_begun_with_are_named(settings, space, message):
    """Before any work: which one, the key, the value and the rule."""
    with pytest.raises(ValueError, match=message):
        start(PBT(ready=1, initial=settings), 2, space=space)
