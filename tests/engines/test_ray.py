"""The cluster engine, on clusters of several nodes that are processes of this machine."""

import hashlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hanging import hang, only_what_hangs_takes_long
from slow import Slow
from waiting import LONG

from pbt_core import PBT, Plan, Run, RunError, Score, Serial, current_worker
from pbt_core.engines.ray import Ray, _Actor
from pbt_core.engines.worker import Assignment, Worker
from pbt_core.testing import Hill, check_decisions, check_engine
from pbt_core.work import Work

ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")
PLAN = Plan(population=6, steps=60, interval=10, seed=3)
METHOD = PBT(ready=10)


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of two cores; this process has joined."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    nodes.add_node(num_cpus=2, num_gpus=2, resources={"second": 1})  # cards that are not there, as Ray lends them
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def test_the_engine_keeps_the_contract(cluster):
    """The serial engine's record, resumption, asynchronous mode."""
    check_engine(Ray(workers=1))


@pytest.mark.parametrize("weights", ["folder", "objects"])
def test_a_synchronous_run_leaves_the_bytes_of_the_serial_engine(weights, cluster, tmp_path):
    """Through a common folder, or through Ray's object store, the record and all kept weights are equal."""
    for name, engine in (("serial", Serial()), ("ray", Ray(weights=weights))):
        engine.run(Hill(), METHOD, PLAN, tmp_path / name)
    assert (tmp_path / "serial" / "events.jsonl").read_bytes() == (tmp_path / "ray" / "events.jsonl").read_bytes()
    names = [sorted(p.name for p in (tmp_path / e / "checkpoints").iterdir()) for e in ("serial", "ray")]
    assert names[0] == names[1]


def test_checkpoints_that_are_carried_do_not_pile_up_while_a_run_goes_on(cluster, tmp_path):
    """There are never more than where a folder is shared, whose files are written over: a few for each member."""
    plan, most = Plan(population=4, steps=150, interval=10, seed=3), {}
    for weights in ("folder", "objects"):
        folder, counts = tmp_path / weights / "checkpoints", []
        observer = lambda event, folder=folder, counts=counts: counts.append(len(list(folder.iterdir())))  # noqa: E731
        Ray(workers=2, weights=weights).run(Hill(), METHOD, plan, tmp_path / weights, observer)
        most[weights] = max(counts)
    assert most["objects"] <= 3 * plan.population, most
    assert most["folder"] <= 3 * plan.population, most


def test_a_worker_that_is_sent_checkpoints_keeps_none(tmp_path, monkeypatch):
    """Neither its own nor those of parents, in memory or as files: it may be killed at any moment."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pbt_core.engines.worker._current", None)  # restored, since an actor never stops being one
    assignment = Assignment(Worker(0, 1), pickle.dumps(Hill()), tmp_path / "none", False, 3, 2, 1, "")
    actor = _Actor(assignment, [], shares_folder=False)
    values = {"lr": 0.01, "decay": 0.01}
    files = {}
    for number, source in ((0, None), (1, None), (0, 1)):
        parent = None if source is None else files[source]
        sent = {} if parent is None else {parent[0].filename: parent[1]}
        start = 0 if source is None else 10
        outcome, content = actor.carry_out(Work(number, start, start + 10, values, parent and parent[0]), sent)
        files[number] = outcome.checkpoint, content
        assert hashlib.sha256(content).hexdigest().startswith(outcome.checkpoint.digest)
        assert not actor._carried.files
    assert not list(tmp_path.iterdir())


def test_carried_checkpoints_are_on_the_disk_where_the_plan_says_so(cluster, tmp_path, monkeypatch):
    """Each of them, and its name in the folder, before anything refers to it."""
    synced, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), sync(fd)))
    plan = Plan(population=2, steps=20, interval=10, seed=3, durable=True)
    run = Ray(workers=1, weights="objects").run(Hill(), METHOD, plan, tmp_path)
    made = [e["checkpoint"] for e in run.events if e["event"] == "evaluated"]
    assert [sum(f"-{digest}.safetensors" in path for path in synced) for digest in made] == [1] * len(made)
    assert synced.count(str(tmp_path / "checkpoints")) == len(made)


@dataclass(frozen=True)
class Striking(Hill):
    """Strikes once: where the file is not yet, ``blow`` is struck in place of training."""

    file: str = ""
    blow: str = "kill"

    def step(self, state, hyperparameters, steps, seed):
        try:
            Path(self.file).touch(exist_ok=False)
        except FileExistsError:
            return super().step(state, hyperparameters, steps, seed)
        if self.blow == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        hang(Path(self.file).parent)
        raise AssertionError("it was ended long ago")


def test_an_actor_that_dies_is_replaced_and_its_interval_done_again(cluster, tmp_path):
    """The record is that of a run without the loss."""
    Serial().run(Hill(), METHOD, PLAN, tmp_path / "serial")
    run = Ray(workers=2).run(Hill(), METHOD, PLAN, tmp_path / "whole")
    assert (tmp_path / "serial" / "events.jsonl").read_bytes() == (tmp_path / "whole" / "events.jsonl").read_bytes()
    killed = Ray(workers=2).run(Striking(file=str(tmp_path / "once")), METHOD, PLAN, tmp_path / "killed")
    assert [e for e in killed.events if e["event"] != "started"] == [e for e in run.events if e["event"] != "started"]
    assert '"lost_worker"' in (tmp_path / "killed" / "timing.jsonl").read_text()


@dataclass(frozen=True)
class Pooling(Hill):
    """Trains with children of its own, which are ended by a signal when the pool closes."""

    def step(self, state, hyperparameters, steps, seed):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, [-1, -2, -3]) == [1, 2, 3]
        return super().step(state, hyperparameters, steps, seed)


def test_children_of_a_task_end_when_they_are_told_to(cluster, tmp_path):
    """Ray's own handler of the signal is no longer theirs: a pool would wait for them for ever."""
    runs = [
        engine.run(Pooling(), METHOD, PLAN, tmp_path / name)
        for name, engine in (("serial", Serial()), ("ray", Ray(workers=2, timeout=300)))
    ]
    assert list(runs[0].events) == list(runs[1].events)


