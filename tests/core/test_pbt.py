import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pbt_core import (
    DRIFT_FREE_FACTORS,
    PBT,
    BinaryTournament,
    Clone,
    Continue,
    LogUniform,
    Member,
    Perturb,
    Plan,
    Population,
    Resample,
    Restart,
    Serial,
    Space,
    Truncation,
    WelchTTest,
)
from pbt_core.testing import Hill

SPACE = Space({"a": LogUniform(1e-9, 1e9), "b": LogUniform(1e-9, 1e9)})


def view(scores, step=10, previous=0):
    members = {i: Member(i, {"a": float(i + 1), "b": 1.0}, step, previous, score) for i, score in enumerate(scores)}
    return Population(members, SPACE)


def decide(method, member=0, **where):
    population = view([0.0, 1.0, 2.0, 3.0, 4.0], **where)
    return method.decide(population[member], population, np.random.default_rng(0))


def test_a_member_is_ready_when_it_passed_a_multiple_of_the_interval_after_the_warm_up():
    """Also when evaluations do not fall on the multiples themselves."""
    method = PBT(ready=10, warmup=25)
    steps = [(10, 0), (20, 10), (30, 20), (35, 30), (42, 35)]
    assert [method.is_ready(Member(0, {}, step, previous)) for step, previous in steps] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_only_a_replaced_member_explores():
    """The best member goes on unchanged; the worst takes over weights and perturbed hyperparameters of the best."""
    method = PBT(ready=10, explore=Perturb((2.0,)))
    assert decide(method, member=4) == Continue()
    assert decide(method, member=0) == Clone(4, {"a": 10.0, "b": 2.0}, weights=True)


def test_what_is_copied_is_a_switch_of_its_own():
    """Weights without hyperparameters keep one's own values, hyperparameters without weights keep one's own weights."""
    weights = PBT(ready=10, copy=("weights",), explore=None)
    assert decide(weights) == Clone(4, {"a": 1.0, "b": 1.0}, weights=True)
    hyperparameters = PBT(ready=10, copy=("hyperparameters",), explore=None)
    assert decide(hyperparameters) == Clone(4, {"a": 5.0, "b": 1.0}, weights=False)
    with pytest.raises(ValueError, match=r"copy = \(\) must be weights, hyperparameters or both"):
        PBT(ready=10, copy=())


@pytest.mark.parametrize("lost", [{"failed": True}, {"score": math.nan}], ids=["failed", "diverged"])
def test_an_ablation_keeps_its_switch_for_members_that_failed_or_diverged(lost):
    """Under weights only they keep their own hyperparameters; weights that are lost or useless are replaced in any case."""
    population = view([0.0, 1.0, 2.0, 3.0, 4.0])
    member = replace(population[0], **lost)
    members = Population({**{m.id: m for m in population}, 0: member}, SPACE)
    made = {}
    for copy in (("weights",), ("hyperparameters",), ("weights", "hyperparameters")):
        made[copy] = PBT(ready=10, copy=copy, explore=None).decide(member, members, np.random.default_rng(0))
    assert made["weights",] == Clone(4, {"a": 1.0, "b": 1.0}, weights=True)
    assert (
        made["hyperparameters",] == made["weights", "hyperparameters"] == Clone(4, {"a": 5.0, "b": 1.0}, weights=True)
    )


@dataclass(frozen=True)
class Brittle(Hill):
    """A rate from 0.1 on spoils the weights for good: the interval raises, or their score is never finite again."""

    raises: bool = False

    def step(self, state, hyperparameters, steps, seed):
        if hyperparameters["lr"] >= 0.1 and self.raises:
            raise ArithmeticError("spoilt")
        state = super().step(state, hyperparameters, steps, seed)
        return {**state, "x": state["x"] * math.nan} if hyperparameters["lr"] >= 0.1 else state


@pytest.mark.parametrize("raises", [True, False], ids=["failed", "diverged"])
def test_in_a_run_of_an_ablation_nobody_is_dead_at_the_end_or_has_what_it_may_not_copy(raises, tmp_path):
    """Hyperparameters only: no weights stay spoilt. Weights only: each member keeps the settings that it joined with."""
    plan = Plan(population=8, steps=60, interval=10, seed=1)
    for copy in ("weights", "hyperparameters"):
        method = PBT(ready=10, copy=(copy,), explore=None)
        events = Serial().run(Brittle(raises=raises), method, plan, tmp_path / copy).events
        assert sum(event["event"] in ("failed", "diverged") for event in events)
        if copy == "weights":
            joined = {e["member"]: e["hyperparameters"] for e in events if e["event"] == "joined"}
            clones = [e for e in events if e["event"] == "cloned"]
            assert clones
            assert all(e["hyperparameters"] == joined[e["member"]] for e in clones)
        else:
            last = {e["member"]: e.get("score", math.nan) for e in events if e["event"] in ("evaluated", "failed")}
            assert all(map(math.isfinite, last.values()))


