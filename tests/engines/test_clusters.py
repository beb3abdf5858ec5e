"""Clusters that cannot be, or cannot be simulated: what is refused where it is declared, and what ends a run."""

import math
from dataclasses import dataclass

import pytest

from pbt_core import PBT, Cluster, IntervalTimes, Plan, Preemption, RandomPreemptions, RunError, Simulated
from pbt_core.engines import simulated
from pbt_core.journal import read_timing
from pbt_core.testing import Hill

METHOD = PBT(ready=10)
ROUNDS = Plan(population=5, steps=60, interval=10, seed=1)


@dataclass(frozen=True)
class Backwards:
    """Durations that cannot be."""

    value: float

    def seconds(self, work, stream):
        return self.value


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_durations_that_cannot_be_are_an_error_with_the_value(value, tmp_path):
    """Of a user's own class: it is named."""
    with pytest.raises(ValueError, match=r"Backwards\.seconds = .* must be a finite number above 0"):
        Simulated(Cluster((1.0,), Backwards(value))).run(Hill(), METHOD, ROUNDS, tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: IntervalTimes(per_step=-1.0), r"per_step = -1.0 must be 0, or in \[1e-09, 1e\+09\] seconds"),
        (lambda: IntervalTimes(per_step=0.0), "per_step or per_interval must be above 0"),
        (lambda: IntervalTimes(stragglers=1.5), r"stragglers = 1.5 must be in \[0, 1\]"),
        (lambda: IntervalTimes(slowdown=0.5), r"slowdown = 0.5 must be in \[1, 1e\+06\]"),
        (lambda: IntervalTimes(spread=math.nan), "spread = nan must be a finite number"),
        (lambda: Preemption(0, at=math.inf), "at = inf must be a finite number"),
        (lambda: Preemption(0, at=1.0, away=0.0), "away = 0.0 must be above 0"),
        (lambda: RandomPreemptions(0.0, 1.0), r"every = 0.0 must be in \[0.001, 1e\+12\]"),
        (lambda: Cluster(()), r"speeds = \(\) must be a tuple of 1 to"),
        (lambda: Cluster((1.0, 0.0)), r"speeds\[1\] = 0.0 must be in \[1e-06, 1e\+06\]"),
        (lambda: Cluster(seed=-1), "seed = -1 must be at least 0"),
        (lambda: Cluster(preemptions=(Preemption(1, 3.0),)), "worker = 1 must be one of 1 workers"),
        (
            lambda: Cluster(preemptions=(Preemption(0, 3.0, 5.0), Preemption(0, 7.0))),
            "worker 0 is lost at 7.0 s, where it is away since 3.0 s",
        ),
        (lambda: IntervalTimes(per_step=1e12), "per_step = 1000000000000.0 must be 0, or in"),
        (lambda: IntervalTimes(per_step=5e-324), "per_step = 5e-324 must be 0, or in"),
        (lambda: IntervalTimes(per_interval=2**1000), r"per_interval = 1071.* must be 0, or in"),
        (lambda: IntervalTimes(spread=40), r"spread = 40 must be in \[0, 5\]"),
        (lambda: IntervalTimes(spread=1e300), r"spread = 1e\+300 must be in"),
        (lambda: IntervalTimes(slowdown=1e308), r"slowdown = 1e\+308 must be in"),
        (lambda: RandomPreemptions(0.0001, 1.0), r"every = 0.0001 must be in"),
        (lambda: RandomPreemptions(1.0, 1e300), r"away = 1e\+300 must be in"),
        (lambda: Preemption(0, 1e308), r"at = 1e\+308 must be in \[0, 1e\+12\]"),
        (lambda: Preemption(0.5, 1.0), "worker = 0.5 must be a whole number"),
        (lambda: Preemption(0, 1.0, math.nan), "away = nan must be above 0"),
        (lambda: Cluster((5e-324,)), r"speeds\[0\] = 5e-324 must be in"),
        (
            lambda: Cluster(durations=IntervalTimes),
            "durations = .* must be a Durations, with seconds: IntervalTimes is a class",
        ),
        (lambda: Cluster(preemptions={Preemption(0, 1.0)}), "preemptions = .* must be a tuple or a RandomPreemptions"),
        (lambda: Cluster.of(None), "workers = None must be a whole number"),
        (lambda: Cluster.of(10**20), "workers = 100000000000000000000 must be in"),
        (lambda: Simulated(cluster=3), "cluster = 3 must be a Cluster"),
        (lambda: Simulated(staleness=0), r"staleness = 0 must be in \[1"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused_with_key_value_and_rule(make, words):
    """Before anything runs."""
    with pytest.raises(ValueError, match=words):
        make()


def test_a_cluster_that_loses_its_workers_again_and_again_is_an_error(tmp_path, monkeypatch):
    """No interval can end: each is lost some hundred times before its end."""
    monkeypatch.setattr(simulated, "MOST_LOSSES", 300)
    cluster = Cluster((1.0, 1.0), IntervalTimes(per_step=10.0), RandomPreemptions(every=1.0, away=0.5))
    words = (
        r"lost 300 times in a row, and no interval has ended: RandomPreemptions\(every=1.0, away=0.5\) are too frequent"
    )
    with pytest.raises(RunError, match=words):
        Simulated(cluster).run(Hill(), METHOD, ROUNDS, tmp_path)


def test_losses_that_intervals_survive_now_and_then_are_none_in_a_row(tmp_path, monkeypatch):
    """Many more in all than there may be in a row."""
    monkeypatch.setattr(simulated, "MOST_LOSSES", 100)
    monkeypatch.setattr(simulated, "MOST_LOSSES_EACH", 1)
    cluster = Cluster((1.0, 1.0), IntervalTimes(per_step=1.0), RandomPreemptions(every=4.0, away=0.5))
    assert Simulated(cluster).run(Hill(), METHOD, ROUNDS, tmp_path).finished
    assert sum("lost_worker" in line for line in read_timing(tmp_path / "timing.jsonl")) > 100


def test_a_run_longer_than_the_clock_of_its_record_is_an_error(tmp_path):
    """Which the record would show as one that took no time."""
    cluster = Cluster((1e-6,), IntervalTimes(per_step=1e9))
    with pytest.raises(RunError, match=r"the virtual clock, at 0 s, would pass 1e\+12 s, where a record's ends"):
        Simulated(cluster).run(Hill(), METHOD, ROUNDS, tmp_path)


@pytest.mark.parametrize("times", [IntervalTimes(1e-9), IntervalTimes(1e8)], ids=["shortest", "longest"])
def test_no_interval_of_a_record_takes_no_time(times, tmp_path):
    """From a microsecond on, and as long as a record's clock runs."""
    Simulated(Cluster((1.0,), times)).run(Hill(), METHOD, ROUNDS, tmp_path)
    lines = [line for line in read_timing(tmp_path / "timing.jsonl") if "train_s" in line]
    assert len(lines) == 30
    assert all(line["train_s"] > 0 for line in lines)
    assert [line["clock"] for line in lines] == sorted(line["clock"] for line in lines)


@dataclass(frozen=True)
class Undefined:
    """Durations that raise."""

    def seconds(self, work, stream):
        return {}[work.member]


def test_durations_that_raise_are_named(tmp_path):
    """In one line."""
    with pytest.raises(ValueError, match=r"^durations seconds raised KeyError: 0 \(.*test_clusters.py, line \d+\)$"):
        Simulated(Cluster((1.0,), Undefined())).run(Hill(), METHOD, ROUNDS, tmp_path)
