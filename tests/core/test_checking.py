import functools
import itertools
import re

import numpy as np
import pytest

from pbt_core import PBT, Clone, Leased, Plan, Processes, Restart, Run, Serial
from pbt_core.checking import check_arguments
from pbt_core.testing import Hill

METHOD = PBT(ready=10)
PLAN = Plan(population=3, steps=20, interval=10)


def with_function(name, function):
    return type("Mine", (Hill,), {name: function})()


class NoSave:
    space = Hill().space
    init, step, evaluate, load = Hill.init, Hill.step, Hill.evaluate, Hill.load


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((Hill, METHOD, PLAN), "task: Hill is a class: give an instance, Hill(...)"),
        ((Hill(), PBT, PLAN), "method: PBT is a class: give an instance, PBT(...)"),
        (
            (METHOD, Hill(), PLAN),
            "task: a PBT has no init, step, evaluate, save, load; are task and method given in this order?",
        ),
        ((Hill(), "pbt", PLAN), "method: str 'pbt' has no start, decide"),
        (
            (Hill(), METHOD, {"population": 3}),
            "plan: dict {'population': 3} must be a Plan, such as Plan(population=8, steps=1000, interval=100)",
        ),
        ((NoSave(), METHOD, PLAN), "task: a NoSave has no save"),
        (
            (with_function("evaluate", lambda self, state: 1), METHOD, PLAN),
            "Mine.evaluate is called as evaluate(state, seed), but declared with (state): too many positional arguments",
        ),
        (
            (with_function("step", lambda self, state, hyperparameters, steps, seed, data: 1), METHOD, PLAN),
            "Mine.step is called as step(state, hyperparameters, steps, seed), but declared with (state, "
            "hyperparameters, steps, seed, data): missing a required argument: 'data'",
        ),
        (
            (with_function("init", lambda self, hyperparameters, seed: 1), METHOD, PLAN),
            "Mine.init is called as init(seed, hyperparameters), but declared with (hyperparameters, seed), in another order",
        ),
        (
            (with_function("close", lambda self: 1), METHOD, PLAN),
            "Mine.close is called as close(state), but declared with (): too many positional arguments",
        ),
    ],
    ids=lambda value: value[:24].replace(" ", "-") if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_run_is_one_line_that_says_what_is_wanted(arguments, error):
    """A missing function, a wrong signature, a class, things in another order."""
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        check_arguments(*arguments)


@pytest.mark.parametrize("engine", [Serial(), Leased()], ids=["serial", "leased"])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"observer": "x"}, "observer = 'x' must be a function of an event, or None"),
        ({"observer": list}, "observer = <class 'list'> must be a function of an event, or None"),
        ({"extend": "x"}, "run: extend = 'x' must be True or False"),
        ({"extend": None}, "run: extend = None must be True or False"),
    ],
    ids=["observer", "class", "text", "none"],
)  # fmt: skip
def test_an_observer_is_a_function_and_extending_is_a_flag(engine, arguments, error, tmp_path):
    """Both are known before the folder is made."""
    plan = Plan(population=3, steps=20, interval=10, synchronous=not isinstance(engine, Leased))
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        engine.run(Hill(), METHOD, plan, tmp_path / "run", **arguments)
    assert not (tmp_path / "run" / "events.jsonl").exists()


@pytest.mark.parametrize(
    "member", [True, 1.0, "1", [], 10**5000, np.array([1])], ids=lambda value: type(value).__name__
)
def test_members_of_a_run_go_by_whole_numbers(member, tmp_path):
    """numpy's too; True and 1.0 are none, though they are equal to one."""
    run = Serial().run(Hill(), METHOD, PLAN, tmp_path)
    assert run.schedule(np.int64(1)) == run.schedule(1)
    for ask in (lambda: run.state(Hill(), member), lambda: run.schedule(member)):
        error = KeyError if isinstance(member, int) and member is not True else ValueError
        with pytest.raises(error, match=r"member = .* must be (a whole number|one of 3 members, from 0 on)") as refused:
            ask()
        assert len(str(refused.value)) < 200


