import json

import pytest
from halting import METHOD, halted

from pbt_core import (
    Plan,
    Processes,
    Run,
    Serial,
    Until,
)
from pbt_core.driver import Driver
from pbt_core.journal import Timing, read_timing, sessions
from pbt_core.testing import Hill
from pbt_core.work import Bench


@pytest.mark.parametrize("engine", [Serial(), Processes(workers=1), Processes(workers=3)], ids=repr)
def test_a_run_that_reaches_the_score_ends_with_its_round(engine, tmp_path):
    """The same record for any number of workers; its answer has the score."""
    whole = Serial().run(Hill(), METHOD, Plan(population=4, steps=200, interval=10, seed=3), tmp_path / "whole").events
    target = max(e["score"] for e in whole if e["event"] == "evaluated" and e["step"] == 70)
    plan = Plan(population=4, steps=200, interval=10, seed=3, stop=Until(score=target))
    run = engine.run(Hill(), METHOD, plan, tmp_path / "run")
    assert run.reason == "score"
    assert run.score >= target
    steps = {e["step"] for e in run.events if e["event"] == "evaluated"}
    assert max(steps) < 200
    assert run.events == Serial().run(Hill(), METHOD, plan, tmp_path / "oracle").events
    last = [e["member"] for e in run.events if e["event"] == "evaluated" and e["step"] == max(steps)]
    assert last == [0, 1, 2, 3]
    for after in range(5, len(run.events) - 1, 7):
        halted(tmp_path / str(after), after, plan)
        assert engine.run(Hill(), METHOD, plan, tmp_path / str(after)).events == run.events


class Clock:
    """Seconds that pass when they are read."""

    def __init__(self, tick):
        self.now, self.tick = 0.0, tick

    def __call__(self):
        self.now += self.tick
        return self.now


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_run_out_of_time_ends_with_what_it_has_and_counts_earlier_sessions(synchronous, tmp_path):
    """Intervals under way are finished and recorded; what is left of the time goes with the run."""
    plan = Plan(population=4, steps=10_000, interval=10, seed=3, synchronous=synchronous, stop=Until(seconds=30.0))
    bench = None
    for _ in range(2):
        driver = Driver(Hill(), METHOD, plan, tmp_path, clock=Clock(0.05))
        bench = Bench(Hill(), driver.store, plan.seed)
        for _ in range(20):
            first, second = driver.next_work(0), driver.next_work(1)
            driver.complete(bench.carry_out(second))
            driver.complete(bench.carry_out(first))
        driver.close()
    spent = sum(sessions(tmp_path / "timing.jsonl").values())
    driver = Driver(Hill(), METHOD, plan, tmp_path, clock=Clock(0.05))
    assert driver.timing.elapsed_before == pytest.approx(spent)
    busy = []
    while not driver.finished:
        while len(busy) < 3 and (work := driver.next_work()) is not None:
            busy.append(work)
        driver.complete(bench.carry_out(busy.pop()))
    driver.close()
    run = Run.open(tmp_path)
    assert run.reason == "time"
    assert sum(sessions(tmp_path / "timing.jsonl").values()) >= 30.0
    last = {event["member"]: event["score"] for event in run.events if event["event"] == "evaluated"}
    assert (last[run.best], run.score) == (max(last.values()), max(last.values()))
    assert not busy
    longer = run.extend(Serial(), Hill(), METHOD, stop=Until(score=run.score - 1.0))
    assert (longer.finished, longer.reason) == (True, "score")


def test_durations_come_from_a_clock_that_nobody_sets_and_torn_lines_are_passed_over(tmp_path):
    """A full disk tears timing.jsonl, a clock is set back an hour: the run can still be finished and summed up."""
    path = tmp_path / "timing.jsonl"
    for _ in range(2):
        timing = Timing(path, Clock(1.0))
        timing.note(cpu_s=2.0)
        timing.close()
    whole = list(read_timing(path))
    assert sum(sessions(path).values()) > 0
    with path.open("a") as file:
        file.write('{"session":1,"clock":9.0,"cpu_')
    timing = Timing(path, Clock(1.0))
    timing.note(cpu_s=float("nan"))
    timing.close()
    assert list(read_timing(path))[: len(whole)] == whole
    assert sorted(sessions(path)) == [0, 1, 2]
    path.write_bytes(
        b"\xff\n[]\n{}\n" + json.dumps({"session": -1, "clock": "x"}).encode() + b"\n" + b"[" * 99_999 + b"\n"
    )
    assert list(read_timing(path)) == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seconds": 0},
        {"seconds": -1},
        {"seconds": float("nan")},
        {"score": True},
        {"score": "1"},
        {"score": float("inf")},
    ],
    ids=str,
)
def test_limits_that_cannot_be_are_refused(settings):
    """By key, value and rule."""
    with pytest.raises(ValueError, match=r"^Until: "):
        Until(**settings)
