"""What all methods that train again and again have in common."""

import math

import pytest
from played import SPACE, play

from baselines import Bayesian, Genetic, Halving
from pbt_core import Lineage, Plan, Processes, Serial
from pbt_core.lineage import retrace
from pbt_core.store import digest
from pbt_core.testing import Hill, check_engine

METHODS = {
    "tpe": Bayesian("tpe", training_steps=20, startup_trainings=6),
    "asha": Halving("asha", training_steps=40, first_rung=10, reduction_factor=2),
    "hyperband": Halving("hyperband", training_steps=40, first_rung=10, reduction_factor=2),
    "genetic": Genetic(training_steps=20),
}


@pytest.mark.parametrize("name", METHODS)
def test_the_record_is_the_same_after_an_interruption_and_can_be_explained_when_asynchronous(name):
    """The conformance kit of engines, with this method: what it remembers is rebuilt from the record."""
    check_engine(Serial(), method=METHODS[name])


def test_workers_do_not_change_the_record(tmp_path):
    """Serial and Processes write the same events and leave the same checkpoints."""
    plan = Plan(population=4, steps=120, interval=10, seed=4)
    for name, engine in (("serial", Serial()), ("processes", Processes(workers=2))):
        engine.run(Hill(), METHODS["tpe"], plan, tmp_path / name)
    records = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("serial", "processes")]
    assert records[0] == records[1]
    names = [sorted(p.name for p in (tmp_path / n / "checkpoints").iterdir()) for n in ("serial", "processes")]
    assert names[0] == names[1]


@pytest.mark.parametrize("name", METHODS)
def test_the_whole_budget_is_used_and_the_best_training_of_all_is_the_answer(name, tmp_path):
    """Its weights are there, and are those that its settings lead to."""
    plan = Plan(population=4, steps=160, interval=10, seed=1)
    run = Serial().run(Hill(), METHODS[name], plan, tmp_path)
    evaluated = [e for e in run.events if e["event"] == "evaluated"]
    assert len(evaluated) == plan.budget / plan.interval
    restarts = {(e["member"], e["step"]) for e in run.events if e["event"] == "restarted"}
    ends = [e for e in evaluated if (e["member"], e["step"]) in restarts or e["step"] == plan.steps]
    assert run.score == max(e["score"] for e in ends)
    again = retrace(Hill(), Lineage(run.events).schedule(), seed=1)
    assert digest(Hill().save(again)) == digest(Hill().save(run.state(Hill())))


@pytest.mark.parametrize("name", ["tpe", "genetic"])
def test_a_training_is_as_long_as_it_was_said_to_be(name):
    """Each begins where the one before ended."""
    ledger = play(METHODS[name], size=3, steps=100, seed=0)
    assert [e.age for e in ledger.evaluations if e.member == 1] == [10, 20] * 5
    settings = [e.hyperparameters["lr"] for e in ledger.evaluations if e.member == 1]
    assert settings[0::2] == settings[1::2]
    assert len(set(settings)) > 2


@pytest.mark.parametrize("name", METHODS)
def test_a_failed_or_diverged_training_makes_place_for_another(name, tmp_path):
    """Raising and diverging members cost their steps, not the run."""
    from faulty import Faulty

    plan = Plan(population=5, steps=80, interval=10, seed=1)
    failing = Serial().run(Faulty(), METHODS[name], plan, tmp_path / "raise").events
    assert [e for e in failing if e["event"] == "failed"]
    diverging = Serial().run(Faulty(what="diverge"), METHODS[name], plan, tmp_path / "diverge").events
    assert [e for e in diverging if e["event"] == "diverged"]
    for events in (failing, diverging):
        assert math.isfinite(events[-1]["score"])


def test_a_method_forgets_one_run_when_it_is_asked_about_another():
    """What it remembers is a cache of the record in front of it: an object that served other runs decides alike."""
    for used in METHODS.values():
        histories = [play(used, size=4, steps=120, seed=seed).evaluations for seed in (0, 1, 0)]
        assert histories[0] == histories[2] != histories[1]


def test_proposals_are_within_the_space():
    """Real, whole, linear and logarithmic ones."""
    for method in METHODS.values():
        for evaluation in play(method, size=4, steps=120, seed=3).evaluations:
            SPACE.check(evaluation.hyperparameters)
