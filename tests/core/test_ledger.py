import math
from dataclasses import dataclass
from enum import StrEnum

import pytest

from pbt_core import Continue, Lineage, Plan, Processes, Restart, Serial
from pbt_core.ledger import Ledger
from pbt_core.lineage import retrace
from pbt_core.outcomes import next_interval
from pbt_core.store import Reference, digest
from pbt_core.testing import Hill
from pbt_core.values import identical


class Colour(StrEnum):
    RED = "red"


def evaluated(member, step, score, a=0):
    fields = {"samples": [], "hyperparameters": {"a": a}, "checkpoint": f"{member}-{step}"}
    return {"event": "evaluated", "member": member, "step": step, "score": score, **fields}


def restarted(member, step, **settings):
    return {"event": "restarted", "member": member, "step": step, "hyperparameters": settings}


def cloned(member, step, parent, source, score=0.0, weights=True, age=10, a=0):
    fields = {"samples": [], "history": [], "hyperparameters": {"a": a}, "weights": weights, "age": age}
    source = {"member": source[0], "step": source[1], "digest": ""}
    return {
        "event": "cloned",
        "member": member,
        "step": step,
        "parent": parent,
        "source": source,
        "score": score,
        **fields,
    }


def joined(size):
    return [{"event": "joined", "member": m, "step": 0, "hyperparameters": {"a": 0}} for m in range(size)]


def ages(ledger):
    return {m: slot.member.age for m, slot in ledger.slots.items()}


def test_the_age_of_weights_goes_with_a_copy_and_ends_with_a_restart():
    """Steps are charged to the member, age belongs to the weights."""
    ledger = Ledger([*joined(3), evaluated(0, 10, 1.0), evaluated(1, 10, 2.0), evaluated(2, 10, 3.0)])
    assert ages(ledger) == {0: 10, 1: 10, 2: 10}
    ledger.apply(restarted(0, 10, a=0))
    assert ages(ledger) == {0: 0, 1: 10, 2: 10}
    for event in (evaluated(0, 20, 1.0), evaluated(1, 20, 2.0), evaluated(2, 20, 3.0)):
        ledger.apply(event)
    assert ages(ledger) == {0: 10, 1: 20, 2: 20}
    ledger.apply(cloned(1, 20, parent=0, source=(0, 20)))
    ledger.apply(cloned(2, 20, parent=0, source=(0, 20), weights=False))
    assert ages(ledger) == {0: 10, 1: 10, 2: 20}


def test_a_copy_of_weights_that_have_trained_on_since_has_the_age_it_was_copied_at():
    """Asynchronous members copy the checkpoint that a member goes on from, which may be a parent's own."""
    ledger = Ledger([*joined(2), evaluated(0, 10, 1.0), evaluated(0, 20, 2.0), evaluated(0, 30, 3.0)])
    ledger.apply(evaluated(1, 10, 0.0))
    ledger.apply(cloned(1, 10, parent=0, source=(0, 20), age=20))
    assert ages(ledger) == {0: 30, 1: 20}


def test_every_evaluation_is_kept_with_the_score_its_interval_began_from():
    """None for fresh weights, the parent's after a copy; the hyperparameters are those it trained with."""
    ledger = Ledger([*joined(2), evaluated(0, 10, 1.0), evaluated(1, 10, 2.0)])
    ledger.apply(cloned(0, 10, parent=1, source=(1, 10), score=2.0, a=9))
    ledger.apply(restarted(1, 10, a=7))
    ledger.apply(evaluated(0, 25, 5.0, a=9))
    ledger.apply(evaluated(1, 25, 6.0, a=7))
    fields = [(e.member, e.step, e.steps, e.age, e.before, e.hyperparameters["a"]) for e in ledger.evaluations]
    assert fields == [
        (0, 10, 10, 10, None, 0),
        (1, 10, 10, 10, None, 0),
        (0, 25, 15, 25, 2.0, 9),
        (1, 25, 15, 15, None, 7),
    ]


def test_the_best_training_that_a_restart_ended_is_kept_and_a_worse_or_diverged_one_does_not_displace_it():
    """Its checkpoint is held; that of a training which did not become the best is not."""
    ledger = Ledger([*joined(1), evaluated(0, 10, 5.0), restarted(0, 10, a=0)])
    assert ledger.kept.member.score == 5.0
    for step, score in ((20, 3.0), (30, math.nan), (40, 4.0)):
        ledger.apply(evaluated(0, step, score))
        ledger.apply(restarted(0, step, a=0))
    assert ledger.kept.latest == Reference(0, 10, "0-10")
    assert ledger.holds(Reference(0, 10, "0-10"))
    assert not ledger.holds(Reference(0, 20, "0-20"))
    assert ledger.best().member.score == 5.0
    ledger.apply(evaluated(0, 50, 6.0))
    assert ledger.best().latest == Reference(0, 50, "0-50")


