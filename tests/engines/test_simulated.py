"""The virtual clock: what asynchronous, straggling and pre-empted runs do, as a function of their seeds."""

import itertools
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from faulty import Faulty
from hypothesis import given, settings
from hypothesis import strategies as st

from pbt_core import (
    PBT,
    BinaryTournament,
    Cluster,
    IntervalTimes,
    Plan,
    Preemption,
    RandomPreemptions,
    RunError,
    Serial,
    Simulated,
    Stream,
    Until,
)
from pbt_core.engines.bounded import Bounded
from pbt_core.journal import read_timing
from pbt_core.ledger import Ledger
from pbt_core.testing import Hill, check_decisions, check_engine
from pbt_core.work import Work

METHOD = PBT(ready=10, exploit=BinaryTournament())
STRAGGLING = IntervalTimes(per_step=0.1, per_interval=0.5, spread=0.4, stragglers=0.2, slowdown=8)
FREE = Plan(population=5, steps=60, interval=10, seed=1, synchronous=False)
ROUNDS = Plan(population=5, steps=60, interval=10, seed=1)

times = st.builds(
    IntervalTimes,
    per_step=st.sampled_from([0.0, 0.1, 1.0]),
    per_interval=st.sampled_from([0.3, 2.0]),
    spread=st.sampled_from([0.0, 0.5]),
    stragglers=st.sampled_from([0.0, 0.2]),
)
lost_at_times = st.lists(
    st.builds(Preemption, worker=st.just(0), at=st.floats(0, 60), away=st.sampled_from([1.0, 20.0])), max_size=1
).map(tuple)
preemptions = lost_at_times | st.builds(RandomPreemptions, every=st.sampled_from([20.0, 60.0]), away=st.just(5.0))
clusters = st.builds(
    Cluster,
    speeds=st.lists(st.sampled_from([0.25, 1.0, 2.0]), min_size=1, max_size=8).map(tuple),
    durations=times,
    preemptions=preemptions,
    seed=st.integers(0, 5),
)
engines = st.builds(Simulated, clusters, staleness=st.none() | st.integers(1, 3))


def ran(engine, plan, task=None, method=METHOD):
    """The bytes of a record, its events, and the lines of its ``timing.jsonl`` that have a member."""
    with tempfile.TemporaryDirectory() as folder:
        run = engine.run(Hill() if task is None else task, method, plan, Path(folder))
        lines = [row for row in read_timing(Path(folder) / "timing.jsonl") if "member" in row]
        return (Path(folder) / "events.jsonl").read_bytes(), list(run.events), lines


def seconds(engine, plan):
    """Virtual seconds of a run."""
    return ran(engine, plan)[2][-1]["clock"]


@pytest.mark.parametrize(
    "engine",
    [
        Simulated(),
        Simulated(Cluster((1.0, 0.5, 2.0), STRAGGLING, RandomPreemptions(20, 5))),
        Simulated(Cluster.of(4, STRAGGLING), staleness=1),
        Simulated(Cluster.of(9)),
    ],
    ids=["one worker", "stragglers and pre-emption", "bounded staleness", "more workers than members"],
)
def test_the_simulated_engine_keeps_the_contract(engine):
    """The conformance kit: the serial engine's record, resumption, asynchronous mode."""
    check_engine(engine)


@settings(max_examples=5)
@given(engines)
def test_synchronous_the_record_is_the_serial_engines_to_the_byte(engine):
    """Whatever the workers are like, and whoever of them is lost: rounds do not depend on time."""
    assert ran(engine, ROUNDS)[0] == ran(Serial(), ROUNDS)[0]


@settings(max_examples=5)
@given(times, st.integers(0, 9))
def test_asynchronous_with_one_worker_the_record_is_the_serial_engines_to_the_byte(durations, seed):
    """One after another, in the order of the queue."""
    assert ran(Simulated(Cluster((0.7,), durations, seed=seed)), FREE)[0] == ran(Serial(), FREE)[0]


@settings(max_examples=5)
@given(engines)
def test_the_same_call_gives_the_same_bytes(engine):
    """Asynchronous, with stragglers and losses: an ordinary function of its seeds."""
    assert ran(engine, FREE)[0] == ran(engine, FREE)[0]


def test_other_draws_of_the_cluster_are_another_run():
    """Who is slow decides who sees whom: the seed of the cluster is one of the run's."""
    records = {ran(Simulated(Cluster((1.0,) * 3, STRAGGLING, seed=seed)), FREE)[0] for seed in range(3)}
    assert len(records) == 3


@settings(max_examples=10)
@given(engines)
def test_no_member_trains_before_what_it_trains_from_is_published(engine):
    """Neither its own last interval nor its parent's; and decisions follow from the events before them."""
    _, events, lines = ran(engine, FREE)
    check_decisions(events, METHOD, Hill(), FREE)
    ended = {(row["member"], row["step"]): row["clock"] for row in lines if "train_s" in row}
    begun = {
        (row["member"], row["step"] - row["steps"]): row["clock"] - row["train_s"] for row in lines if "train_s" in row
    }
    rounding = 0.0011
    for (member, step), at in begun.items():
        assert step == 0 or at >= ended[member, step] - rounding
    for event in events:
        if event["event"] == "cloned" and event["step"] < FREE.steps:
            source = event["source"]
            assert begun[event["member"], event["step"]] >= ended[source["member"], source["step"]] - rounding


