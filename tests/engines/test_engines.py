import json
import subprocess
import sys
import textwrap
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from oracle import run as oracle
from rooted import Rooted
from waiting import LONG

from pbt_core import PBT, BinaryTournament, Plan, Processes, Run, RunError, Serial, Truncation, WelchTTest
from pbt_core.engines.base import driving
from pbt_core.engines.pool import Gone, Pool, Ready
from pbt_core.ledger import Ledger
from pbt_core.schema import RecordError
from pbt_core.testing import Hill, check_engine
from pbt_core.work import Bench

METHODS = {
    "truncation": PBT(ready=20),
    "t-test": PBT(ready=10, exploit=WelchTTest()),
    "t-test over evaluations": PBT(ready=10, exploit=WelchTTest(window=4, over="evaluations")),
    "tournament": PBT(ready=30, exploit=BinaryTournament(), warmup=40),
    "weights only": PBT(ready=10, copy=("weights",), explore=None),
    "hyperparameters only": PBT(ready=10, copy=("hyperparameters",), exploit=Truncation(0.5)),
}


@pytest.mark.parametrize("engine", [Serial(), Processes(workers=1), Processes(workers=3)], ids=repr)
def test_the_engine_keeps_the_contract(engine):
    """The conformance kit: the serial engine's record, resumption, asynchronous mode."""
    check_engine(engine)


@pytest.mark.parametrize("name", METHODS)
def test_the_serial_engine_does_what_a_plain_loop_does(name, tmp_path):
    """Oracle: Algorithm 1 written as a loop over members, without any of the machinery."""
    plan = Plan(population=7, steps=95, interval=10, seed=5)
    evaluations, clones = oracle(Hill(), METHODS[name], plan)
    events = Serial().run(Hill(), METHODS[name], plan, tmp_path).events
    recorded = [(e["step"], e["member"], e["score"], e["hyperparameters"]) for e in events if e["event"] == "evaluated"]
    assert recorded == evaluations
    assert [(e["step"], e["member"], e["parent"]) for e in events if e["event"] == "cloned"] == clones
    assert len(clones) > 3


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_records_and_weights_are_the_same_bytes_for_any_number_of_workers(workers, tmp_path):
    """Not only the scores: the events hold the checksums of all weights, and the files are equal."""
    plan = Plan(population=5, steps=60, interval=10, seed=1)
    for name, engine in (("serial", Serial()), ("processes", Processes(workers=workers))):
        engine.run(Hill(), PBT(ready=20), plan, tmp_path / name).export(tmp_path / name)
    for file in ("events.jsonl", "events.parquet", "lineage.json"):
        assert (tmp_path / "serial" / file).read_bytes() == (tmp_path / "processes" / file).read_bytes()
    names = [sorted(p.name for p in (tmp_path / e / "checkpoints").iterdir()) for e in ("serial", "processes")]
    assert names[0] == names[1]


@pytest.mark.parametrize("synchronous", [True, False])
def test_what_is_a_members_own_stays_with_it_when_it_copies_weights(synchronous, tmp_path):
    """Running environments, say: a clone goes on in its own place, with its parent's weights."""
    plan = Plan(population=6, steps=100, interval=10, seed=3, synchronous=synchronous)
    events = Serial().run(Rooted(), PBT(ready=10), plan, tmp_path).events
    roots = {}
    for event in (e for e in events if e["event"] == "evaluated"):
        assert event["metrics"]["root"] == roots.setdefault(event["member"], event["metrics"]["root"])
        assert event["metrics"]["steps"] == event["step"]
    assert len(set(roots.values())) == 6
    assert sum(e["event"] == "cloned" for e in events) > 5


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_is_a_members_own_is_the_same_for_any_number_of_workers(workers, tmp_path):
    """It comes from the member's last checkpoint, not from what a worker happens to hold."""
    plan = Plan(population=5, steps=60, interval=10, seed=1)
    records = [
        engine.run(Rooted(), PBT(ready=10), plan, tmp_path / str(index)).events
        for index, engine in enumerate((Serial(), Processes(workers=workers)))
    ]
    assert records[0] == records[1]


def test_a_failed_member_has_nothing_of_its_own_left_and_takes_its_parents(tmp_path):
    """Its weights are lost, and whatever stood beside them."""
    plan = Plan(population=6, steps=100, interval=10, seed=3)
    events = Serial().run(Rooted(fault=("raise", 0.02)), PBT(ready=10), plan, tmp_path).events
    failed = next(e for e in events if e["event"] == "failed")
    place = (failed["member"], failed["step"])
    clone = next(e for e in events if e["event"] == "cloned" and (e["member"], e["step"]) == place)
    metrics = {(e["member"], e["step"]): e["metrics"] for e in events if e["event"] == "evaluated"}
    after = metrics[clone["member"], clone["step"] + 10]
    assert after["root"] == metrics[clone["parent"], clone["step"]]["root"]


