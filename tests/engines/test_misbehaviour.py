import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from naughty import RETURNS, STEPS, Drawing, Forking, Leaving, Naughty, Simulated
from waiting import LONG

from pbt_core import PBT, Leased, Perturb, Plan, Processes, RunError, Serial
from pbt_core.engines.devices import share_out
from pbt_core.testing import GlobalDrawWarning, Hill, check_task

METHOD = PBT(ready=10, explore=Perturb((0.8,)))
PLAN = Plan(population=6, steps=40, interval=10, seed=1)
#: The first interval of a run, which would end with a broken contract, is a good member's.
FIRST_IS_GOOD = PBT(ready=10, explore=Perturb((0.8,)), initial=({"lr": 0.01},))
HERE = Path(__file__).parent


@pytest.mark.parametrize("what", [*STEPS, *RETURNS])
def test_whatever_a_tasks_function_does_is_a_failed_member_alike_in_all_engines(what, tmp_path):
    """The message says which function did or returned what; the run goes on and its record is the same."""
    events = [
        engine.run(Naughty(what=what), FIRST_IS_GOOD, PLAN, tmp_path / str(i)).events
        for i, engine in enumerate((Serial(), Processes(workers=2)))
    ]
    assert events[0] == events[1]
    failed = [event for event in events[0] if event["event"] == "failed"]
    assert failed
    assert events[0][-1]["event"] == "finished"
    for event in failed:
        event["error"].encode()
        event["traceback"].encode()
    if what in RETURNS:
        assert failed[0]["error"].startswith(("TaskError", f"Naughty.{RETURNS[what][0]}", "TypeError: Naughty.save"))


def test_the_messages_name_function_value_and_rule(tmp_path):
    """What was returned, and what was wanted."""
    expected = {
        "evaluate float": "Naughty.evaluate must return a Score, not float",
        "evaluate huge": f"Naughty.evaluate returned a Score with value = 1{'0' * 56}..., which is beyond every float",
        "evaluate none": "Naughty.evaluate returned a Score with value = None, which is not a number",
        "evaluate metrics": "Naughty.evaluate returned a Score with metrics['a'] = 'b', which is not a number",
        "step nothing": "Naughty.step returned None; it must return the state",
        "save set": "TypeError: Naughty.save returned a Checkpoint whose json.seen holds a set, which cannot be kept",
        "exit": "Naughty.step must not end the process: SystemExit: 3",
    }
    for what, error in expected.items():
        events = Serial().run(Naughty(what=what), FIRST_IS_GOOD, PLAN, tmp_path / what).events
        assert next(event for event in events if event["event"] == "failed")["error"].startswith(error)


@pytest.mark.parametrize("what", ["harmless", "closes descriptors"])
def test_a_task_cannot_change_the_record(what, tmp_path):
    """It changes directory, prints, empties the hyperparameters it was given, closes what it did not open."""
    (tmp_path / "here").mkdir()
    os.chdir(tmp_path / "here")
    task = Naughty(what=what, limit=2.0)
    if what == "closes descriptors":  # in a process of its own: this one has descriptors to lose
        script = tmp_path / "script.py"
        script.write_text(
            textwrap.dedent(
                f"""
                from pathlib import Path
                from naughty import Naughty
                from pbt_core import PBT, Perturb, Plan, Serial
                task = Naughty(what={what!r}, limit=2.0)
                plan = Plan(population=6, steps=40, interval=10, seed=1)
                Serial().run(task, PBT(ready=10, explore=Perturb((0.8,))), plan, Path("serial"))
                """
            )
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent.parent)])}
        done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    else:
        Serial().run(task, METHOD, PLAN, Path("serial"))
    assert Path.cwd() == tmp_path / "here"
    Processes(workers=2).run(task, METHOD, PLAN, Path("processes"))
    Serial().run(Naughty(what="good", limit=2.0), METHOD, PLAN, Path("good"))
    records = [Path(name, "events.jsonl").read_bytes().split(b"\n")[1:] for name in ("serial", "processes", "good")]
    bodies = [[line.rpartition(b',"chain"')[0] for line in lines] for lines in records]
    assert bodies[0] == bodies[1] == bodies[2]


