"""The end of a run of leased workers: whoever comes late, was forgotten or slept meanwhile changes nothing of what is there."""

import contextlib
import shutil
import threading
from dataclasses import replace

import pytest
from leased_worker import FREE, METHOD, stop_after
from waiting import LONG

from pbt_core import Leased, Serial
from pbt_core.engines import leased
from pbt_core.leases import closing
from pbt_core.leases.log import LOG, SharedLog
from pbt_core.leases.participant import Participant
from pbt_core.schema import RecordError
from pbt_core.testing import Hill


@pytest.mark.parametrize("size", [3, 4])
def test_a_worker_that_comes_while_others_end_the_run_leaves_it_as_it_was(size, tmp_path, monkeypatch):
    """It finds the run, if it is the one that was asked for, and no folder of its own makes it look unfinished."""
    joined, plan = leased._joined, replace(FREE, steps=20)

    def late(*arguments):
        monkeypatch.setattr(leased, "_joined", joined)
        Leased().run(Hill(), METHOD, plan, tmp_path)
        return joined(*arguments)

    monkeypatch.setattr(leased, "_joined", late)
    if size == 3:
        assert Leased().run(Hill(), METHOD, plan, tmp_path).finished
    else:
        with pytest.raises(RecordError, match=r"holds another run: task\.size was 3 and is 4"):
            Leased().run(Hill(size=size), METHOD, plan, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "events.jsonl", "timing.jsonl"]
    assert Serial().run(Hill(), METHOD, FREE, tmp_path, extend=True).finished


def test_an_empty_log_is_no_run_under_way(tmp_path):
    """As of a worker that was killed before its first entry: a finished run is read, and extended."""
    plan = replace(FREE, steps=20)
    Leased().run(Hill(), METHOD, plan, tmp_path)
    (tmp_path / LOG).mkdir()
    assert Leased().run(Hill(), METHOD, plan, tmp_path).finished
    with pytest.raises(RecordError, match=r"task\.size was 3 and is 4"):
        Leased().run(Hill(size=4), METHOD, plan, tmp_path)
    assert Serial().run(Hill(), METHOD, FREE, tmp_path, extend=True).finished


def test_a_worker_of_a_run_that_was_removed_ends_and_leaves_its_successor_alone(tmp_path):
    """Its folder was deleted and the run begun anew at the same path, by people who did not know of it."""
    begun, anew = threading.Event(), threading.Event()
    errors = []

    class Paused(Hill):
        def step(self, state, hyperparameters, steps, seed):
            if not begun.is_set():
                begun.set()
                anew.wait(LONG)
            return super().step(state, hyperparameters, steps, seed)

    def forgotten():
        try:
            Leased().run(Paused(), METHOD, replace(FREE, seed=8), tmp_path / "run")
        except RecordError as error:
            errors.append(str(error))

    thread = threading.Thread(target=forgotten)
    thread.start()
    begun.wait(LONG)
    shutil.rmtree(tmp_path / "run")
    with contextlib.suppress(KeyboardInterrupt):
        Leased().run(Hill(), METHOD, FREE, tmp_path / "run", observer=stop_after("evaluated"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run" / LOG).iterdir()}
    anew.set()
    thread.join(LONG)
    assert len(errors) == 1
    assert "log is gone: it was removed, or begun anew" in errors[0]
    assert {path.name: path.read_bytes() for path in (tmp_path / "run" / LOG).iterdir()} == before
    assert Leased().run(Hill(), METHOD, FREE, tmp_path / "run").finished


def test_a_last_entry_that_comes_too_late_lands_nowhere(tmp_path, monkeypatch):
    """Others have ended the run meanwhile, and one that came later has made its folder anew."""
    plan, publish = replace(FREE, steps=20), Participant.publish

    def late(self, entry):
        if any(event["event"] == "finished" for event in entry.events):
            monkeypatch.setattr(Participant, "publish", publish)
            Leased().run(Hill(), METHOD, plan, tmp_path)
            (tmp_path / LOG).mkdir()
        return publish(self, entry)

    monkeypatch.setattr(Participant, "publish", late)
    assert Leased().run(Hill(), METHOD, plan, tmp_path).finished
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "events.jsonl", "timing.jsonl"]


@pytest.mark.parametrize("where", ["read", "_timing", "_lines"])
def test_a_worker_that_sleeps_while_it_ends_the_run_undoes_nothing_that_was_done_since(where, tmp_path, monkeypatch):
    """Another has ended it, and somebody has extended it: the record, the times and the checkpoints stay as they are."""
    plan = replace(FREE, steps=20)
    owner = SharedLog if where == "read" else closing
    function, asleep = getattr(owner, where), []

    def held():
        return {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def suspended(*arguments):
        if where != "read" or closes(arguments[0]):
            monkeypatch.setattr(owner, where, function)
            Leased().run(Hill(), METHOD, plan, tmp_path)
            asleep.append(Serial().run(Hill(), METHOD, FREE, tmp_path, extend=True).events)
            asleep.append(held())
        return function(*arguments)

    def closes(log):
        return log.place == 0 and (log.folder / "0000000010.json").exists()

    monkeypatch.setattr(owner, where, suspended)
    run = Leased().run(Hill(), METHOD, plan, tmp_path)
    assert run.events == asleep[0]
    assert held() == asleep[1]
    assert run.state(Hill()) is not None


@pytest.mark.parametrize("left", ["log", "log.0123456789abcdef0123456789abcdef", "workers"])
def test_what_a_worker_that_was_killed_at_the_end_has_left_is_removed_by_the_next(left, tmp_path):
    """The same command, or another worker."""
    plan = replace(FREE, steps=20)
    run = Leased().run(Hill(), METHOD, plan, tmp_path)
    (tmp_path / left).mkdir()
    if left != "log":
        (tmp_path / left / "0000000003.json").touch()
    assert Leased().run(Hill(), METHOD, plan, tmp_path).events == run.events
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "events.jsonl", "timing.jsonl"]