def test_members_share_fewer_workers_fairly(tmp_path):
    """Asynchronous, ten members on two workers of one speed: nobody is ever more than two intervals ahead of anybody.

    The workers are played here: real ones are as fast as the machine lets them, and a slow one may fall behind.
    """
    task, plan = Hill(), Plan(population=10, steps=200, interval=10, synchronous=False)
    with driving(task, PBT(ready=20), plan, tmp_path, None, False) as driver:
        bench, busy = Bench(task, driver.store, plan.seed), deque()
        while not driver.finished:
            while len(busy) < 2 and (work := driver.next_work()) is not None:
                busy.append(work)
            driver.complete(bench.carry_out(busy.popleft()))
            steps = [slot.member.step for slot in driver.ledger.slots.values()]
            assert max(steps) - min(steps) <= 20
    assert steps == [200] * 10


def test_a_clone_in_asynchronous_mode_is_published_with_its_parents_score(tmp_path):
    """Algorithm 1 evaluates a replaced member again before it publishes: same weights, same score."""
    plan = Plan(population=6, steps=100, interval=10, synchronous=False)
    ledger, clones = Ledger(), 0
    for event in Serial().run(Hill(), PBT(ready=20), plan, tmp_path).events:
        if event["event"] == "cloned":
            parent = ledger.slots[event["parent"]].member
            ledger.apply(event)
            assert ledger.slots[event["member"]].member.score == parent.score
            clones += 1
        else:
            ledger.apply(event)
    assert clones > 3


def test_a_directory_with_another_run_is_refused_and_left_alone(tmp_path):
    """The message names what differs."""
    Serial().run(Hill(), PBT(ready=20), Plan(population=3, steps=20, interval=10), tmp_path)
    before = (tmp_path / "events.jsonl").read_bytes()
    with pytest.raises(RecordError, match=r"plan.seed was 0 and is 1"):
        Serial().run(Hill(), PBT(ready=20), Plan(population=3, steps=20, interval=10, seed=1), tmp_path)
    assert (tmp_path / "events.jsonl").read_bytes() == before


