import functools
import re

import numpy as np
import pytest

from pbt_core import PBT, Leased, Plan, Processes, Serial
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
