import enum
import json
import os
import sys
from dataclasses import replace

import numpy as np
import pytest
from halting import METHOD, PLAN, Halt, halted, halting

from pbt_core import (
    PBT,
    Choice,
    Lineage,
    Perturb,
    Plan,
    Processes,
    RecordError,
    Run,
    RunError,
    Serial,
    Space,
    Truncation,
    retrace,
)
from pbt_core.driver import Driver
from pbt_core.engines.base import driving
from pbt_core.events import read
from pbt_core.schema import START, line
from pbt_core.store import Reference
from pbt_core.testing import Hill
from pbt_core.work import Done


def is_declared(hyperparameters):
    return isinstance(hyperparameters["activation"], Activation)


def perturbed(hyperparameters, space, rng):
    assert is_declared(hyperparameters)
    return Perturb()(hyperparameters, space, rng)


def test_a_finished_run_is_read_without_writing_locking_or_its_task(tmp_path):
    """By somebody who may only read; from its folder, the one above, or what was exported."""
    run = Serial().run(Hill(), METHOD, PLAN, tmp_path / "state")
    run.export(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for folder in (tmp_path / "state", tmp_path, str(tmp_path)):
        opened = Run.open(folder)
        assert (opened.finished, opened.reason) == (True, "steps")
        assert (opened.best, opened.score) == (run.best, run.score)
        assert opened.events == run.events
        assert opened.plan == PLAN
        assert opened.identity["task"]["size"] == 3
        assert opened.schedule() == Lineage(run.events).schedule()
    table = Run.open(tmp_path / "state").table()
    assert list(table.columns[:4]) == ["member", "step", "score", "held_out"]
    assert len(table) == 24
    assert table["hyperparameters.lr"].between(1e-4, 1).all()
    assert table["metrics.distance"].notna().all()
    (tmp_path / "state" / "events.jsonl").rename(tmp_path / "elsewhere.jsonl")
    assert Run.open(tmp_path).score == run.score
    (tmp_path / "elsewhere.jsonl").rename(tmp_path / "state" / "events.jsonl")
    for path in before:
        assert path.is_dir() or path.stat().st_mtime_ns == before[path]


@pytest.mark.parametrize("after", [6, 9, 14, 20, 25])
def test_of_a_run_under_way_best_score_and_state_agree(after, tmp_path):
    """The best as things stand, whoever was evaluated last."""
    halted(tmp_path, after)
    run = Run.open(tmp_path)
    assert not run.finished
    assert run.reason is None
    state = run.state(Hill())
    assert -float(np.square(state["x"]).sum()) == pytest.approx(run.score)
    scores = [e["score"] for e in run.events if e["event"] == "evaluated"]
    assert run.score in scores
    assert run.hyperparameters is not None


def test_before_the_first_evaluation_there_is_no_best(tmp_path):
    """And the message says so."""
    halted(tmp_path, 3)
    run = Run.open(tmp_path)
    assert (run.best, run.score, run.hyperparameters) == (None, None, None)
    with pytest.raises(RunError, match="no member was evaluated yet"):
        run.state(Hill())


def test_a_population_without_a_finite_score_is_told_at_once_and_truly(tmp_path, caplog):
    """In the log when it happens, and by whoever asks for the answer."""
    run = Serial().run(Hill(fault=("diverge", 0.0)), METHOD, PLAN, tmp_path)
    assert any("no member has a finite score" in message for message in caplog.messages)
    assert run.best is None
    assert run.reason == "steps"
    with pytest.raises(RunError, match="all members diverged or failed"):
        run.state(Hill())
    assert sum(event["event"] == "restarted" for event in run.events) == 20


@pytest.mark.parametrize("what", ["nothing", "no folder", "a file"])
def test_a_folder_without_a_run_is_one_line(what, tmp_path):
    """It names the folder and what was looked for."""
    folder = {"nothing": tmp_path, "no folder": tmp_path / "no", "a file": tmp_path / "file"}[what]
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"holds no run: there is none of events.jsonl"):
        Run.open(folder)


@pytest.mark.parametrize("engine", [Serial(), Processes(workers=2)], ids=["serial", "processes"])
def test_an_extended_run_is_the_run_that_was_asked_for_at_once(engine, tmp_path):
    """Synchronous: the same evaluations, decisions and weights; asked for again, it is left alone."""
    whole = Serial().run(Hill(), METHOD, Plan(population=4, steps=120, interval=10, seed=3), tmp_path / "whole")
    run = engine.run(Hill(), METHOD, PLAN, tmp_path / "run")
    with pytest.raises(RecordError, match=r"plan.steps was 60 and is 120; to go on from there, extend it"):
        engine.run(Hill(), METHOD, whole.plan, tmp_path / "run")
    longer = run.extend(engine, Hill(), METHOD, steps=120)
    marks = ("started", "finished", "extended")
    assert [e for e in longer.events if e["event"] not in marks] == [e for e in whole.events if e["event"] not in marks]
    assert longer.plan == whole.plan
    assert (longer.best, longer.score) == (whole.best, whole.score)
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    assert engine.run(Hill(), METHOD, whole.plan, tmp_path / "run").events == longer.events
    assert engine.run(Hill(), METHOD, PLAN, tmp_path / "run").events == longer.events
    with pytest.raises(RecordError, match=r"method.ready was 10 and is 20"):
        run.extend(engine, Hill(), PBT(ready=20), steps=240)
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