@settings(max_examples=10)
@given(engines)
def test_virtual_time_never_runs_backwards_and_no_worker_does_two_things_at_once(engine):
    """Intervals of one worker do not overlap, those that were lost included."""
    _, _, lines = ran(engine, FREE)
    assert [row["clock"] for row in lines] == sorted(row["clock"] for row in lines)
    spans = defaultdict(list)
    for row in lines:
        worker = row.get("worker", row.get("lost_worker"))
        spans[worker].append((row["clock"] - row.get("train_s", row.get("lost_s")), row["clock"]))
    for own in spans.values():
        for (_, end), (begin, _) in itertools.pairwise(sorted(own)):
            assert begin >= end - 0.0021


@settings(max_examples=10)
@given(clusters)
def test_nothing_is_lost_with_a_worker_but_its_interval_in_flight(cluster):
    """Every interval is in the record once; a loss costs a worker's time since it began, and that interval ends later."""
    _, events, lines = ran(Simulated(cluster), FREE)
    counts = Counter((event["member"], event["step"]) for event in events if event["event"] == "evaluated")
    assert counts == {(member, step): 1 for member in range(5) for step in range(10, 61, 10)}
    assert not any(event["event"] == "failed" for event in events)
    for number, row in enumerate(lines):
        if "lost_worker" in row:
            again = [(later["member"], later["step"]) for later in lines[number + 1 :] if "train_s" in later]
            assert (row["member"], row["step"] + 10) in again


@settings(max_examples=10)
@given(clusters, st.integers(1, 4))
def test_with_bounded_staleness_no_member_is_further_ahead_than_the_bound(cluster, bound):
    """At any event, of the slowest that has budget left."""
    _, events, _ = ran(Simulated(cluster, staleness=bound), FREE)
    ledger = Ledger()
    for event in events:
        ledger.apply(event)
        steps = [slot.member.step for slot in ledger.slots.values()]
        assert not steps or max(steps) - min(steps) <= 10 * bound


def test_a_bound_makes_fast_members_wait_and_a_wide_one_does_not():
    """One worker a member, one of them slow: the others are done early, or wait for it."""
    slow = Cluster((0.1, *(1.0,) * 4))
    free = ran(Simulated(slow), FREE)
    assert ran(Simulated(slow, staleness=6), FREE)[0] == free[0]
    behind = {bound: max_lead(ran(Simulated(slow, staleness=bound), FREE)[1]) for bound in (1, 2, 6)}
    assert behind == {1: 10, 2: 20, 6: max_lead(free[1])}
    assert max_lead(free[1]) > 20


def max_lead(events):
    """Steps between the first and the last member, at most, at any time of a run."""
    ledger, leads = Ledger(), [0]
    for event in events:
        ledger.apply(event)
        steps = [slot.member.step for slot in ledger.slots.values()]
        leads.append(max(steps, default=0) - min(steps, default=0))
    return max(leads)


@pytest.mark.parametrize("plan", [FREE, ROUNDS], ids=["asynchronous", "synchronous"])
def test_the_wall_time_is_that_of_the_closed_form(plan):
    """One worker a member: asynchronous the slowest member's sum, synchronous the sum of the slowest of every round."""
    cluster = Cluster.of(5, STRAGGLING)
    stream = Stream(plan.seed).child("cluster", cluster.seed)
    table = [
        [cluster.seconds(0, Work(m, s, s + 10, {}, None), stream.child("interval", m, s, 0)) for s in range(0, 60, 10)]
        for m in range(5)
    ]
    expected = sum(map(max, zip(*table, strict=True))) if plan.synchronous else max(map(sum, table))
    assert seconds(Simulated(cluster), plan) == pytest.approx(expected, abs=0.001)


def test_a_lost_interval_is_done_again_by_the_next_free_worker():
    """Two members of two intervals, 10 s each. Worker 1 is lost at 4 s; worker 0 goes on with its interval at 10 s."""
    cluster = Cluster((1.0, 1.0), IntervalTimes(per_step=1.0), (Preemption(worker=1, at=4.0),))
    _, _, lines = ran(Simulated(cluster), Plan(2, 20, 10, synchronous=False))
    rows = [(row.get("worker", row.get("lost_worker")), row["member"], row["clock"]) for row in lines]
    assert rows == [(1, 1, 4.0), (0, 0, 10.0), (0, 1, 20.0), (0, 0, 30.0), (0, 1, 40.0)]
    assert lines[0]["lost_s"] == 4.0


