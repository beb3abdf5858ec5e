import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from leased_worker import FREE, METHOD, PLAN, stop_after
from slow import Slow
from waiting import LONG

from pbt_core import PBT, Leased, Plan, Processes, Run, Serial, Stream, Until
from pbt_core.engines import leased
from pbt_core.errors import RunError
from pbt_core.leases.log import LOG, Entry, SharedLog
from pbt_core.method import Continue
from pbt_core.schema import RecordError
from pbt_core.testing import Hill, check_decisions, check_engine
from pbt_core.work import Bench

PROGRAM = Path(__file__).parent / "leased_worker.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAM.parent), str(PROGRAM.parents[2])])}


def start(directory, *arguments, before=()):
    command = [*before, sys.executable, str(PROGRAM), str(directory), *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT)


def check_record(directory):
    """Every interval is there once, and every decision follows from the events before it."""
    run = Run.open(directory)
    assert run.finished
    evaluated = [(e["member"], e["step"]) for e in run.events if e["event"] == "evaluated"]
    assert sorted(evaluated) == [(m, s) for m in range(PLAN.population) for s in range(10, PLAN.steps + 1, 10)]
    check_decisions(run.events, METHOD, Slow(), PLAN)
    known = {(e["member"], e["step"], e["checkpoint"]) for e in run.events if e["event"] == "evaluated"}
    sources = [e["source"] for e in run.events if e["event"] == "cloned"]
    assert sources
    assert {(s["member"], s["step"], s["digest"]) for s in sources} <= known
    assert (run.best, run.events[-1]["step"], digest_of(run)) in known


def digest_of(run):
    """The checksum by which the record names the checkpoint of the run's answer, from the file itself."""
    score = Slow().evaluate(run.state(Slow()), Stream(0)).value
    (name,) = {e["checkpoint"] for e in run.events if e["event"] == "evaluated" and e["score"] == score}
    return name


def test_a_worker_keeps_the_contract_of_engines():
    """But for the synchronous mode, which needs a coordinator."""
    check_engine(Leased(), synchronous=False)


def test_a_single_worker_leaves_the_bytes_of_the_serial_engine(tmp_path):
    """Whatever way the record was made, it is the same."""
    for name, engine in (("serial", Serial()), ("leased", Leased())):
        engine.run(Hill(), PBT(ready=20), FREE, tmp_path / name).export(tmp_path / name)
    for file in ("events.jsonl", "events.parquet", "lineage.json"):
        assert (tmp_path / "serial" / file).read_bytes() == (tmp_path / "leased" / file).read_bytes()
    names = [sorted(p.name for p in (tmp_path / e / "checkpoints").iterdir()) for e in ("serial", "leased")]
    assert names[0] == names[1]
    assert sorted(p.name for p in (tmp_path / "leased").iterdir() if p.suffix != ".parquet") == [
        "checkpoints", "events.jsonl", "lineage.json", "timing.jsonl"
    ]  # fmt: skip


def test_workers_that_are_killed_and_paused_lose_only_the_interval_in_flight(tmp_path):
    """Six workers whose clocks are up to two hours apart; pauses are longer than the lease, so claims are taken over."""
    chance = random.Random(5)
    run, gate = tmp_path / "run", tmp_path / "gate"
    workers = [start(run, chance.choice([0, 3600, -3600]), 0.03, gate) for _ in range(6)]
    paused, strikes, everybody = {}, 0, list(workers)
    try:
        while any(worker.poll() is None for worker in workers):
            time.sleep(chance.uniform(0.05, 0.2))
            for worker, until in list(paused.items()):
                if time.monotonic() > until:
                    worker.send_signal(signal.SIGCONT)
                    del paused[worker]
            alive = [worker for worker in workers if worker.poll() is None and worker not in paused]
            if strikes < 12 and (run / LOG).is_dir() and alive and chance.random() < 0.5:
                strikes += 1
                if strikes > 2:  # one was killed and one paused before any interval has ended
                    gate.touch()
                victim = chance.choice(alive)
                victim.send_signal(signal.SIGKILL if strikes % 2 else signal.SIGSTOP)
                if strikes % 2:
                    workers.remove(victim)
                    workers.append(start(run, 0, 0.03, gate))
                    everybody.append(workers[-1])
                else:
                    paused[victim] = time.monotonic() + chance.uniform(1.5, 2.5)
    finally:
        for worker in everybody:
            worker.kill()
            worker.wait()
    assert strikes > 2
    assert [worker.returncode for worker in workers] == [0] * len(workers)
    check_record(run)


def test_workers_share_nothing_but_the_folder(tmp_path):
    """Each in a network of its own, in which there is nothing, not even this machine."""
    alone = ("unshare", "--net", "--map-root-user")
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("networks of their own cannot be made here: unshare --net is refused")
    workers = [start(tmp_path, before=alone) for _ in range(2)]
    assert [worker.wait(timeout=LONG) for worker in workers] == [0, 0]
    check_record(tmp_path)
    lines = (tmp_path / "timing.jsonl").read_text().splitlines()
    assert len({json.loads(line)["worker"] for line in lines}) == 2