def test_after_a_short_last_interval_an_extended_run_goes_on_from_where_it_ended(tmp_path):
    """The interval does not divide the steps that were done: nothing is trained twice or left out."""
    run = Serial().run(Hill(), METHOD, Plan(population=2, steps=25, interval=10), tmp_path)
    longer = run.extend(Serial(), Hill(), METHOD, steps=50)
    steps = [event["step"] for event in longer.events if event["event"] == "evaluated" and event["member"] == 0]
    assert steps == [10, 20, 25, 35, 45, 50]


class Activation(enum.StrEnum):
    RELU = enum.auto()
    GELU = enum.auto()


class Declared(Hill):
    """Cannot do without what it declared, nor can its constraint and its explorer."""

    def __init__(self):
        super().__init__(space=Space({**Hill().space, "activation": Choice(tuple(Activation))}, where=is_declared))

    def init(self, seed, hyperparameters):
        assert is_declared(hyperparameters)
        return super().init(seed, hyperparameters)

    def step(self, state, hyperparameters, steps, seed):
        assert is_declared(hyperparameters)
        return super().step(state, hyperparameters, steps, seed)

    def load(self, checkpoint, hyperparameters):
        assert is_declared(hyperparameters)
        return super().load(checkpoint, hyperparameters)


def test_a_resumed_run_hands_out_the_values_that_were_declared(tmp_path):
    """An enumeration's members, which JSON writes as strings; the record is that of an unbroken run."""
    method = PBT(ready=10, explore=perturbed)
    whole = Serial().run(Declared(), method, PLAN, tmp_path / "whole")
    for after in (6, 20):
        with pytest.raises(Halt):
            Serial().run(Declared(), method, PLAN, tmp_path / str(after), halting(after))
        assert Serial().run(Declared(), method, PLAN, tmp_path / str(after)).events == whole.events
    assert not whole.record.others("failed")
    assert whole.state(Declared())["x"].shape == (3,)
    assert isinstance(Declared().space.restore(whole.hyperparameters)["activation"], Activation)
    assert retrace(Declared(), whole.schedule(), PLAN.seed)["x"].tolist() == whole.state(Declared())["x"].tolist()


def test_an_unfinished_run_is_not_extended(tmp_path):
    """It has its own steps to do first."""
    halted(tmp_path, 12)
    with pytest.raises(RecordError, match=r"holds a run that is not finished: plan.steps was 60 and is 90; finish it"):
        Run.open(tmp_path).extend(Serial(), Hill(), METHOD, steps=90)


def test_an_extended_run_that_was_broken_off_goes_on_by_the_same_call(tmp_path):
    """The extension is in the record."""
    run = Serial().run(Hill(), METHOD, PLAN, tmp_path / "run")
    seen = []

    def observe(event):
        seen.append(event)
        if len(seen) == 9:
            raise Halt

    with pytest.raises(Halt):
        run.extend(Serial(), Hill(), METHOD, steps=120, observer=observe)
    again = run.extend(Serial(), Hill(), METHOD, steps=120)
    whole = Serial().run(Hill(), METHOD, again.plan, tmp_path / "whole")
    assert (again.finished, again.score) == (True, whole.score)


@pytest.mark.parametrize("after", [3, 20, 58, 59, 70, 80, 120, 150])
def test_a_program_that_runs_and_then_extends_twice_can_be_started_again_wherever_it_was_broken_off(after, tmp_path):
    """The run of fewer steps is contained in the longer ones: asked for again, it is the run as it is by then."""

    def program(folder, observer=None):
        run = Serial().run(Hill(), METHOD, PLAN, folder, observer)
        run = run.extend(Serial(), Hill(), METHOD, steps=90, observer=observer)
        return run.extend(Serial(), Hill(), METHOD, steps=120, observer=observer)

    seen = []

    def observe(event):
        seen.append(event)
        if len(seen) == after:
            raise Halt

    whole = program(tmp_path / "whole")
    if after < len(whole.events):
        with pytest.raises(Halt):
            program(tmp_path / "run", observe)
    assert program(tmp_path / "run").events == whole.events
    again = program(tmp_path / "run")
    assert (again.events == whole.events, again.plan.steps) == (True, 120)