def test_a_node_that_is_killed_in_the_middle_is_survived(tmp_path):
    """Its workers' intervals go to those of the other node; nothing is lost, nothing is there twice."""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-m", "ray_nodes", str(tmp_path / "ray"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed").exists()
    assert '"lost_worker"' in (tmp_path / "ray" / "timing.jsonl").read_text()
    Serial().run(Hill(), METHOD, PLAN, tmp_path / "serial")
    records = [Run.open(tmp_path / name).events for name in ("serial", "ray")]
    assert [e for e in records[0] if e["event"] != "started"] == [e for e in records[1] if e["event"] != "started"]


def test_a_worker_that_hangs_is_ended_and_its_member_has_failed(cluster, tmp_path, monkeypatch):
    """As in the engine of processes."""
    only_what_hangs_takes_long(tmp_path, monkeypatch)
    task = Striking(file=str(tmp_path / "once"), blow="hang")
    run = Ray(workers=1, timeout=LONG).run(task, METHOD, PLAN, tmp_path / "run")
    assert [e["kind"] for e in run.events if e["event"] == "failed"] == ["hung"]
    assert run.finished


def test_asynchronous_decisions_follow_from_the_record(cluster, tmp_path):
    """With more members than workers."""
    plan = Plan(population=9, steps=60, interval=10, seed=3, synchronous=False)
    run = Ray(workers=3).run(Slow(), METHOD, plan, tmp_path)
    check_decisions(run.events, METHOD, Slow(), plan)
    assert len({(e["member"], e["step"]) for e in run.events if e["event"] == "evaluated"}) == 9 * 6


class Placed(Hill):
    """Scores tell which worker trained."""

    def step(self, state, hyperparameters, steps, seed):
        worker = current_worker()
        assert worker is not None
        assert worker.count == 1
        assert ray.get_runtime_context().get_assigned_resources().get("second") == 0.5
        return super().step(state, hyperparameters, steps, seed)


def test_workers_get_what_they_ask_for(cluster, tmp_path):
    """Of a kind of resource that one node has, in fractions; what the cluster does not have is one line."""
    engine = Ray(workers=1, cpus=0, resources={"second": 0.5})
    run = engine.run(Placed(), METHOD, PLAN, tmp_path / "second")
    assert not [e for e in run.events if e["event"] == "failed"]
    for workers in (None, 2):
        with pytest.raises(RunError, match=r"a worker wants \{'GPU': 3.0\}, of which the cluster has \{'GPU': 2.0\}"):
            Ray(workers=workers, gpus=3).run(Hill(), METHOD, PLAN, tmp_path / "gpu")


@dataclass(frozen=True)
class OnCards(Hill):
    """Scores by how many cards its worker has, which are all that its process sees."""

    def evaluate(self, state, seed):
        worker = current_worker()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        assert worker.devices == tuple(f"cuda:{card}" for card in visible.split(",") if card)
        assert worker.isolated is bool(worker.devices)
        return Score(float(len(worker.devices)))


@pytest.mark.parametrize(("gpus", "cards"), [(0.5, 1.0), (2, 2.0), (0, 0.0)])
def test_the_devices_of_a_worker_are_the_cards_that_ray_lends_it(gpus, cards, cluster, tmp_path):
    """So that a task computes on them. Workers may share one."""
    run = Ray(workers=1, gpus=gpus).run(OnCards(), METHOD, PLAN, tmp_path)
    assert {event["score"] for event in run.events if "score" in event} == {cards}


@pytest.mark.parametrize(
    "settings",
    [{"workers": 0}, {"cpus": -1}, {"cpus": True}, {"timeout": 0}, {"threads": 0}, {"cpus": 0}, {"weights": "x"},
     {"cpus": 1e-5}, {"gpus": 9e-5}, {"resources": {"CPU": 1.0}}, {"resources": {"a": 1e-5}}],
)  # fmt: skip
def test_wrong_settings_are_named(settings):
    """Key, value and rule."""
    with pytest.raises(ValueError, match=f"Ray: {next(iter(settings))}"):
        Ray(**settings)


def elsewhere(tmp_path, engine):
    """What a process that has joined no cluster says when it runs this engine."""
    program = (
        "from pathlib import Path; from pbt_core import PBT, Plan; from pbt_core.engines.ray import Ray\n"
        "from pbt_core.testing import Hill\n"
        f"{engine}.run(Hill(), PBT(ready=10), Plan(2, 20, 10), Path({str(tmp_path)!r}))"
    )
    paths = str(Path(__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | {"PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    return done.stderr


def test_a_cluster_that_is_not_there_is_one_line(tmp_path):
    """In a process that has joined none."""
    said = elsewhere(tmp_path, "Ray(address='127.0.0.1:1')")
    assert "RunError: Ray: address = '127.0.0.1:1' cannot be joined" in said


def test_without_an_address_no_cluster_of_somebody_else_is_joined(cluster, tmp_path):
    """Not even where Ray notes one on this machine: a run would go down with it."""
    said = elsewhere(tmp_path, "Ray(workers=None, cpus=0, resources={'second': 0.5})")
    assert "RunError: Ray: a worker wants {'second': 0.5}, of which the cluster has {'second': 0.0}" in said
