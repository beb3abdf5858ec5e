import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from slow import Slow
from waiting import LONG

from pbt_core import PBT, Plan, Serial
from pbt_core.events import read
from pbt_core.testing import check_decisions

PROGRAM = Path(__file__).parent / "killed.py"
#: Of the program's own modules, and of this checkout, whatever is installed.
PATHS = os.pathsep.join([str(PROGRAM.parent), str(PROGRAM.parents[2])])
PLAN = Plan(population=5, steps=100, interval=10, seed=9)


def start(directory, engine, mode):
    environment = {**os.environ, "PYTHONPATH": PATHS}
    return subprocess.Popen([sys.executable, PROGRAM, directory, engine, mode], env=environment)


def wait_for(path, size):
    """Until the record has grown beyond ``size`` bytes."""
    deadline = time.monotonic() + LONG
    while not path.exists() or path.stat().st_size <= size:
        assert time.monotonic() < deadline, "the run does not come forward"
        time.sleep(0.005)


def kill_again_and_again(directory, engine, mode, chance, victim):
    """Kill at random moments until the run ends by itself; returns how often."""
    record, kills = directory / "events.jsonl", 0
    while True:
        size = record.stat().st_size if record.exists() else 0
        process = start(directory, engine, mode)
        try:
            if kills < 4:
                wait_for(record, size + 300)
                time.sleep(chance.uniform(0, 0.3))
                kills += victim(process)
            assert process.wait(timeout=LONG) in (0, -signal.SIGKILL)
        finally:
            process.kill()
            process.wait()
        if process.returncode == 0:
            return kills


def kill_driver(process):
    process.send_signal(signal.SIGKILL)
    return 1


def kill_workers(process):
    """All workers, one after another, while the driver goes on."""
    return kill_descendants(process, lambda child: child.ppid() != process.pid)


def kill_everything_below(process):
    """Workers, the fork server that made them and multiprocessing's resource tracker."""
    return kill_descendants(process, lambda child: True)


def kill_descendants(process, chosen):
    deadline = time.monotonic() + LONG
    while process.poll() is None and time.monotonic() < deadline:
        family = [child for child in psutil.Process(process.pid).children(recursive=True) if chosen(child)]
        if sum(child.ppid() != process.pid for child in family) >= 2:  # both workers have been started
            for child in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
                time.sleep(0.02)
            return len(family)
        time.sleep(0.01)
    raise AssertionError("found no worker to kill")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return Serial().run(Slow(pause=0.0), PBT(ready=10), PLAN, tmp_path_factory.mktemp("unbroken")).events


@pytest.mark.parametrize(
    ("engine", "victim"),
    [
        ("serial", kill_driver),
        ("processes", kill_driver),
        ("processes", kill_workers),
        ("processes", kill_everything_below),
    ],
)
def test_a_run_that_was_killed_at_random_moments_ends_with_the_record_of_an_unbroken_one(
    engine, victim, unbroken, tmp_path
):
    """Synchronous: kill -9 of the driver or of workers, started again, byte for byte the same events."""
    assert kill_again_and_again(tmp_path, engine, "sync", random.Random(1), victim) >= 2
    assert read(tmp_path / "events.jsonl") == unbroken


def test_an_asynchronous_run_that_was_killed_loses_at_most_the_interval_in_flight(tmp_path):
    """Whatever was recorded stays; each member ends with each of its intervals once, and decisions can be replayed."""
    chance, record = random.Random(2), tmp_path / "events.jsonl"
    process = start(tmp_path, "processes", "async")
    wait_for(record, 3000)
    time.sleep(chance.uniform(0, 0.1))
    process.kill()
    process.wait()
    before = record.read_bytes()
    before = before[: before.rfind(b"\n") + 1]
    assert start(tmp_path, "processes", "async").wait(timeout=LONG) == 0
    assert record.read_bytes().startswith(before)
    events = read(record)
    for member in range(5):
        steps = [e["step"] for e in events if e["event"] == "evaluated" and e["member"] == member]
        assert steps == list(range(10, 101, 10))
    free = Plan(population=5, steps=100, interval=10, seed=9, synchronous=False)
    check_decisions(events, PBT(ready=10), Slow(), free)


def outcome(folder):
    """The program in the same folder, until it ends."""
    command = [sys.executable, PROGRAM, folder, "serial", "sync"]
    environment = {**os.environ, "PYTHONPATH": PATHS}
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, env=environment)


def test_no_worker_outlives_a_killed_driver(tmp_path):
    """An orphan would go on writing into the run's folder."""
    process = start(tmp_path, "processes", "sync")
    wait_for(tmp_path / "events.jsonl", 2000)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=LONG)
    assert not alive


def test_a_second_driver_in_the_same_folder_is_refused(tmp_path):
    """Two drivers would write one record."""
    process = start(tmp_path, "serial", "sync")
    wait_for(tmp_path / "events.jsonl", 500)
    second = outcome(tmp_path)
    assert "another process is running" in second.stderr
    assert process.wait(timeout=LONG) == 0


def test_an_altered_checkpoint_stops_a_resumed_run_with_its_name(tmp_path):
    """Nothing is trained on from bytes that nobody recorded."""
    process = start(tmp_path, "serial", "sync")
    wait_for(tmp_path / "events.jsonl", 4000)
    process.kill()
    process.wait()
    for path in (tmp_path / "checkpoints").glob("*.safetensors"):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    again = outcome(tmp_path)
    assert again.returncode != 0
    assert "CheckpointError: checkpoint" in again.stderr
    assert "torn or altered" in again.stderr
