import enum
import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pbt_core import Choice, Integer, LogUniform, OneMinus, Space, Uniform
from pbt_core.explore import Compose, Noise, Nudge, Perturb, Resample
from pbt_core.values import same

DIMENSIONS = {
    "uniform": Uniform(-1.0, 2.0),
    "log": LogUniform(1e-5, 1e-2),
    "discount": OneMinus(0.9, 0.9999),
    "integer": Integer(2, 50),
    "log_integer": Integer(1, 1000, log=True),
    "ordered": Choice((16, 32, 64), ordered=True),
    "unordered": Choice(("relu", "tanh", "gelu")),
    "flag": Choice((True, False)),
    "mixed": Choice((None, True, 1, 1.0, "1", (1, 3), ((1,), "x")), ordered=True),
}
SPACE = Space(DIMENSIONS)
EXPLORERS = [
    Perturb(),
    Perturb((5.0, 0.1)),
    Resample(0.5),
    Noise(3.0),
    Nudge(0.3),
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
        (lambda: Uniform(0.0, float("nan")), "high = nan must be a finite number"),
        (lambda: Uniform(-1e308, 1e308), r"high - low = 1e\+308 - -1e\+308 must be a finite number"),
        (lambda: Uniform(0, 10**400), "high = 1000.* must be a finite number"),
        (lambda: Uniform(False, True), "low = False must be a finite number"),
        (lambda: Uniform("0", 1), "low = '0' must be a finite number"),
        (lambda: Uniform((0, 1), 2), r"low = \(0, 1\) must be a finite number"),
        (lambda: Uniform(None, 2), "low = None must be a finite number"),
        (lambda: LogUniform(np.float32(0), 1), "low = 0.0 must be above 0"),
        (lambda: OneMinus(0.9, 1.0), "high = 1.0 must be below 1"),
        (lambda: OneMinus(0.0, 6e-29), "are too close: 1 - x is the same"),
        (lambda: OneMinus(0.99, 0.9), "low = 0.99 must be below high = 0.9"),
        (lambda: Integer(0, 2**63), "high = 9223372036854775808 must fit 64 bits"),
        (lambda: Integer(0, 10**400), "must be a finite number"),
        (lambda: Integer(0, 5, log=True), "low = 0 must be above 0 when log is set"),
        (lambda: Integer(1, 5, log="yes"), "log = 'yes' must be True or False"),
        (lambda: Integer(True, 5), "low = True must be"),
        (lambda: Choice("abc"), r"values = 'abc' must be a tuple, such as Choice\(\(16, 32, 64\)\)"),
        (lambda: Choice(16, 32), "values = 16 must be a tuple"),
        (lambda: Choice({"a": 1, "b": 2}), "must be a tuple"),
        (lambda: Choice({"a", "b"}), "must be a tuple"),
        (lambda: Choice(np.array(3)), "must be a tuple"),
        (lambda: Choice((1, 2), ordered=1), "ordered = 1 must be True or False"),
        (lambda: Choice((1, 2, 1)), "must be two or more different values"),
        (lambda: Choice(((1, 2), [1, 2])), "must be two or more different values"),
        (lambda: Choice((1, math.nan)), "nan, which JSON has no word for"),
        (lambda: Choice((1, (2, math.inf))), r"\(2, inf\), with inf, which JSON has no word for"),
        (lambda: Choice((1, {2})), r"\{2\}, which is a set: a choice must be a number, a string"),
        (lambda: Choice(({"a": 1}, {"a": 2})), "which is a dict"),
        (lambda: Choice((b"x", b"y")), "b'x', which is a bytes"),
        (lambda: Choice(("x", "\ud800")), "which is no valid text"),
        (lambda: Choice((1, 2**63)), "which does not fit 64 bits"),
        (lambda: Choice((Uniform(0, 1), Uniform(1, 2))), "which is a Uniform"),
        (lambda: Choice((np.datetime64("2020-01-01"), 1)), "which is a date"),
        (lambda: Space({"opt": {"lr": Uniform(0, 1)}}), "'opt': .* spaces are flat: .* like 'opt.lr'"),
        (lambda: Space({"opt": Space({"lr": Uniform(0, 1)})}), "'opt': .* spaces are flat: .* like 'opt.lr'"),
        (
            lambda: Space({"lr": (1e-4, 1e-1)}),
            r"'lr': \(0.0001, 0.1\) is no dimension: a range is Uniform\(low, high\)",
        ),
        (lambda: Space({"lr": [1, 2, 3]}), r"'lr': \[1, 2, 3\] is no dimension: alternatives are Choice\(\(...\)\)"),
        (lambda: Space({"lr": np.arange(3)}), "is no dimension: alternatives are Choice"),
        (lambda: Space({"lr": np.float64(0.1)}), "is a constant.* constants belong in the task"),
        (lambda: Space({"x": 3}), "'x': 3 is a constant.* constants belong in the task"),
        (lambda: Space({"x": None}), "constants belong in the task"),
        (lambda: Space({"lr": Uniform}), r"is a class: give an instance, such as Uniform\(...\)"),
        (lambda: Space({"lr": object()}), "a object has no sample, perturb, shift, clip, check"),
        (lambda: Space({"": Uniform(0, 1)}), "the name '' must be a string of printable characters"),
        (lambda: Space({3: Uniform(0, 1)}), "the name 3 must be"),
        (lambda: Space({"a\nb": Uniform(0, 1)}), "the name 'a"),
        (lambda: Space({"\ud800": Uniform(0, 1)}), "the name .* must be"),
        (lambda: Space([("lr", Uniform(0, 1))]), "must be a mapping of names to dimensions"),
        (lambda: Space(Uniform(0, 1)), "must be a mapping of names to dimensions"),
    ],
)
def test_a_senseless_declaration_is_an_error_that_names_the_value(make, message):
    """Nobody finds out after an hour that the bounds were swapped."""
    with pytest.raises(ValueError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


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


def types(value):
    """The type of a value and of all that is in it."""
    return (tuple, *map(types, value)) if isinstance(value, tuple) else type(value)


@pytest.mark.parametrize(
    ("declared", "plain"),
    [
        (Choice(2 ** np.arange(4, 8)), (16, 32, 64, 128)),
        (Choice(np.linspace(0, 1, 3)), (0.0, 0.5, 1.0)),
        (Choice(np.array([True, False])), (True, False)),
        (Choice(np.array(["a", "b"])), ("a", "b")),
        (Choice([np.str_("a"), np.int8(3), np.bool_(False), np.float32(0.5), None]), ("a", 3, False, 0.5, None)),
        (Choice(np.array([[1, 3], [3, 3]])), ((1, 3), (3, 3))),
        (Choice([[64], [64, np.int64(64)]]), ((64,), (64, 64))),
        (Choice(range(3)), (0, 1, 2)),
    ],
)
def test_choices_from_numpy_and_lists_are_pythons_own(declared, plain):
    """Declared once, recorded anywhere."""
    assert declared.values == plain
    assert types(declared.values) == types(plain)


def test_bounds_from_numpy_are_pythons_own():
    """Equal declarations print alike, which is how a run knows its space."""
    assert repr(Integer(np.int64(1), np.int64(8), log=np.bool_(True))) == "Integer(low=1, high=8, log=True)"
    assert repr(Uniform(np.float32(0), np.array(1.0))) == "Uniform(low=0.0, high=1.0)"
    assert repr(LogUniform(np.float64(1e-4), np.int32(1))) == "LogUniform(low=0.0001, high=1)"
    assert list(Space({np.str_("a"): Uniform(0, 1)})) == ["a"]
    assert type(next(iter(Space({np.str_("a"): Uniform(0, 1)})))) is str


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
plain_values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


@st.composite
def numbers(draw):
    """Dimensions of any kind of number."""
    kind = draw(st.sampled_from([Uniform, LogUniform, OneMinus, Integer, "log integer"]))
    if kind is Integer:
        low, high = sorted(draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2, unique=True)))
        return Integer(low, high)
    if kind == "log integer":
        low, high = sorted(draw(st.lists(st.integers(1, 2**63 - 1), min_size=2, max_size=2, unique=True)))
        return Integer(low, high, log=True)
    ends = {
        Uniform: st.floats(-1e300, 1e300),
        LogUniform: st.floats(1e-300, 1e300),
        OneMinus: st.floats(-1e6, 1, exclude_max=True),
    }
    low, high = sorted(draw(st.lists(ends[kind], min_size=2, max_size=2, unique=True)))
    assume(kind is not OneMinus or math.log(1 - high) < math.log(1 - low))
    assume(kind is not LogUniform or math.log(low) < math.log(high))
    return kind(low, high)


