import logging
from dataclasses import dataclass, replace
from itertools import product

import pytest

from baselines import Bayesian, FirePBT, Genetic, Halving, MultiFrequency
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


@pytest.mark.parametrize("interval", [1, 3, 4, 10])
@pytest.mark.parametrize("ready", [1, 3, 4, 7, 10, 19, 20, 21])
def test_methods_know_a_plan_by_which_they_decide_nothing(ready, interval):
    """Held to what they do with a member, interval by interval: all but the last end with a decision."""
    plan = Plan(population=8, steps=20, interval=interval)
    ends = list(range(interval, 20, interval))
    passes = any(end // ready > (end - interval) // ready for end in ends)
    reaches = any(end >= ready for end in ends)
    for method, decides in {
        FirePBT(ready, max_eval_steps=40): passes,
        MultiFrequency(ready, periods=(1, 2)): passes,
        MultiFrequency(1, periods=(ready, 30)): passes,
        Genetic(ready): reaches,
        Bayesian("tpe", ready): reaches,
        Halving("asha", 40, first_rung=ready): reaches,
    }.items():
        line = method.never_decides(plan)
        assert (line is None) == decides, method
        assert line is None or line.startswith(f"{type(method).__name__}: no ")
        assert line is None or line.endswith(f"steps = 20 and interval = {interval}: this is random search")


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
        (
            FirePBT(ready=40, max_eval_steps=40),
            PLAN,
            "FirePBT: no member is ever ready with ready = 40, steps = 40 and interval = 10: this is random search",
        ),
        (
            MultiFrequency(ready=20, periods=(2, 4)),
            PLAN,
            "MultiFrequency: no sub-population ever decides with ready = 20, a shortest period of 2, steps = 40 and "
            "interval = 10: this is random search",
        ),
        (PBT(ready=10, exploit=WelchTTest(over="evaluations")), PLAN, None),
        (PBT(ready=10, exploit=None), replace(PLAN, population=1), None),
        (PBT(ready=10, exploit=Truncation()), PLAN, None),
    ],
    ids=["never ready", "one member", "no samples", "fire", "multi-frequency", "evaluations", "explore only", "pbt"],
)
@pytest.mark.parametrize("engine", [Serial(), Leased()], ids=["serial", "leased"])
def test_a_search_in_which_nobody_can_exploit_says_so_once(engine, method, plan, line, tmp_path, caplog):
    """When it begins if the plan says it, when it ends if only the scores do."""
    with caplog.at_level(logging.WARNING, "pbt_core"):
        engine.run(Bare(), method, replace(plan, synchronous=not isinstance(engine, Leased)), tmp_path)
    assert said(caplog) == ([] if line is None else [line])