def test_global_generators_are_the_members_own(tmp_path):
    """Members differ, a run repeats, for any number of workers; the caller's generators are left as they were."""
    import random

    before = random.getstate()
    runs = [
        engine.run(Drawing(), METHOD, PLAN, tmp_path / str(i)).events
        for i, engine in enumerate((Serial(), Processes(workers=1), Processes(workers=4)))
    ]
    assert runs[0] == runs[1] == runs[2]
    assert random.getstate() == before
    for name in ("random", "numpy", "torch"):
        draws = [event["metrics"][name] for event in runs[0] if event["event"] == "evaluated"]
        assert len(set(draws)) == len(draws) == 24


@pytest.mark.parametrize(
    "engine",
    [Serial(), Processes(workers=1), Leased(), Leased(timeout=LONG)],
    ids=["serial", "processes", "leased", "limited"],
)
def test_a_child_that_comes_back_from_a_failed_exec_ends_there(engine, tmp_path, capfd):
    """It would go on as a second worker, or driver: the record is that of a task that forks nothing."""
    plan = replace(PLAN, synchronous=not isinstance(engine, Leased))
    me, flag = os.getpid(), tmp_path / "forked"
    run = engine.run(Forking(flag=str(flag)), METHOD, plan, tmp_path / "run")
    if os.getpid() != me:  # else whatever else it ran would be run twice
        os._exit(0)
    assert os.waitstatus_to_exitcode(int(flag.read_text())) == 1
    assert run.finished
    assert not [event for event in run.events if event["event"] == "failed"]
    if engine in (Serial(), Leased()):  # workers write where the process wrote that they are forks of
        assert "Forking.step: process " in (told := capfd.readouterr().err)
        assert "came back from the call with FileNotFoundError: " in told


def programs(mark):
    return [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or []) and p.status() != "zombie"]