def test_a_job_array_of_slurm_works_on_one_run(tmp_path):
    """One job is requeued in the middle, as when it is pre-empted; it goes on with the others."""
    if shutil.which("sbatch") is None or subprocess.run(["sinfo", "-h"], capture_output=True, check=False).returncode:
        pytest.skip("there is no Slurm cluster here")
    slow = f"{sys.executable} {PROGRAM} {tmp_path / 'run'} 0 0.3"
    batch = ["sbatch", "--parsable", "--array=1-3", "--requeue", f"--chdir={tmp_path}", f"--wrap={slow}"]
    job = subprocess.run(batch, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout.strip()
    try:
        while not (tmp_path / "run" / LOG).is_dir() or len(list((tmp_path / "run" / LOG).iterdir())) < 10:
            time.sleep(0.05)
        subprocess.run(["scontrol", "requeue", f"{job}_1"], check=True)
        while not (tmp_path / "run" / "events.jsonl").exists():
            time.sleep(0.1)
    finally:
        subprocess.run(["scancel", job], check=True)
    check_record(tmp_path / "run")


def test_a_worker_that_was_taken_over_drops_what_it_made(tmp_path):
    """The fencing number: its claim is no longer the member's, so it publishes nothing and goes on with other members."""
    begun, taken = threading.Event(), threading.Event()

    class Paused(Hill):
        def step(self, state, hyperparameters, steps, seed):
            if not begun.is_set():
                begun.set()
                taken.wait(LONG)
            return super().step(state, hyperparameters, steps, seed)

    task = Paused()
    thread = threading.Thread(target=lambda: Leased().run(task, METHOD, FREE, tmp_path))
    thread.start()
    begun.wait(LONG)
    log = SharedLog(tmp_path / LOG)
    claim = [(place, entry) for place, entry in log.read() if entry.claims is not None][-1][1].claims
    assert log.append(Entry("another", claims=claim))
    number = log.place - 1
    failed = {"event": "failed", "member": claim, "step": 10, "kind": "raised", "error": "by another", "traceback": ""}
    assert log.append(Entry("another", (failed,), ends=number))
    taken.set()
    thread.join(LONG)
    outcomes = [e for e in Run.open(tmp_path).events if e.get("member") == claim and e["step"] == 10]
    assert [e["event"] for e in outcomes if e["event"] in ("evaluated", "failed")] == ["failed"]


def test_an_interval_that_ends_every_worker_fails_its_member_in_the_end(tmp_path):
    """Claims that were lost again and again: the member counts as crashed, and is replaced."""
    engine = Leased(lease=0.2)
    with contextlib.suppress(KeyboardInterrupt):
        engine.run(Hill(), METHOD, FREE, tmp_path, observer=stop_after("evaluated"))
    log = SharedLog(tmp_path / LOG)
    entries = list(log.read())
    done = {e["member"] for _, entry in entries for e in entry.events if e["event"] == "evaluated"}
    victim = next(m for m in range(FREE.population) if m not in done)
    for number in range(7):
        assert log.append(Entry(f"lost-{number}", claims=victim))
    run = engine.run(Hill(), METHOD, FREE, tmp_path)
    failures = [e for e in run.events if e["event"] == "failed"]
    assert [(e["member"], e["kind"]) for e in failures] == [(victim, "crashed")]
    assert "workers were lost in this interval" in failures[0]["error"]


def test_a_worker_that_ends_in_order_gives_its_claim_back(tmp_path):
    """Nobody has to wait for the lease."""

    class Interrupted(Hill):
        def step(self, state, hyperparameters, steps, seed):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Leased(lease=1e6).run(Interrupted(), METHOD, FREE, tmp_path)
    entries = [entry for _, entry in SharedLog(tmp_path / LOG).read()]
    assert [(entry.claims is not None, entry.ends is not None) for entry in entries] == [
        (False, False), (True, False), (False, True)
    ]  # fmt: skip


def test_a_claim_is_given_back_even_where_its_publication_is_interrupted(tmp_path):
    """As by an observer that fails at the decision with which the claim was published."""
    with pytest.raises(KeyboardInterrupt):
        Leased(lease=1e6).run(Hill(), METHOD, FREE, tmp_path, observer=stop_after("cloned"))
    entries = [entry for _, entry in SharedLog(tmp_path / LOG).read()]
    assert any(e["event"] == "cloned" for e in entries[-2].events)
    assert entries[-2].claims is not None
    assert entries[-1].ends == len(entries) - 2


def test_a_run_under_way_can_be_read(tmp_path):
    """Before its log becomes a record, and alike."""
    with contextlib.suppress(KeyboardInterrupt):
        Leased().run(Hill(), METHOD, FREE, tmp_path, observer=stop_after("evaluated"))
    run = Run.open(tmp_path)
    assert not run.finished
    entries = [entry for _, entry in SharedLog(tmp_path / LOG).read()]
    assert list(run.events) == [event for entry in entries for event in entry.events]
    (evaluated,) = [event for event in run.events if event["event"] == "evaluated"]
    assert (run.best, run.score) == (evaluated["member"], evaluated["score"])
    assert digest_of(run) == evaluated["checkpoint"]
    assert run.table()["score"].tolist() == [evaluated["score"]]


@pytest.mark.parametrize("change", [b"x", b'{"worker":1}\n', b"[]\n", b""])
def test_an_altered_entry_is_named(change, tmp_path):
    """A flipped or torn entry ends in one line, not in another run."""
    with contextlib.suppress(KeyboardInterrupt):
        Leased().run(Hill(), METHOD, FREE, tmp_path, observer=stop_after("evaluated"))
    path = tmp_path / LOG / "0000000001.json"
    path.write_bytes(change)
    with pytest.raises(RecordError, match=r"0000000001\.json: "):
        Leased().run(Hill(), METHOD, FREE, tmp_path)


def test_every_flipped_byte_of_an_entry_is_found(tmp_path):
    """The checksum covers all of it."""
    with contextlib.suppress(KeyboardInterrupt):
        Leased().run(Hill(), METHOD, FREE, tmp_path, observer=stop_after("evaluated"))
    path = tmp_path / LOG / "0000000002.json"
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(RecordError):
            list(SharedLog(tmp_path / LOG).read())


def test_a_score_ends_the_run_for_all(tmp_path):
    """No more work is begun, and the reason is recorded."""
    plan = Plan(population=4, steps=200, interval=10, synchronous=False, stop=Until(score=-16.7))
    run = Leased().run(Hill(), METHOD, plan, tmp_path)
    assert run.reason == "score"
    assert run.score >= -16.7


def test_an_outcome_that_cannot_be_of_the_run_is_not_published(tmp_path, monkeypatch):
    """It is an error of the worker; the log stays whole, and the same command goes on."""

    class Mistaken(Bench):
        def carry_out(self, work):
            return super().carry_out(replace(work, hyperparameters={**work.hyperparameters, "lr": 1e-4}))

    monkeypatch.setattr(leased, "Bench", Mistaken)
    with pytest.raises(RecordError, match=r"an entry that is not published: member \d was evaluated with"):
        Leased().run(Hill(), METHOD, FREE, tmp_path)
    monkeypatch.undo()
    assert Leased().run(Hill(), METHOD, FREE, tmp_path).finished


def test_a_method_that_cannot_replace_a_failed_member_ends_its_workers(tmp_path):
    """One line that says so; the same command tries the interval again."""

    class GoesOn(PBT):
        def decide(self, member, population, rng):
            return Continue()

    task = Hill(fault=("raise", 0.0))
    with pytest.raises(RunError, match="GoesOn cannot replace it: ArithmeticError"):
        Leased().run(task, GoesOn(ready=10), FREE, tmp_path)


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (Plan(population=2, steps=10, interval=5), "synchronous = True needs a coordinator"),
        (
            Plan(population=2, steps=10, interval=5, synchronous=False, stop=Until(seconds=5)),
            "needs a coordinator's clock",
        ),
    ],
)
def test_a_plan_that_needs_a_coordinator_is_refused(plan, line, tmp_path):
    """Before anything is written."""
    with pytest.raises(ValueError, match=line):
        Leased().run(Hill(), METHOD, plan, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("settings", [{"lease": 0}, {"lease": True}, {"timeout": -1}, {"threads": 0}, {"lease": "1"}])
def test_wrong_settings_of_a_worker_are_named(settings):
    """Key, value and rule."""
    with pytest.raises(ValueError, match=f"Leased: {next(iter(settings))} = "):
        Leased(**settings)


def test_another_run_in_the_folder_is_refused(tmp_path):
    """By what differs, whether it is under way or finished."""
    with contextlib.suppress(KeyboardInterrupt):
        Leased().run(Hill(), METHOD, FREE, tmp_path, observer=stop_after("evaluated"))
    with pytest.raises(RecordError, match=r"holds another run: task\.size was 3 and is 4"):
        Leased().run(Hill(size=4), METHOD, FREE, tmp_path)
    Leased().run(Hill(), METHOD, FREE, tmp_path)
    with pytest.raises(RecordError, match=r"holds another run: task\.size was 3 and is 4"):
        Leased().run(Hill(size=4), METHOD, FREE, tmp_path)


def test_engines_with_and_without_a_coordinator_do_not_mix(tmp_path):
    """A run that one kind began is not begun anew by the other."""
    for first, second, line in (
        (Leased(), Serial(), "join them with the engine Leased"),
        (Leased(), Processes(workers=1), "join them with the engine Leased"),
        (Serial(), Leased(), "begun with a coordinator"),
    ):
        folder = tmp_path / f"{type(first).__name__}-{type(second).__name__}"
        with contextlib.suppress(KeyboardInterrupt):
            first.run(Hill(), METHOD, FREE, folder, observer=stop_after("evaluated"))
        with pytest.raises(RunError, match=line):
            second.run(Hill(), METHOD, FREE, folder)
    run = Leased().run(Hill(), METHOD, FREE, tmp_path / "finished")
    assert Serial().run(Hill(), METHOD, FREE, tmp_path / "finished").events == run.events