def test_a_worker_that_comes_back_is_given_work_again():
    """Away from 4 s to 9 s: it does the lost interval itself, since the other is busy until 10 s."""
    cluster = Cluster((1.0, 1.0), IntervalTimes(per_step=1.0), (Preemption(worker=1, at=4.0, away=5.0),))
    _, _, lines = ran(Simulated(cluster), Plan(2, 20, 10, synchronous=False))
    rows = [(row.get("worker", row.get("lost_worker")), row["member"], row["clock"]) for row in lines]
    assert rows == [(1, 1, 4.0), (0, 0, 10.0), (1, 1, 19.0), (0, 0, 20.0), (1, 1, 29.0)]


def test_an_idle_worker_may_be_lost_too():
    """Nobody notices but those who would have used it."""
    cluster = Cluster((1.0, 1.0), preemptions=(Preemption(worker=1, at=4.0),))
    _, events, lines = ran(Simulated(cluster), Plan(1, 30, 10))
    assert [row["clock"] for row in lines] == [10.0, 20.0, 30.0]
    assert events[-1]["event"] == "finished"


def test_outcomes_of_one_instant_are_seen_by_all_who_decide_then():
    """Equal members of equal speed: everyone decides on the whole round, though nobody waits for anybody."""
    _, events, _ = ran(Simulated(Cluster.of(5)), FREE)
    steps = [event["step"] for event in events if event["event"] == "evaluated"]
    assert steps == [step for step in range(10, 61, 10) for _ in range(5)]
    for event in (event for event in events if event["event"] == "cloned"):
        assert event["parent_step"] == event["step"]


def test_when_all_workers_are_lost_for_good_the_run_says_so(tmp_path):
    """One line, with the second; a bigger cluster goes on from there."""
    cluster = Cluster((1.0,), preemptions=(Preemption(0, at=25.0),))
    with pytest.raises(RunError, match=r"all workers .* are lost for good since 25 s"):
        Simulated(cluster).run(Hill(), METHOD, ROUNDS, tmp_path)
    assert Simulated().run(Hill(), METHOD, ROUNDS, tmp_path).finished
    assert (tmp_path / "events.jsonl").read_bytes() == ran(Serial(), ROUNDS)[0]


class Killed(Exception):
    """A run that is interrupted."""


def test_a_resumed_run_goes_on_at_its_virtual_second(tmp_path):
    """A loss of the earlier session is over, one to come comes when it would have."""
    plan = Plan(1, 60, 10)
    cluster = Cluster((1.0,), preemptions=(Preemption(0, at=5.0, away=5.0), Preemption(0, at=45.0, away=5.0)))

    def stop(event):
        if event["event"] == "evaluated" and event["step"] == 20:
            raise Killed

    with pytest.raises(Killed):
        Simulated(cluster).run(Hill(), METHOD, plan, tmp_path, stop)
    Simulated(cluster).run(Hill(), METHOD, plan, tmp_path)
    lines = list(read_timing(tmp_path / "timing.jsonl"))
    first = max(row["clock"] for row in lines if row["session"] == 0)
    assert first == 30.0
    after = [(first + row["clock"], row.get("lost_s")) for row in lines if row["session"] == 1 and "member" in row]
    assert after == [(40.0, None), (45.0, 5.0), (60.0, None), (70.0, None), (80.0, None)]


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_limit_of_time_counts_virtual_seconds(synchronous):
    """Intervals under way are finished; nothing else is begun."""
    plan = Plan(4, 1000, 10, synchronous=synchronous, stop=Until(seconds=25))
    _, events, lines = ran(Simulated(Cluster.of(4)), plan)
    assert events[-1]["reason"] == "time"
    assert {row["clock"] for row in lines} == {10.0, 20.0, 30.0}


@pytest.mark.parametrize("staleness", [None, 1])
def test_failed_members_are_replaced_under_the_virtual_clock_too(staleness):
    """Also where those that could replace them are held back by the bound."""
    _, events, _ = ran(Simulated(Cluster.of(3, STRAGGLING), staleness=staleness), FREE, Faulty(limit=0.05))
    failed = [(event["member"], event["step"]) for event in events if event["event"] == "failed"]
    assert failed
    assert events[-1]["event"] == "finished"
    replaced = {(e["member"], e["step"]) for e in events if e["event"] in ("cloned", "restarted")}
    assert {(member, step) for member, step in failed if step < 60} <= replaced


def test_members_that_are_held_back_are_none_that_a_failed_one_waits_for():
    """They wait for the slowest, which may be the failed one itself: each would wait for the other for ever."""
    bounded = Bounded(staleness=1, interval=10)
    bounded.begin(deciding=[0], training=[1], steps={0: 10, 1: 20})  # as when a run goes on in which 1 had its decision
    assert bounded.due() == [0]
    assert not bounded.others_to_come()
    bounded.decided(0, trains=True)
    assert (bounded.next(), bounded.next()) == (0, None)
    assert bounded.arrived(0, None) == [(0, None)]
    bounded.recorded(0, going_on=True)
    assert bounded.others_to_come()
    assert bounded.next() == 1
