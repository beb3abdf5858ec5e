"""Every domain's task under one contract, and broken tasks that show what the contract catches."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pbt_core import Plan, Score
from pbt_core.testing import Hill
from reproductions.suite.study import registry
from reproductions.suite.study.conformance import check_domain_task
from reproductions.suite.study.domain import DomainTask
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.requirements import missing
from reproductions.suite.study.settings import resolve

PLAN = Plan(population=3, steps=12, interval=4)


@pytest.mark.parametrize("domain", registry.domains())
def test_every_domain_keeps_the_contract_of_domain_tasks(domain):
    """At smoke scale, for an interval, or for the first steps of a long one."""
    settings = resolve(domain, next(iter(registry.sweep(domain).METHODS)), scale="smoke")
    if reasons := missing(domain, settings.task):
        pytest.skip(f"{domain} needs {reasons[0]}")
    check_domain_task(settings.build_task(), settings.plan(), steps=min(settings.interval, 80))


@dataclass(frozen=True)
class Good(Hill, DomainTask):
    space = Hill().space

    def report(self, state, seed):
        samples = tuple(float(sample) for sample in state["x"].sum() + seed.generator().normal(size=4))
        return Score(sum(samples) / 4, samples=samples)

    def illustrate(self, state, seed):
        return {"x": state["x"].copy()}


class Changing(Good):
    def report(self, state, seed):
        state["x"] += 1
        return Score(0.0)


class Drifting(Good):
    def report(self, state, seed):
        return Score(float(np.random.default_rng().normal()))


class Wordy(Good):
    def report(self, state, seed):
        return "well done"


class Listing(Good):
    def illustrate(self, state, seed):
        return [state["x"]]


class Nameless(Good):
    def numerics(self):
        return {}


class Counting(Good):
    def numerics(self):
        from pbt_core import current_worker

        return {**super().numerics(), "workers": current_worker().count}


class Indescribable(Good):
    def describe(self):
        return {"x": np.zeros(3)}


class Raising(Good):
    def prepare(self, plan):
        if plan.interval == 1:
            raise KeyError("interval")


class Chatty(Good):
    def prepare(self, plan):
        if plan.interval == 1:
            raise ConfigError("interval = 1\nis too short")


class Placeless(Good):
    devices = ("cuda",)


def test_a_task_with_every_hook_keeps_the_contract():
    """So does one with none of its own."""

    class Plain(Hill, DomainTask):
        space = Hill().space

    check_domain_task(Good(), PLAN)
    assert Plain().report({}, None) is None
    assert Plain().illustrate({}, None) is None
    assert (Plain().describe(), Plain().numerics(), Plain().devices) == ({}, {"device": "cpu"}, ("cpu",))


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        (Hill(), "must be a DomainTask"),
        (Changing(), "report changes the state"),
        (Drifting(), "report must be the same for equal streams"),
        (Wordy(), "report must return a Score or None, not 'well done'"),
        (Listing(), "illustrate must return a dict of arrays"),
        (Nameless(), "device"),
        (Counting(), "numerics must not depend on which worker asks"),
        (Indescribable(), "describe must return JSON"),
        (Raising(), "prepare must refuse .* by a ConfigError, not a KeyError"),
        (Chatty(), "in one line"),
        (Placeless(), "must have 'cpu' among them"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_task_that_breaks_the_contract_is_told_which_rule(task, rule):
    """One rule each."""
    with pytest.raises(AssertionError, match=rule):
        check_domain_task(task, PLAN)


class Even(Good):
    def prepare(self, plan):
        if plan.interval % 2 and plan.interval > 1:
            raise ConfigError(f"interval = {plan.interval} must be even")


def test_a_plan_that_must_be_refused_is_not_taken():
    """Those that the domain's author names."""
    odd = replace(PLAN, interval=3)
    check_domain_task(Even(), PLAN, refused=[odd])
    with pytest.raises(AssertionError, match="prepare must refuse"):
        check_domain_task(Good(), PLAN, refused=[odd])
