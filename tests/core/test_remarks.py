import logging
from dataclasses import dataclass, replace
from itertools import product

import pytest

from pbt_core import PBT, Leased, Member, Plan, Score, Serial, Truncation, WelchTTest
from pbt_core.testing import Hill

PLAN = Plan(population=4, steps=40, interval=10)


def said(caplog):
    return [record.getMessage().partition(": ")[2] for record in caplog.records if record.name == "pbt_core"]


@dataclass(frozen=True)
class Bare(Hill):
    """Its score is one number, without the samples behind it."""

    def evaluate(self, state, seed):
        return Score(super().evaluate(state, seed).value)


@pytest.mark.parametrize("interval", [1, 3, 4, 10])
def test_a_plan_by_which_nobody_is_ever_ready_is_known_before(interval):
    """Held to the rule itself, interval by interval: a decision is due after all but the last of a member's."""
    plan = Plan(population=2, steps=20, interval=interval)
    for ready, warmup, until in product((1, 3, 4, 7, 19, 20, 21), (0, 1, 6, 19, 20), (None, 0, 5, 8, 18, 20)):
        if until is not None and until < warmup:
            continue
        method = PBT(ready, warmup=warmup, until=until)
        ends = list(range(interval, 20, interval))
        ready_once = any(method.is_ready(Member(0, {}, end, end - interval)) for end in ends)
        assert (method.never_decides(plan) is None) == ready_once, method


@pytest.mark.parametrize(
    ("method", "plan", "line"),
    [
        (
            PBT(ready=100),
            PLAN,
            "PBT: no member is ever ready with ready = 100, warmup = 0, steps = 40 and interval = 10: this is random search",
        ),
        (PBT(ready=10), replace(PLAN, population=1), "PBT: population = 1 has nobody to exploit: this is one training"),
        (
            PBT(ready=10, exploit=WelchTTest()),
            PLAN,
            "PBT: no members were ever compared, so that this was random search: WelchTTest needs two samples of a member: "
            "give Score.samples, or use over='evaluations'",
        ),
        (PBT(ready=10, exploit=WelchTTest(over="evaluations")), PLAN, None),
        (PBT(ready=10, exploit=None), replace(PLAN, population=1), None),
        (PBT(ready=10, exploit=Truncation()), PLAN, None),
    ],
    ids=["never ready", "one member", "no samples", "evaluations", "explore only", "pbt"],
)
@pytest.mark.parametrize("engine", [Serial(), Leased()], ids=["serial", "leased"])
def test_a_search_in_which_nobody_can_exploit_says_so_once(engine, method, plan, line, tmp_path, caplog):
    """When it begins if the plan says it, when it ends if only the scores do."""
    with caplog.at_level(logging.WARNING, "pbt_core"):
        engine.run(Bare(), method, replace(plan, synchronous=not isinstance(engine, Leased)), tmp_path)
    assert said(caplog) == ([] if line is None else [line])
