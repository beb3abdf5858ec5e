import dataclasses

import pytest
from faulty import Faulty
from hanging import only_what_hangs_takes_long
from waiting import LONG

from baselines import RandomSearch
from pbt_core import PBT, Leased, Perturb, Plan, Processes, RunError, Serial, WelchTTest
from pbt_core.ledger import Ledger

# Copies do not explore upwards, so that a replaced member stays below the limit.
METHOD = PBT(ready=10, explore=Perturb((0.8,)))
PLAN = Plan(population=6, steps=60, interval=10, seed=1)


def evaluations(events):
    return sorted((e["step"], e["member"], e["score"], e["checkpoint"]) for e in events if e["event"] == "evaluated")


def bad_members(events, limit=0.1):
    return [e["member"] for e in events if e["event"] == "joined" and e["hyperparameters"]["lr"] > limit]


@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize(
    ("what", "engine", "kind"),
    [
        ("raise", Serial(), "raised"),
        ("raise", Processes(workers=2), "raised"),
        ("hang", Processes(workers=1, timeout=LONG), "hung"),
        ("die", Processes(workers=2), "crashed"),
    ],
)
def test_a_member_that_fails_is_a_named_event_and_is_replaced(what, engine, kind, synchronous, tmp_path, monkeypatch):
    """The population keeps its size: each failed member takes a healthy one's weights and trains to the end."""
    plan = dataclasses.replace(PLAN, synchronous=synchronous)
    only_what_hangs_takes_long(tmp_path, monkeypatch)
    run = engine.run(Faulty(what=what, folder=str(tmp_path)), METHOD, plan, tmp_path / "run")
    failed = [e for e in run.events if e["event"] == "failed"]
    bad = bad_members(run.events)
    assert bad
    assert {e["member"] for e in failed} == set(bad)
    assert {e["kind"] for e in failed} == {kind}
    for member in bad:
        of_member = [e["event"] for e in run.events if e.get("member") == member and e["event"] != "joined"]
        assert of_member[:2] == ["failed", "cloned"]
    assert all(slot.member.step == 60 and slot.member.healthy for slot in Ledger(run.events).slots.values())


def test_a_raised_error_is_recorded_with_the_traceback_of_the_task(tmp_path):
    """The same in a worker as in the serial engine, so that records stay equal."""
    runs = {name: e.run(Faulty(), METHOD, PLAN, tmp_path / name) for name, e in ENGINES.items()}
    failed = next(e for e in runs["serial"].events if e["event"] == "failed")
    assert failed["error"].startswith("ArithmeticError: lr is 0.")
    assert "faulty.py" in failed["traceback"]
    assert runs["serial"].events == runs["processes"].events


ENGINES = {"serial": Serial(), "processes": Processes(workers=2)}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
def test_a_method_that_cannot_replace_a_failed_member_ends_the_run_and_a_new_start_tries_again(engine, tmp_path):
    """Random search has nobody to copy from. Once the bug is mended the same command finishes the run."""
    task = Faulty(flag=str(tmp_path / "mended"))
    for _ in range(2):
        with pytest.raises(RunError, match=r"member \d failed .* RandomSearch cannot replace it: ArithmeticError"):
            engine.run(task, RandomSearch(), PLAN, tmp_path / "run")
    (tmp_path / "mended").touch()
    run = engine.run(task, RandomSearch(), PLAN, tmp_path / "run")
    assert run.events[-1]["event"] == "finished"
    assert all(slot.member.step == 60 for slot in Ledger(run.events).slots.values())
    unbroken = engine.run(task, RandomSearch(), PLAN, tmp_path / "unbroken")
    assert evaluations(run.events) == evaluations(unbroken.events)


@pytest.mark.parametrize("exploit", [METHOD.exploit, WelchTTest()], ids=["truncation", "t-test"])
def test_a_diverged_member_is_named_never_a_parent_and_replaced(exploit, tmp_path):
    """NaN ranks last wherever it comes from."""
    method = dataclasses.replace(METHOD, exploit=exploit)
    run = Serial().run(Faulty(what="diverge"), method, PLAN, tmp_path)
    diverged = [e for e in run.events if e["event"] == "diverged"]
    assert {e["member"] for e in diverged} == set(bad_members(run.events))
    unhealthy = {(e["member"], e["step"]) for e in diverged}
    assert not any(
        (e["source"]["member"], e["source"]["step"]) in unhealthy for e in run.events if e["event"] == "cloned"
    )
    assert Ledger(run.events).slots[run.best].member.healthy


def test_when_everybody_fails_the_run_ends_with_a_clear_error(tmp_path):
    """There is nobody to copy from, whatever the method."""
    with pytest.raises(RunError, match="PBT cannot replace it"):
        Processes(workers=2).run(Faulty(limit=0.0), METHOD, PLAN, tmp_path)


def test_a_store_that_cannot_be_written_ends_the_run_and_is_not_blamed_on_the_member(tmp_path):
    """A full disk, say: the members are healthy, so none of them has failed."""
    for engine, plan in ((Processes(workers=1), PLAN), (Leased(), dataclasses.replace(PLAN, synchronous=False))):
        folder = tmp_path / type(engine).__name__
        task = Faulty(limit=0.0, what="lose the folder", folder=str(folder))
        with pytest.raises(RunError, match=r"could not go on with member \d: FileNotFoundError"):
            engine.run(task, METHOD, plan, folder)


def test_workers_killed_from_outside_do_not_count_against_their_member(tmp_path):
    """Five in the same interval, say by a shortage of memory: the record is that of a run in which nobody was killed."""
    task = Faulty(limit=0.3, what="killed five times", folder=str(tmp_path))
    killed = Processes(workers=1).run(task, METHOD, PLAN, tmp_path / "killed").events
    assert len(list(tmp_path.glob("killed-*"))) == 5
    assert killed[1:] == Serial().run(Faulty(limit=2.0), METHOD, PLAN, tmp_path / "unbroken").events[1:]