def test_what_is_kept_has_the_hyperparameters_that_it_was_trained_with():
    """Not those of the restart that ended it."""
    ledger = Ledger([*joined(1), evaluated(0, 10, 5.0, a=0), restarted(0, 10, a=1)])
    assert ledger.kept.member.hyperparameters == {"a": 0}
    assert ledger.slots[0].member.hyperparameters == {"a": 1}


def failed(member, step):
    return {"event": "failed", "member": member, "step": step, "kind": "raised", "error": "", "traceback": ""}


def test_a_failed_interval_that_is_tried_again_begins_from_what_the_member_was():
    """With copied weights that is the parent's score and its own last state; what the failure has charged is given back."""
    ledger = Ledger([*joined(2), evaluated(0, 10, 1.0), evaluated(1, 10, 2.0)])
    ledger.apply(cloned(0, 10, parent=1, source=(1, 10), score=2.0))
    before = ledger.slots[0]
    work = next_interval(before, Plan(population=2, steps=40, interval=10))
    for event in (evaluated(1, 20, 3.0), failed(0, 20), {"event": "retried", "member": 0, "step": 20}):
        ledger.apply(event)
        assert ledger.holds(Reference(0, 10, "0-10"))
    assert ledger.slots[0] == before
    assert next_interval(ledger.slots[0], Plan(population=2, steps=40, interval=10)) == work
    ledger.apply(evaluated(0, 20, 4.0))
    last = ledger.evaluations[-1]
    assert (last.age, last.steps, last.before) == (20, 10, 2.0)
    assert not ledger.holds(Reference(0, 10, "0-10"))
    for event in (failed(0, 30), restarted(0, 30, a=0)):
        ledger.apply(event)
    with pytest.raises(ValueError, match="member 0 is tried again, but has not failed"):
        ledger.apply({"event": "retried", "member": 0, "step": 30})


def test_references_are_counted_and_freed_when_nobody_can_read_them_any_more():
    """A parent's checkpoint is held by its child, also when the parent has gone on."""
    ledger = Ledger([*joined(2), evaluated(0, 10, 1.0), evaluated(1, 10, 2.0), cloned(0, 10, parent=1, source=(1, 10))])
    source = Reference(1, 10, "")
    assert ledger.holds(source)
    assert ledger.freed == []
    ledger.apply(evaluated(1, 20, 3.0))
    assert ledger.freed == [Reference(1, 10, "1-10")]
    assert ledger.holds(source)
    ledger.apply(evaluated(0, 20, 3.0))
    assert not ledger.holds(source)


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (evaluated(0, 10, 1.0, a=1), "has {'a': 0}"),
        (evaluated(2, 10, 1.0), "never joined"),
        ({**joined(1)[0], "member": 7}, "member 7 joined after 2"),
        (cloned(0, 0, parent=0, source=(1, 10)), "no other member"),
    ],
)
def test_an_event_that_cannot_follow_those_before_it_is_an_error(event, rule):
    """A record that was put together by hand does not make a run."""
    with pytest.raises(ValueError, match=rule):
        Ledger([*joined(2), event])


@dataclass(frozen=True)
class Relay:
    """Good settings for the first 20 steps, then ever worse ones: the first training is the answer."""

    def start(self, space, size, rng):
        return [{"lr": 0.5, "decay": 0.5}] * size

    def decide(self, member, population, rng):
        return Continue() if member.age < 20 else Restart({"lr": 1e-4, "decay": 1e-3 * (1 + rng.random())})


@pytest.mark.parametrize("engine", [Serial(), Processes(workers=2)], ids=repr)
def test_the_answer_of_a_run_may_be_a_training_that_was_ended_and_its_weights_can_be_had(engine, tmp_path):
    """They survive the trainings after it, and its lineage retraces to them bit for bit."""
    plan = Plan(population=3, steps=80, interval=10, seed=2)
    run = engine.run(Hill(), Relay(), plan, tmp_path)
    assert run.events[-1]["step"] == 20
    assert run.hyperparameters == {"lr": 0.5, "decay": 0.5}
    state, schedule = run.state(Hill()), Lineage(run.events).schedule()
    assert -sum(state["x"] ** 2) == pytest.approx(run.score)
    assert [(s.start, s.stop, s.member) for s in schedule] == [(0, 10, run.best), (10, 20, run.best)]
    assert digest(Hill().save(retrace(Hill(), schedule, seed=2))) == digest(Hill().save(state))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": (1,)}, {"a": (1.0,)}, False),
        ({"a": ((True, "x"),)}, {"a": ((1, "x"),)}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 0.0}, {"a": -0.0}, False),
        ({"a": 1, "b": 2.0}, {"b": 2.0, "a": 1}, True),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, False),
        ({"a": (1, ("x", None))}, {"a": (1, ("x", None))}, True),
        ({"a": Colour.RED}, {"a": "red"}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
    ids=repr,
)
def test_hyperparameters_are_equal_if_each_of_them_is_in_kind_and_content(one, other, equal):
    """Within tuples too, and in whatever order they stand."""
    assert identical(one, other) is equal
    assert identical(other, one) is equal