@st.composite
def choices(draw):
    values = draw(st.lists(plain_values, min_size=2, max_size=8, unique_by=json.dumps))
    return Choice(values, ordered=draw(st.booleans()))


@given(
    st.one_of(numbers(), choices()),
    st.integers(0, 2**32),
    st.floats(0, exclude_min=True, allow_infinity=False),
    st.floats(allow_nan=False),
)
def test_no_operation_leaves_the_bounds_whatever_the_declaration(dimension, seed, factor, amount):
    """Factors and amounts of any size, rounding included; and each value keeps its kind."""
    rng = np.random.default_rng(seed)
    value = dimension.sample(rng)
    values = [value, dimension.perturb(value, factor, rng), dimension.shift(value, amount), dimension.clip(value)]
    if not isinstance(dimension, Choice):
        values += [dimension.clip(amount), dimension.clip(-math.inf), dimension.clip(math.inf)]
        kind = int if isinstance(dimension, Integer) else float
        assert {type(v) for v in values} == {kind}
    for v in values:
        assert dimension.check(v) is None


@given(st.one_of(numbers(), choices()), st.sampled_from(EXPLORERS), st.integers(0, 2**32))
def test_no_explorer_leaves_the_bounds_whatever_the_declaration(dimension, explore, seed):
    """Also where the bounds are as far apart, or as near, as numbers can be."""
    rng, space = np.random.default_rng(seed), Space({"x": dimension})
    values = space.sample(rng)
    for _ in range(5):
        values = explore(values, space, rng)
        space.check(values)