def test_a_task_that_cannot_be_sent_to_workers_is_refused_before_any_work(tmp_path):
    """One clear line instead of a traceback from the depths of multiprocessing."""

    class Local(Hill):
        """No worker could import it."""

    with pytest.raises(ValueError, match="cannot be sent to workers"):
        Processes().run(Local(), PBT(ready=20), Plan(population=2, steps=20, interval=10), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_task_defined_in_a_script_beside_another_module_runs_in_processes(tmp_path):
    """Workers find what the script finds, also on Pythons that do not pass sys.path to the fork server."""
    (tmp_path / "beside.py").write_text("from pbt_core.testing import Hill\nclass Mine(Hill): pass\n")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from pathlib import Path
            from beside import Mine
            from pbt_core import PBT, Plan, Processes
            if __name__ == "__main__":
                plan = Plan(population=3, steps=20, interval=10)
                print(Processes(workers=2).run(Mine(), PBT(ready=10), plan, Path(__file__).parent / "run").best)
            """
        )
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LONG, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"0", "1", "2"}


def test_a_golden_population_of_twenty_is_unchanged():
    """A committed transcript: whoever changes it changes every result, and has to say so."""
    path = Path(__file__).parent.parent / "golden" / "hill20.json"
    plan = Plan(population=20, steps=100, interval=10, seed=2017)
    evaluations, clones = oracle(Hill(), PBT(ready=20), plan)
    golden = json.loads(path.read_text())
    assert clones == [tuple(clone) for clone in golden["clones"]]
    assert [e[2] for e in evaluations[-20:]] == pytest.approx(golden["final_scores"], rel=1e-9)


class InThisProcess:
    """A transport to one worker that is this process; it notes what is sent."""

    prompt = True

    def __init__(self, bench, log):
        self.bench, self.log, self.outcomes = bench, log, deque()

    def start(self, worker):
        pass

    def send(self, worker, work):
        self.log.append(("sent", work.member))
        self.outcomes.append(self.bench.carry_out(work))

    def poll(self, timeout):
        return [(0, self.outcomes.popleft())]

    def close(self, orderly):
        assert orderly


@pytest.mark.parametrize("synchronous", [True, False])
def test_within_a_round_a_worker_goes_on_before_its_outcome_is_recorded(synchronous, tmp_path):
    """It need not wait for the record. Asynchronously it does, since what comes next may depend on the outcome."""
    plan, log = Plan(population=3, steps=20, interval=10, seed=3, synchronous=synchronous), []

    def observe(event):
        if event["event"] == "evaluated":
            log.append(("recorded", event["member"]))

    with driving(Hill(), PBT(ready=10), plan, tmp_path, observe, extend=False) as driver:
        Pool(driver, InThisProcess(Bench(Hill(), driver.store, plan.seed), log), 1).run()
    sent, recorded = ([("sent", m) for m in range(3)], [("recorded", m) for m in range(3)])
    ahead = [sent[0], sent[1], recorded[0], sent[2], recorded[1], recorded[2]]
    after = [sent[0], recorded[0], sent[1], recorded[1], sent[2], recorded[2]]
    assert log == (ahead if synchronous else after) * 2


class Twice(InThisProcess):
    """Its worker tells every outcome twice."""

    def send(self, worker, work):
        super().send(worker, work)
        self.outcomes.append(self.outcomes[-1])


@pytest.mark.parametrize("synchronous", [True, False])
def test_the_outcome_of_an_interval_that_is_over_is_passed_over(synchronous, tmp_path):
    """It is not that of the interval which its worker has been given since."""
    plan = Plan(population=3, steps=40, interval=10, seed=3, synchronous=synchronous)
    with driving(Hill(), PBT(ready=10), plan, tmp_path / "twice", None, extend=False) as driver:
        Pool(driver, Twice(Bench(Hill(), driver.store, plan.seed), []), 1).run()
    assert Run.open(tmp_path / "twice").events == Serial().run(Hill(), PBT(ready=10), plan, tmp_path / "once").events


class Taken(InThisProcess):
    """Its worker is killed as soon as it has nothing to do, the first time ``at_first`` times before it is ready."""

    prompt = False

    def __init__(self, bench, at_first):
        super().__init__(bench, [])
        self.at_first = at_first

    def start(self, worker):
        self.outcomes.append(Gone(-15) if self.at_first else Ready())
        self.at_first = max(0, self.at_first - 1)

    def send(self, worker, work):
        super().send(worker, work)
        self.outcomes.append(Gone(-15))

    def poll(self, timeout):
        news = [(0, message) for message in self.outcomes]
        self.outcomes.clear()
        return news

    def kill(self, worker):
        pass

    def close(self, orderly):
        pass


class Importing(InThisProcess):
    """Its worker, which is given work at once, imports for a hundred seconds of ``clock``."""

    def __init__(self, bench, clock):
        super().__init__(bench, [])
        self.clock = clock

    def start(self, worker):
        self.outcomes.append(Ready())

    def poll(self, timeout):
        if isinstance(self.outcomes[0], Ready):
            self.clock[0] += 100.0
        return super().poll(timeout)


def test_the_time_that_imports_take_is_not_counted_as_hanging(tmp_path):
    """A limit below the start-up time of a worker does not hurt members that are quick."""
    plan, clock = Plan(population=3, steps=20, interval=10), [0.0]
    with driving(Hill(), PBT(ready=10), plan, tmp_path, None, extend=False) as driver:
        transport = Importing(Bench(Hill(), driver.store, plan.seed), clock)
        Pool(driver, transport, 1, timeout=1.0, clock=lambda: clock[0]).run()
    assert clock == [100.0]
    assert not [event for event in Run.open(tmp_path).events if event["event"] == "failed"]


def test_workers_may_be_lost_between_intervals_as_often_as_there_are_intervals(tmp_path):
    """As where nodes are taken back again and again; but a run in which none ever begins ends, and says why."""
    plan = Plan(population=3, steps=100, interval=10, synchronous=False)

    def train(folder, at_first):
        with driving(Hill(), PBT(ready=10), plan, tmp_path / folder, lambda _: None, extend=False) as driver:
            Pool(driver, Taken(Bench(Hill(), driver.store, plan.seed), at_first), 1).run()
        return len([event for event in Run.open(tmp_path / folder).events if event["event"] == "evaluated"])

    assert train("often", 0) == 30
    with pytest.raises(RunError, match="workers die while they have nothing to do, the last with exit code -15"):
        train("never", 9)


def test_settings_of_engines_are_the_numbers_that_numpy_makes_of_them_too():
    """As those of plans and methods are; a truth value is none, and what is out of bounds is named."""
    engine = Processes(workers=np.int64(2), timeout=np.float64(5.0), threads=np.int32(1))
    assert (engine, type(engine.workers)) == (Processes(workers=2, timeout=5.0, threads=1), int)
    for wrong in (True, 2.0, "2"):
        with pytest.raises(ValueError, match=f"Processes: workers = {wrong!r} must be a whole number"):
            Processes(workers=wrong)
    with pytest.raises(ValueError, match=r"Processes: workers = 5000 must be in \[1, 4096\]"):
        Processes(workers=5000)
    with pytest.raises(ValueError, match="Processes: timeout = 0 must be above 0 and at most 1000000 seconds"):
        Processes(timeout=0)
