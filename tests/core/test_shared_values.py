"""What a run shows to methods, observers and readers stays as it is, and what it writes can be read."""

from dataclasses import replace

import pytest
from halting import METHOD, PLAN

from pbt_core import Clone, Continue, Leased, RecordError, Restart, Run, Serial
from pbt_core.journal import Journal
from pbt_core.ledger import Ledger
from pbt_core.store import Store
from pbt_core.testing import Hill


class Halves:
    """Says what it changes, or writes into what it was shown."""

    def __init__(self, in_place):
        self.in_place = in_place

    def start(self, space, size, rng):
        return [space.sample(rng) for _ in range(size)]

    def decide(self, member, population, rng):
        hyperparameters = member.hyperparameters if self.in_place else dict(member.hyperparameters)
        hyperparameters["lr"] = max(1e-4, hyperparameters["lr"] / 2)
        return Continue(hyperparameters)


@pytest.mark.parametrize("engine", [Serial(), Leased()])
def test_a_method_cannot_change_what_a_member_has_trained_with(engine, tmp_path):
    """Its record would contradict itself."""
    plan = replace(PLAN, synchronous=isinstance(engine, Serial))
    with pytest.raises(TypeError, match="a member's hyperparameters cannot be changed in place"):
        engine.run(Hill(), Halves(in_place=True), plan, tmp_path / "one")
    assert engine.run(Hill(), Halves(in_place=False), plan, tmp_path / "other").score is not None


@pytest.mark.parametrize("engine", [Serial(), Leased()])
def test_an_observer_may_write_into_what_it_is_given(engine, tmp_path):
    """As to round for a line on the terminal: the run is as without it."""
    plan = replace(PLAN, synchronous=isinstance(engine, Serial))
    seen = []

    def observe(event):
        for values in filter(None, map(event.get, ("hyperparameters", "source", "run"))):
            values.clear()
        event.get("samples", []).clear()
        seen.append(event.pop("event"))

    run = engine.run(Hill(), METHOD, plan, tmp_path / "one", observe)
    assert seen == [event["event"] for event in run.events]
    assert run.events == engine.run(Hill(), METHOD, plan, tmp_path / "other").events


def test_what_is_read_from_a_run_may_be_written_into(tmp_path):
    """It stays what its record says."""
    run = Serial().run(Hill(), METHOD, PLAN, tmp_path)
    whole = Run.open(tmp_path)
    whole.events[1]["hyperparameters"].clear()
    whole.events[0]["run"]["plan"].clear()
    for event in whole.events.others():
        event.get("hyperparameters", {}).clear()
    for segment in whole.schedule():
        segment.hyperparameters.clear()
    whole.hyperparameters.clear()
    assert whole.events == run.events
    assert (whole.score, whole.plan, whole.schedule()) == (run.score, run.plan, run.schedule())
    assert whole.hyperparameters == run.hyperparameters


@pytest.mark.parametrize("decision", [Restart(None), Clone(0, None), Clone(1, None)])
def test_a_decision_that_needs_hyperparameters_has_them(decision, tmp_path):
    """Else the members would train, and the record could not be read."""

    class Forgets(Halves):
        def decide(self, member, population, rng):
            return decision

    with pytest.raises(
        ValueError, match=r"decision for member 0: .*(hyperparameters = None must be a mapping|parent 0)"
    ):
        Serial().run(Hill(), Forgets(in_place=False), PLAN, tmp_path)


def test_no_event_is_written_that_could_not_be_read(tmp_path):
    """Whatever made it: the journal is the last to see it."""
    journal = Journal(tmp_path / "events.jsonl", Store(tmp_path / "checkpoints"), Ledger())
    with pytest.raises(
        RecordError, match=r"an event that is none cannot be written: joined.hyperparameters = \{'x': \[1\]\}"
    ):
        journal.append({"event": "joined", "member": 0, "step": 0, "hyperparameters": {"x": [1]}})
    journal.close()
    assert (tmp_path / "events.jsonl").read_bytes() == b""
