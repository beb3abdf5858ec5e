"""What is said of failures: at once of what is wrong in every member, by logging of what is wrong in some."""

import logging

import pytest
from faulty import Faulty
from misread import Broken, Misread

from baselines import RandomSearch
from pbt_core import PBT, Leased, Perturb, Plan, Processes, Run, RunError, Serial
from pbt_core.failures import Failures
from pbt_core.testing import Hill
from pbt_core.work import Work

METHOD = PBT(ready=10, explore=Perturb((0.8,)))
PLAN = Plan(population=6, steps=60, interval=10, seed=1)
ASYNCHRONOUS = Plan(population=6, steps=60, interval=10, seed=1, synchronous=False)


def said(caplog):
    return [record.getMessage().partition(": ")[2] for record in caplog.records if record.name == "pbt_core"]


@pytest.mark.parametrize("engine", [Serial(), Processes(workers=2)], ids=["serial", "processes"])
def test_each_kind_of_failure_is_told_when_it_is_first_met_and_all_are_counted_at_the_end(engine, tmp_path, caplog):
    """Errors that differ in their numbers are one kind. The run itself has the count and a table."""
    with caplog.at_level(logging.WARNING, "pbt_core"):
        run = engine.run(Faulty(), METHOD, PLAN, tmp_path)
    events = [event for event in run.events if event["event"] == "failed"]
    assert len(events) > 1
    first, last = said(caplog)
    assert first == f"member {events[0]['member']} failed in the interval from step 0 to 10: {events[0]['error']}"
    assert last == f"{len(events)} of 36 intervals failed: {len(events)} times {events[0]['error']}"
    assert run.failed == len(events)
    table = run.failures()
    assert list(table.columns) == ["member", "step", "kind", "error", "traceback"]
    assert table.to_dict("records") == [{name: event[name] for name in table.columns} for event in events]


def test_nothing_is_said_of_a_run_without_failures(tmp_path, caplog):
    """And its table of failures is empty."""
    with caplog.at_level(logging.DEBUG, "pbt_core"):
        run = Serial().run(Hill(), METHOD, PLAN, tmp_path)
    assert said(caplog) == []
    assert (run.failed, len(run.failures()), next(iter(run.failures().columns))) == (0, 0, "member")


def test_workers_that_are_killed_are_told_once_and_counted(tmp_path, caplog):
    """Five by SIGKILL in one interval: it is done again and nothing fails, but somebody should look at the memory."""
    with caplog.at_level(logging.WARNING, "pbt_core"):
        run = Processes(workers=1).run(
            Faulty(limit=0.3, what="killed five times", folder=str(tmp_path)), METHOD, PLAN, tmp_path / "run"
        )
    assert run.failed == 0
    first, last = said(caplog)
    assert first.startswith("a worker died (killed by SIGKILL, as where memory runs short) while it trained member ")
    assert last == "5 workers died in an interval: 5 times killed by SIGKILL, as where memory runs short"


def test_one_of_a_kind_is_told_as_one(tmp_path, caplog):
    """Not as "1 workers", "1 times"."""
    failures = Failures(tmp_path)
    with caplog.at_level(logging.WARNING, "pbt_core"):
        failures.lost(Work(0, 0, 10, {}, None), -9)
        failures.summary()
    assert said(caplog)[-1] == "1 worker died in an interval: once killed by SIGKILL, as where memory runs short"


@pytest.mark.parametrize(
    ("engine", "plan"),
    [(Serial(), PLAN), (Processes(workers=2), PLAN), (Leased(), ASYNCHRONOUS), (Leased(timeout=60), ASYNCHRONOUS)],
    ids=["serial", "processes", "leased", "leased, limited"],
)
def test_a_broken_load_ends_the_run_at_its_first_checkpoint(engine, plan, tmp_path):
    """It would have cost every member that copies another its weights. One line, with the place; nothing is recorded."""
    with pytest.raises(
        RunError,
        match=r"^Misread.load cannot load what Misread.save wrote: KeyError: 'weights' \(.*misread.py, line 14\)$",
    ):
        engine.run(Misread(), METHOD, plan, tmp_path)
    assert not list(tmp_path.glob("events.jsonl")) or b"evaluated" not in (tmp_path / "events.jsonl").read_bytes()


@pytest.mark.parametrize("engine", [Serial(), Processes(workers=2)], ids=["serial", "processes"])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("step", "Broken.step returned None; it must return the state"),
        ("evaluate", "Broken.evaluate must return a Score, not None"),
        ("save", "TypeError: Broken.save must return a Checkpoint, not NoneType"),
    ],
)
def test_a_broken_contract_ends_the_run_with_its_first_interval(engine, what, said, tmp_path):
    """Not after a whole round of training. In a later interval it is that member's failure."""
    with pytest.raises(RunError, match=f"^the run ends at its first interval: {said}$"):
        engine.run(Broken(what=what), METHOD, PLAN, tmp_path)
    assert b'"failed"' not in (tmp_path / "events.jsonl").read_bytes()


def test_a_load_that_works_is_tried_once_a_run(tmp_path):
    """A run that goes on from its record has nothing left to try."""
    loads = []

    class Counted(Hill):
        def load(self, checkpoint, hyperparameters):
            loads.append(1)
            return super().load(checkpoint, hyperparameters)

    never = PBT(ready=60, exploit=None)
    Serial().run(Counted(), never, PLAN, tmp_path)
    assert len(loads) == 1
    Serial().run(Counted(), never, PLAN, tmp_path)
    assert len(loads) == 1


@pytest.mark.parametrize("engine", [Serial(), Processes(workers=1), Leased()], ids=["serial", "processes", "leased"])
def test_an_error_of_any_length_ends_a_run_in_one_line_that_is_not_long(engine, tmp_path, caplog):
    """The record has all of it, and the traceback."""
    plan = ASYNCHRONOUS if isinstance(engine, Leased) else PLAN
    with caplog.at_level(logging.WARNING, "pbt_core"), pytest.raises(RunError) as ended:
        engine.run(Faulty(what="raise at length", limit=0.0), RandomSearch(), plan, tmp_path)
    line = str(ended.value)
    assert "RandomSearch cannot replace it: ArithmeticError: first second" in line
    for told in (line, *said(caplog)):
        assert "\n" not in told
        assert len(told) < 700
    (failed, *_) = [event for event in Run.open(tmp_path).events if event["event"] == "failed"]
    assert failed["error"] == "ArithmeticError: first\nsecond " + "x" * 10**5