def test_without_an_exploiter_every_ready_member_explores_in_place():
    """The toy's "explore only"."""
    assert decide(PBT(ready=10, exploit=None, explore=Perturb((2.0,))), member=4) == Continue({"a": 10.0, "b": 2.0})


def test_two_children_of_one_parent_differ():
    """Explore is drawn for the child, not for the parent."""
    population = view([0.0, 0.1, 2.0, 3.0, 4.0] * 2)
    children = [
        PBT(ready=10, explore=Resample(1.0)).decide(population[m], population, np.random.default_rng(m)) for m in (0, 5)
    ]
    assert children[0].hyperparameters != children[1].hyperparameters


def test_the_papers_factors_drift_downwards_and_the_other_pair_does_not():
    """E[log factor] is log(0.96) / 2 for 1.2 and 0.8, and 0 for 1.2 and 1 / 1.2."""
    rng = np.random.default_rng(0)
    for factors, drift in (((1.2, 0.8), np.log(0.96) / 2), (DRIFT_FREE_FACTORS, 0.0)):
        logs = [np.log(Perturb(factors)({"a": 1.0, "b": 1.0}, SPACE, rng)["a"]) for _ in range(20_000)]
        assert np.mean(logs) == pytest.approx(drift, abs=4 * np.std(logs) / np.sqrt(20_000))


def test_hyperparameters_are_perturbed_independently():
    """All four combinations of factors come up."""
    rng = np.random.default_rng(0)
    pairs = {tuple(Perturb((2.0, 0.5))({"a": 1.0, "b": 1.0}, SPACE, rng).values()) for _ in range(100)}
    assert pairs == {(2.0, 2.0), (2.0, 0.5), (0.5, 2.0), (0.5, 0.5)}


def test_resampling_touches_the_given_share_of_hyperparameters():
    """With probability 0.25 each, independently."""
    rng = np.random.default_rng(0)
    changed = [Resample(0.25)({"a": 1.0, "b": 1.0}, SPACE, rng)["a"] != 1.0 for _ in range(4000)]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.03)


def test_after_the_last_step_of_exploitation_everybody_trains_on():
    """``until`` is the last step at which a member can be ready; a failed one is replaced at any time."""
    method = PBT(ready=10, until=20, explore=None)
    assert isinstance(decide(method, step=20, previous=10), Clone)
    assert decide(method, step=30, previous=20) == Continue()
    population = view([0.0, 1.0, 2.0, 3.0, 4.0], step=30, previous=20)
    failed = replace(population[0], failed=True)
    assert isinstance(method.decide(failed, population, np.random.default_rng(0)), Clone)
    with pytest.raises(ValueError, match="until = 5 must be at least warmup = 10 steps"):
        PBT(ready=10, warmup=10, until=5)


@pytest.mark.parametrize("exploit", [Truncation(), BinaryTournament(), WelchTTest(), None], ids=repr)
@pytest.mark.parametrize("score", [math.nan, -math.inf, math.inf])
def test_where_nobody_has_a_finite_score_a_ready_member_begins_anew(score, exploit):
    """With a draw from the prior; before it is ready it trains on, and so it does as soon as one is healthy."""
    method = PBT(ready=10, exploit=exploit, explore=None)
    population = view([score] * 5)
    rng = np.random.default_rng(0)
    assert method.decide(population[0], population, rng) == Restart(SPACE.sample(np.random.default_rng(0)))
    early = view([score] * 5, step=9)
    assert method.decide(early[0], early, rng) == Continue()
    mended = view([score] * 4 + [1.0])
    assert not isinstance(method.decide(mended[0], mended, rng), Restart)
    assert not isinstance(method.decide(mended[4], mended, rng), Restart)


def test_a_failed_member_with_nobody_to_copy_from_begins_anew_unless_all_have_failed():
    """Where all have, the task has a bug, which the run ends with."""
    population = view([math.nan] * 3, step=7)
    failed = {m.id: replace(m, failed=True) for m in population}
    some = Population({**{m.id: m for m in population}, 0: failed[0]}, SPACE)
    assert isinstance(PBT(ready=10).decide(some[0], some, np.random.default_rng(0)), Restart)
    everybody = Population(failed, SPACE)
    assert PBT(ready=10).decide(everybody[0], everybody, np.random.default_rng(0)) == Continue()


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_population_that_diverges_altogether_is_drawn_again_until_it_does_not(synchronous, tmp_path):
    """Nobody has a finite score at first; the end is one."""
    task = Hill(fault=("diverge", 0.5))  # nobody is as near as that after ten steps
    plan = Plan(population=4, steps=400, interval=10, synchronous=synchronous)
    events = Serial().run(task, PBT(ready=10), plan, tmp_path).events
    assert all(math.isnan(e["score"]) for e in events if e["event"] == "evaluated" and e["step"] == 10)
    assert {e["member"] for e in events if e["event"] == "restarted"}
    assert math.isfinite(events[-1]["score"])