def gone(mark):
    """Whether the programs end within a while (generous: the machine may be busy)."""
    deadline = time.monotonic() + LONG
    while programs(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not programs(mark)


def test_at_an_orderly_end_states_are_closed_and_nothing_is_left_running(tmp_path):
    """Every state that was made is closed, those that copies replaced too."""
    mark = f"end-{tmp_path}"
    Processes(workers=2).run(Simulated(mark=mark, folder=str(tmp_path)), METHOD, PLAN, tmp_path / "run")
    assert gone(mark)
    made, closed = ({path.name.partition("-")[2] for path in tmp_path.glob(f"{what}-*")} for what in ("made", "closed"))
    assert made == closed
    assert len(made) >= 6


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, "timeout"])
def test_what_a_worker_started_dies_with_it(how, tmp_path):
    """Killed drivers, ^C, a hung interval: programs in sessions of their own too."""
    mark = f"{how}-{tmp_path}"
    if how == "timeout":
        with pytest.raises(RunError):
            Processes(workers=2, timeout=5).run(Simulated(mark=mark, pause=600.0), METHOD, PLAN, tmp_path / "run")
        assert gone(mark)
        return
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            from naughty import Simulated
            from pbt_core import PBT, Plan, Processes
            if __name__ == "__main__":
                task, plan = Simulated(mark={mark!r}, pause=0.2), Plan(population=6, steps=4000, interval=10, seed=1)
                Processes(workers=2).run(task, PBT(ready=10), plan, Path({str(tmp_path / "run")!r}))
            """
        )
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent.parent)])}
    # Whoever runs the tests in the background ignores ^C, and so would what they start.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen([sys.executable, script], env=environment, stderr=subprocess.DEVNULL, **heard)
    while len(programs(mark)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(how)
    process.wait()
    assert gone(mark)


@pytest.mark.parametrize(
    "engine", [Processes(workers=2, timeout=LONG), Leased(timeout=LONG)], ids=["processes", "limited"]
)
def test_the_death_of_a_worker_is_seen_though_a_fork_of_it_lives_on_and_ends_with_it(engine, tmp_path):
    """The fork holds the pipe, which does not close, and its environment is that of the process all workers are forks of."""
    plan, flag = replace(PLAN, synchronous=False), tmp_path / "fork"
    run = engine.run(Leaving(flag=str(flag)), METHOD, plan, tmp_path / "run")
    assert not [event for event in run.events if event["event"] == "failed"]
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(int(flag.read_text())).status() != "zombie":
            time.sleep(0.05)


def test_devices_are_shared_out_and_a_worker_knows_which_it_is(tmp_path):
    """One each, an even share of more, or one for several."""
    assert [share_out(("0", "1", "2", "3"), w, 4) for w in range(4)] == [("0",), ("1",), ("2",), ("3",)]
    assert [share_out(("0", "1", "2"), w, 2) for w in range(2)] == [("0", "2"), ("1",)]
    assert [share_out(("cuda:0",), w, 3) for w in range(3)] == [("cuda:0",)] * 3
    from placed import Placed

    run = Processes(workers=3, devices=("cuda:4", "cuda:7", "cuda:9")).run(
        Placed(), METHOD, Plan(population=3, steps=10, interval=10), tmp_path
    )
    seen = {(event["metrics"]["worker"], event["metrics"]["visible"]) for event in run.events if "metrics" in event}
    assert seen <= {(0.0, 4.0), (1.0, 7.0), (2.0, 9.0)}
    assert seen


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": 0}, {"workers": True}, {"workers": 10**9}, {"workers": 2.0}, {"timeout": 0}, {"timeout": float("inf")},
        {"timeout": float("nan")}, {"timeout": 3e6}, {"timeout": "5"}, {"threads": 0}, {"threads": True},
        {"devices": "cuda:0"}, {"devices": (0,)}, {"devices": ("a,b",)}, {"devices": ("",)},
    ],
    ids=repr,
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(settings):
    """By the name of the key, before anything starts."""
    with pytest.raises(ValueError, match=rf"^Processes: {next(iter(settings))} = "):
        Processes(**settings)


def test_a_task_typed_into_a_session_is_one_line_before_anything_starts(tmp_path):
    """No worker could import its class: define it in a module, or use the serial engine."""
    code = textwrap.dedent(
        f"""
        from dataclasses import dataclass
        from pathlib import Path
        from pbt_core import PBT, Plan, Processes, Serial
        from pbt_core.testing import GlobalDrawWarning, Hill, check_task
        @dataclass(frozen=True)
        class Typed(Hill):
            pass
        plan = Plan(population=2, steps=10, interval=10)
        print("serial", Serial().run(Typed(), PBT(ready=10), plan, Path({str(tmp_path / "serial")!r})).best)
        Processes(workers=1).run(Typed(), PBT(ready=10), plan, Path({str(tmp_path / "run")!r}))
        """
    )
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, cwd=HERE.parent.parent)
    assert done.stdout.startswith("serial")
    assert done.stderr.splitlines()[-1].startswith(
        "ValueError: Processes: workers cannot import Typed, which was typed"
    )
    assert done.stderr.count("\n") < 15
    assert not (tmp_path / "run").exists()


def test_a_data_loader_with_workers_works_within_a_worker(tmp_path):
    """Workers may have children."""
    from loading import Loading

    events = [
        engine.run(Loading(), METHOD, Plan(population=2, steps=20, interval=10), tmp_path / str(i)).events
        for i, engine in enumerate((Serial(), Processes(workers=2)))
    ]
    assert events[0] == events[1]
    assert not [event for event in events[0] if event["event"] == "failed"]


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_worker_that_cannot_make_the_task_ends_the_run_with_one_line(error, tmp_path):
    """Say, a class whose pickled form asks for something that is not there, or a module that ends the program."""
    from unmade import Unmade

    with pytest.raises(RunError, match=f"workers cannot make the task: {error.__name__}: not here"):
        Processes(workers=1).run(Unmade(error=error), METHOD, PLAN, tmp_path)


def test_a_space_that_is_none_is_refused_by_name(tmp_path):
    """Before any work."""

    class Nowhere(Hill):
        space = {"lr": 1}  # noqa: RUF012

    with pytest.raises(ValueError, match=r"Nowhere.space must be a Space, not dict"):
        Serial().run(Nowhere.__new__(Nowhere), METHOD, PLAN, tmp_path)


def test_the_conformance_kit_warns_of_draws_from_global_generators():
    """They repeat, but nothing in the code says where they come from."""
    with pytest.warns(GlobalDrawWarning, match=r"step draws from the global generator of random and numpy and torch"):
        check_task(Drawing())