def test_a_state_needs_a_task_and_an_extension_an_engine(tmp_path):
    """Each says what it lacks."""
    run = Serial().run(Hill(), METHOD, PLAN, tmp_path)
    for task, words in ((None, "task: NoneType None has no load"), (Hill, "task: Hill is a class")):
        with pytest.raises(ValueError, match=words):
            run.state(task)
    for engine in (None, Serial):
        with pytest.raises(ValueError, match=r"engine = .* must be an engine, such as Serial\(\)"):
            run.extend(engine, Hill(), METHOD, steps=40)
    for path in (b"x", "a\0b", "", 3, "~nobody-of-this-name/x"):
        with pytest.raises(ValueError, match="folder = "):
            Run.open(path)


class Starts:
    """A method whose answers are what a test wants."""

    def __init__(self, start, decision=None):
        self.given, self.decision = start, decision

    def identity(self):
        return "of this test"

    def start(self, space, size, rng):
        return self.given

    def decide(self, member, population, rng):
        return self.decision


SETTINGS = [{"lr": 0.1, "decay": 0.1}] * 3


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Starts(None), "Starts: start = None must be a tuple"),
        (Starts({"lr": 0.1}), "Starts: start = .* must be a tuple"),
        (Starts([1, 2, 3]), "Starts: start of member 0: hyperparameters = 1 must be a mapping"),
        (Starts(itertools.repeat({"lr": 0.1})), "Starts: start = .* must be a tuple"),
        (
            Starts(SETTINGS, Clone(True, SETTINGS[0])),
            "Starts: decision for member 0: Clone: parent = True must be a whole",
        ),
        (Starts(SETTINGS, Clone([1], SETTINGS[0])), r"member 0: Clone: parent = \[1\] must be a whole number"),
        (Starts(SETTINGS, Clone(1, "x")), "member 0: hyperparameters = 'x' must be a mapping"),
        (Starts(SETTINGS, Clone(1, SETTINGS[0], "no")), "member 0: Clone: weights = 'no' must be True or False"),
        (Starts(SETTINGS, Restart([("lr", 0.1)])), "member 0: hyperparameters = .* must be a mapping"),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_what_a_method_answers_is_checked_with_its_name(method, words, tmp_path):
    """Before it is recorded: the record holds what was meant or nothing."""
    with pytest.raises(ValueError, match=words):
        Serial().run(Hill(), method, PLAN, tmp_path)


def decorated(function):
    @functools.wraps(function)
    def wrapper(self, *arguments):
        return function(self, *arguments[:1])

    return wrapper


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("step", lambda self, *arguments, **others: 1),
        ("step", lambda self, state, values, how_many, rng, extra=None: 1),
        ("evaluate", decorated(lambda self, state: 1)),
        ("evaluate", staticmethod(lambda net, seed, verbose=False: 1)),
        ("save", functools.partialmethod(lambda self, form, state: 1, "form")),
        ("save", np.array),
        ("load", dict.fromkeys),
    ],
    ids=["any", "other names", "wrapped", "static", "partial", "builtin", "builtin method"],
)
def test_functions_that_can_be_called_so_are_left_alone(name, function):
    """Whatever they call their arguments, have beside them, or are made of."""
    check_arguments(with_function(name, function), METHOD, PLAN)


@pytest.mark.parametrize(
    "engine",
    [Serial(), Processes(workers=1), Leased(), Leased(timeout=5)],
    ids=["serial", "processes", "leased", "limited"],
)
def test_all_engines_check_before_they_make_anything(engine, tmp_path):
    """No folder is left, and no step was trained."""
    for arguments in ((NoSave(), METHOD, PLAN), (Hill(), PBT, PLAN), (Hill(), METHOD, {"population": 3})):
        with pytest.raises(ValueError, match=r"^(task: a NoSave has no save|method: PBT is a class|plan: dict)"):
            engine.run(*arguments, tmp_path / "run")
    plan = Plan(population=3, steps=20, interval=10, synchronous=not isinstance(engine, Leased))
    with pytest.raises(ValueError, match=r"^directory = None must be the path of a file or folder$"):
        engine.run(Hill(), METHOD, plan, None)
    assert not (tmp_path / "run" / "events.jsonl").exists()
