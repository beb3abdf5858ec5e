"""The answer of a run is one evaluation: whose it is, its score, weights, hyperparameters and lineage say the same."""

from dataclasses import replace

import numpy as np
import pytest

from pbt_core import PBT, BinaryTournament, Cluster, IntervalTimes, Lineage, Plan, Run, Simulated, Until
from pbt_core.ledger import Ledger
from pbt_core.lineage import retrace
from pbt_core.store import digest
from pbt_core.testing import Hill

METHOD = PBT(ready=10)
PLAN = Plan(population=8, steps=40, interval=10)
ONE = Cluster((1.0,), IntervalTimes(per_step=1.0))
UNEVEN = Cluster((1.0, 0.5, 2.0), IntervalTimes(per_step=1.0, spread=0.3))


def must_agree(run, seed):
    """The evaluation that the answer names has its score and hyperparameters; its weights are loaded, and retraced."""
    state, last = run.state(Hill()), run.schedule()[-1]
    step = last.member_step + last.stop - last.start
    made = [e for e in run.record if e["event"] == "evaluated" and (e["member"], e["step"]) == (run.best, step)]
    assert [e["score"] for e in made] == [run.score]
    assert (
        (last.member, last.hyperparameters) == (run.best, made[0]["hyperparameters"]) == (run.best, run.hyperparameters)
    )
    assert -float(np.square(state["x"]).sum()) == run.score
    assert digest(Hill().save(retrace(Hill(), run.schedule(), seed))) == digest(Hill().save(state))


@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "asynchronous"])
@pytest.mark.parametrize("seconds", [75, 85, 105, 165, 205])
def test_a_run_that_time_has_ended_names_a_member_whose_own_evaluation_is_its_score(seconds, synchronous, tmp_path):
    """Not a clone that was to train on from those weights and never did; also where a round was broken off."""
    clones = 0
    for seed in range(10):
        engine = Simulated(ONE if synchronous else UNEVEN)
        plan = replace(PLAN, seed=seed, synchronous=synchronous, stop=Until(seconds=seconds))
        run = engine.run(Hill(), replace(METHOD, exploit=BinaryTournament()), plan, tmp_path / f"{seed}")
        must_agree(run, seed)
        finished = run.record[-1]
        assert (finished["event"], finished["best"], finished["score"]) == ("finished", run.best, run.score)
        assert run.lineage.schedule() == run.schedule()
        step = max(e["step"] for e in run.record if e["event"] == "evaluated" and e["member"] == run.best)
        assert finished["step"] == step
        clones += sum(event["event"] == "cloned" for event in run.record)
    assert clones or (synchronous and seconds < 80)  # time was up before the first round was


@pytest.mark.parametrize("seed", [6, 8])
def test_the_parent_is_the_answer_where_its_untrained_clone_has_a_lower_number(seed, tmp_path):
    """The clone's own evaluation was far worse: it is why it copied."""
    stopped = replace(PLAN, steps=100, seed=seed, stop=Until(seconds=105))
    run = Simulated(ONE).run(Hill(), METHOD, stopped, tmp_path)
    best = [e["member"] for e in run.record if e["event"] == "evaluated" and e["score"] == run.score]
    assert [run.best] == best
    assert [c["member"] for c in run.record.others("cloned") if c["parent"] == run.best and c["member"] < run.best]


@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "asynchronous"])
def test_whenever_a_run_under_way_is_read_its_answer_is_one_evaluation(synchronous, tmp_path):
    """After every event, as it is on the disk; of each member state and schedule are those of its last evaluation."""
    plan = replace(PLAN, population=4, seed=8, synchronous=synchronous)
    folder, seen = tmp_path, []

    def observe(event):
        seen.append(event["event"])
        run = Run.open(folder)
        if run.best is None:
            return
        must_agree(run, 8)
        for member in run.lineage.members:
            if run.schedule(member):
                again = retrace(Hill(), run.schedule(member), seed=8)
                assert digest(Hill().save(again)) == digest(Hill().save(run.state(Hill(), member)))

    Simulated(UNEVEN).run(Hill(), METHOD, plan, folder, observe)
    assert seen.count("cloned") > 1


def test_the_answer_after_a_restart_under_way_is_the_training_that_it_ended():
    """Its schedule is that of the kept weights, not of what the member has trained since."""
    a, b = {"a": 1}, {"a": 2}
    where = {"samples": [], "held_out": None, "metrics": {}}
    events = [
        {"event": "joined", "member": 0, "step": 0, "hyperparameters": a},
        {
            "event": "evaluated",
            "member": 0,
            "step": 10,
            "score": 2.0,
            "hyperparameters": a,
            "checkpoint": "a" * 32,
            **where,
        },
        {"event": "restarted", "member": 0, "step": 10, "hyperparameters": b},
        {
            "event": "evaluated",
            "member": 0,
            "step": 20,
            "score": 1.0,
            "hyperparameters": b,
            "checkpoint": "b" * 32,
            **where,
        },
    ]
    best = Ledger(events).best()
    assert (best.member.step, best.latest.digest) == (10, "a" * 32)
    assert [s.hyperparameters for s in Lineage(events).schedule(0, best.member.step)] == [a]