def test_a_plan_that_the_run_was_not_extended_from_is_another_run(tmp_path):
    """Nor is what differs in more than its steps."""
    run = Serial().run(Hill(), METHOD, PLAN, tmp_path).extend(Serial(), Hill(), METHOD, steps=120)
    assert Serial().run(Hill(), METHOD, PLAN, tmp_path).events == run.events
    for plan in (replace(PLAN, steps=90), replace(PLAN, seed=4)):
        with pytest.raises(RecordError, match="holds another run"):
            Serial().run(Hill(), METHOD, plan, tmp_path)


def test_a_run_that_must_survive_a_loss_of_power_writes_the_same(tmp_path):
    """Durable or not, the record is the same."""
    durable = Plan(population=4, steps=60, interval=10, seed=3, durable=True)
    engines = (Serial(), Processes(workers=2))
    runs = [engine.run(Hill(), METHOD, durable, tmp_path / str(i)) for i, engine in enumerate(engines)]
    assert runs[0].events == runs[1].events == Serial().run(Hill(), METHOD, PLAN, tmp_path / "not").events


def test_a_record_from_somebody_else_reaches_no_file_outside_its_folder(tmp_path):
    """Digests become parts of names: they are checked where they are read."""
    victim = tmp_path / "victim.safetensors"
    victim.write_text("precious")
    halted(tmp_path / "run", 14)
    path = tmp_path / "run" / "events.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    chain, data = START, []
    for event in lines:
        event.pop("chain")
        if event["event"] == "evaluated":
            event["checkpoint"] = "/../../../victim"
        text, chain = line(event, chain)
        data.append(text)
    path.write_bytes(b"".join(data))
    with pytest.raises(RecordError, match=r"checkpoint = '/../../../victim' must be 32 hexadecimal digits"):
        Serial().run(Hill(), METHOD, PLAN, tmp_path / "run")
    assert victim.read_text() == "precious"


def test_a_second_driver_leaves_the_folder_to_the_first(tmp_path):
    """Also where it would begin anew."""
    with driving(Hill(), METHOD, PLAN, tmp_path, None, False):
        process = os.fork()
        if not process:
            try:
                Serial().run(Hill(), METHOD, PLAN, tmp_path)
            except RunError as error:
                os._exit(0 if "another process is running in" in str(error) else 2)
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def test_a_reader_of_a_run_under_way_sees_whole_events(tmp_path):
    """The last line may be half written."""
    halted(tmp_path, 14)
    path = tmp_path / "events.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    assert len(read(path)) == 13
    assert len(Run.open(tmp_path).events) == 13
    assert path.read_bytes() == data[:-7]
    assert (
        Serial().run(Hill(), METHOD, PLAN, tmp_path).events == Serial().run(Hill(), METHOD, PLAN, tmp_path / "o").events
    )


def test_decisions_cost_the_same_in_a_large_population_as_in_a_small_one(tmp_path):
    """Nothing is scanned: the lines of Python that a decision runs do not grow with the members (times would be noise)."""
    counts = {}
    for size in (50, 800):
        plan = Plan(population=size, steps=30, interval=10, synchronous=False)
        driver = Driver(Hill(), PBT(ready=10, exploit=Truncation()), plan, tmp_path / str(size))
        rng = np.random.default_rng(0)

        def complete(work, driver=driver, rng=rng):
            score = {"score": float(rng.normal()), "samples": [], "held_out": None, "metrics": {}}
            driver.complete(
                Done(work, score, Reference(work.member, work.stop, f"{work.member:016x}{work.stop:016x}"), {})
            )

        for _ in range(size + size // 2):  # until decisions are being made
            complete(driver.next_work())
        lines = [0]

        def trace(frame, event, argument, lines=lines):
            lines[0] += event == "line"
            return trace

        sys.settrace(trace)
        for _ in range(20):
            complete(driver.next_work())
        sys.settrace(None)
        counts[size] = lines[0]
        driver.close()
    assert counts[800] < 1.2 * counts[50]


@pytest.mark.parametrize(
    "name", ["m00000-s0000000010-{digest}.safetensors", "m00000-s0000000010-{digest}.safetensors.1.tmp"]
)
def test_what_a_run_that_was_killed_at_its_end_has_left_is_removed_when_it_is_asked_for_again(name, tmp_path):
    """Between its last event and the removal of what nobody needs any more."""
    plan = Plan(population=3, steps=20, interval=10, seed=3)
    Serial().run(Hill(), PBT(ready=10), plan, tmp_path)
    needed = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    (tmp_path / "checkpoints" / name.format(digest="0" * 32)).touch()
    assert Serial().run(Hill(), PBT(ready=10), plan, tmp_path).finished
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == needed
