import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbt_core import Choice, Integer, LogUniform, Space, Uniform
from pbt_core.explore import Compose, Noise, Perturb, Resample

DIMENSIONS = {
    "uniform": Uniform(-1.0, 2.0),
    "log": LogUniform(1e-5, 1e-2),
    "integer": Integer(2, 50),
    "log_integer": Integer(1, 1000, log=True),
    "ordered": Choice((16, 32, 64), ordered=True),
    "unordered": Choice(("relu", "tanh", "gelu")),
    "flag": Choice((True, False)),
}
SPACE = Space(DIMENSIONS)
EXPLORERS = [
    Perturb(),
    Perturb((5.0, 0.1)),
    Resample(0.5),
    Noise(3.0),
    Compose((Perturb((2.0, 0.5)), Resample(0.25))),
]


@given(st.integers(0, 2**32), st.sampled_from(EXPLORERS), st.integers(1, 30))
def test_values_never_leave_their_bounds_however_often_they_are_explored(seed, explore, times):
    """Draws and any chain of explore steps satisfy the space's own check, and integers stay integers."""
    rng = np.random.default_rng(seed)
    values = SPACE.sample(rng)
    for _ in range(times):
        SPACE.check(values)
        values = explore(values, SPACE, rng)
    SPACE.check(values)
    assert type(values["integer"]) is int
    assert type(values["ordered"]) is int


@given(st.integers(2, 50), st.sampled_from([1.2, 0.8]))
def test_a_perturbed_integer_moves_unless_it_stands_at_a_bound(value, factor):
    """Rounding never undoes a perturbation: 2 becomes 3 under 1.2, and 1 under 0.8 where 1 is allowed."""
    dimension = Integer(1, 50)
    moved = dimension.perturb(value, factor, np.random.default_rng(0))
    if factor > 1:
        assert moved > value or value == 50
    else:
        assert moved < value


def test_an_integer_of_two_moves_both_ways():
    """The case that other libraries get stuck in."""
    rng = np.random.default_rng(0)
    assert Integer(1, 10).perturb(2, 1.2, rng) == 3
    assert Integer(1, 10).perturb(2, 0.8, rng) == 1


def test_ordered_categories_move_to_a_neighbour_and_stay_at_the_ends():
    """A factor above one moves up by one place, below one down."""
    rng = np.random.default_rng(0)
    sizes = DIMENSIONS["ordered"]
    assert sizes.perturb(32, 1.2, rng) == 64
    assert sizes.perturb(32, 0.8, rng) == 16
    assert sizes.perturb(64, 1.2, rng) == 64


def test_unordered_categories_are_redrawn_uniformly():
    """All values come up about equally often."""
    rng = np.random.default_rng(0)
    drawn = [DIMENSIONS["unordered"].perturb("relu", 1.2, rng) for _ in range(3000)]
    assert {name: drawn.count(name) // 100 for name in ("relu", "tanh", "gelu")} == pytest.approx(
        {"relu": 10, "tanh": 10, "gelu": 10}, abs=1
    )


def test_log_uniform_draws_each_decade_equally_often():
    """The logarithm of the draws is uniform."""
    rng = np.random.default_rng(0)
    decades = np.floor(np.log10([LogUniform(1e-5, 1e-2).sample(rng) for _ in range(3000)]))
    assert [int((decades == d).sum()) for d in (-5, -4, -3)] == pytest.approx([1000] * 3, abs=90)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1.0, 0.0), "low = 1.0 must be below high = 0.0"),
        (lambda: LogUniform(0.0, 1.0), "low = 0.0 must be above 0"),
        (lambda: Uniform(0.0, float("inf")), "high = inf must be a finite number"),
        (lambda: Integer(1.5, 3), "low = 1.5 must be a whole number"),
        (lambda: Choice(("one",)), "must be two or more different values"),
        (lambda: Space({}), "at least one hyperparameter"),
    ],
)
def test_a_senseless_declaration_is_an_error_that_names_the_value(make, message):
    """Nobody finds out after an hour that the bounds were swapped."""
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 1.0}, r"'lr' = 1.0 must be a number in \[1e-05, 0.01\]"),
        ({}, "'lr' is missing"),
        ({"lr": 1e-3, "x": 1}, "'x' is not declared"),
        ({"lr": float("nan")}, "must be a number"),
        ({"lr": True}, "must be a number"),
    ],
)
def test_check_names_the_key_the_value_and_the_rule(values, message):
    """Bad hyperparameters are reported in the terms of the space."""
    with pytest.raises(ValueError, match=message):
        Space({"lr": LogUniform(1e-5, 1e-2)}).check(values)