@given(st.one_of(numbers(), choices()), st.integers(0, 2**32))
def test_a_value_comes_back_from_json_as_it_was(dimension, seed):
    """Tuples are tuples again, 1 is not 1.0 and True is neither."""
    space = Space({"x": dimension})
    drawn = space.sample(np.random.default_rng(seed))
    again = space.restore(json.loads(json.dumps(drawn)))
    assert again == drawn
    assert types(again["x"]) == types(drawn["x"])


@given(plain_values, plain_values)
def test_values_are_the_same_if_json_writes_them_alike(a, b):
    """Oracle: json itself."""
    assert same(a, b) == (json.dumps(a) == json.dumps(b))


def test_choices_of_mixed_kinds_are_told_apart_everywhere():
    """What Python calls equal are three choices."""
    mixed, rng = Choice((True, 1, 1.0, "1", None), ordered=True), np.random.default_rng(0)
    assert [mixed.index(value) for value in (True, 1, 1.0, "1", None)] == [0, 1, 2, 3, 4]
    assert types(tuple(mixed.perturb(v, 1.2, rng) for v in (True, 1, 1.0))) == (tuple, int, float, str)
    assert Choice((1, 2)).check(True) is not None
    assert Choice((1, 2)).check(1.0) is not None
    assert Choice((True, False)).check(1) is not None
    with pytest.raises(ValueError, match=r"Choice: True must be one of \[1, 2\]"):
        Choice((1, 2)).clip(True)


def test_a_number_that_lost_its_point_on_the_way_is_restored_where_one_is_meant():
    """Real numbers are floats again; of a choice, the only one that equals it."""
    space = Space({"lr": Uniform(0, 5), "n": Integer(0, 5), "c": Choice((1.0, 2.5)), "d": Choice((1, 1.0))})
    restored = space.restore({"lr": 1, "n": 2, "c": 1, "d": 1, "other": [3]})
    assert restored == {"lr": 1.0, "n": 2, "c": 1.0, "d": 1, "other": [3]}
    assert [type(v) for v in restored.values()] == [float, int, float, int, list]
    assert Space({"c": Choice((1, 2))}).restore({"c": True}) == {"c": True}
    assert type(Space({"c": Choice((1, 2))}).restore({"c": True})["c"]) is bool


def test_an_enumeration_of_strings_comes_back_as_its_member():
    """JSON writes it as a string, which is restored."""
    Kind = enum.StrEnum("Kind", ["A", "B"])
    assert Choice(tuple(Kind)).restore("a") is Kind.A


def test_a_type_of_the_users_own_that_restores_nothing_takes_plain_values():
    """As a record gives them back: before a break and after it they are the same."""

    class Own:
        sample = perturb = shift = clip = check = lambda self, *args: None

    restored = Space({"x": Own()}).restore({"x": [1, np.int64(2)]})
    assert restored == {"x": (1, 2)}
    assert type(restored["x"][1]) is int


@pytest.mark.parametrize(
    ("value", "why"),
    [({"sides": 6}, "which is a dict"), (float("nan"), "which JSON has no word for"), (2**70, "64 bits")],
)
def test_a_type_of_the_users_own_gives_what_a_record_can_hold(value, why):
    """Else the run would be trained, and its record could not be read."""

    class Own:
        perturb = shift = clip = check = lambda self, *args: None

        def sample(self, rng):
            return value

    space = Space({"x": Own()})
    with pytest.raises(ValueError, match=rf"'x' = .* must be a value that a record holds: .*{why}"):
        space.check(space.sample(np.random.default_rng(0)))


def test_a_factor_above_one_always_means_up_also_for_one_minus():
    """1 - x is divided by it."""
    rng, beta = np.random.default_rng(0), OneMinus(0.5, 0.9999)
    assert beta.perturb(0.9, 1.25, rng) == pytest.approx(0.92)
    assert beta.perturb(0.9, 0.8, rng) == pytest.approx(0.875)
    assert beta.perturb(0.9999, 2.0, rng) == 0.9999
    assert beta.shift(0.9, 0.05) == pytest.approx(0.95)


def test_one_minus_is_drawn_as_often_from_each_decade_of_the_distance_to_one():
    """0.9 to 0.99 as often as 0.99 to 0.999."""
    rng = np.random.default_rng(0)
    drawn = np.array([OneMinus(0.9, 0.9999).sample(rng) for _ in range(3000)])
    assert [int(((drawn >= a) & (drawn < b)).sum()) for a, b in ((0.9, 0.99), (0.99, 0.999), (0.999, 1))] == (
        pytest.approx([1000] * 3, abs=90)
    )
