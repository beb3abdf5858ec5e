import errno
import os
import shutil
import threading

import pytest

from pbt_core import PBT, Leased, Plan, RecordError, Run, RunError
from pbt_core.leases.folder import Folder, Gone
from pbt_core.leases.heartbeat import Heartbeat
from pbt_core.leases.log import LOG, Entry, SharedLog
from pbt_core.testing import Hill


def test_what_is_published_is_never_replaced(tmp_path):
    """The second to publish at a place is told so, and the first content stays."""
    folder = Folder(tmp_path)
    assert folder.publish("0", b"first")
    assert not folder.publish("0", b"second")
    assert (tmp_path / "0").read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["0"]


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_log_that_was_removed_cannot_be_written_to_in_the_one_that_stands_there_now(how, tmp_path):
    """As by a worker on another machine that nobody has told of it."""
    (tmp_path / LOG).mkdir()
    forgotten = SharedLog(tmp_path / LOG)
    assert forgotten.append(Entry("old", lease=1.0))
    (tmp_path / LOG).rename(tmp_path / "moved")
    if how == "removed":
        shutil.rmtree(tmp_path / "moved")
    (tmp_path / LOG).mkdir()
    assert SharedLog(tmp_path / LOG).append(Entry("new", lease=2.0))
    with pytest.raises(Gone, match="log is gone: it was removed, or begun anew"):
        forgotten.append(Entry("old"))
    with pytest.raises(Gone):
        list(forgotten.read())
    assert [entry.worker for _, entry in SharedLog(tmp_path / LOG).read()] == ["new"]
    assert len(list((tmp_path / LOG).iterdir())) == 1


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.EPERM, RunError, r"makes no hard links \(Operation not permitted\)$"),
        (errno.ENOSPC, RunError, "0000000000.json cannot be written: No space left on device$"),
        (errno.EROFS, RunError, "0000000000.json cannot be written: Read-only file system$"),
        (errno.ESTALE, Gone, "log is gone"),
    ],
)
@pytest.mark.parametrize("call", ["open", "link"])
def test_an_entry_that_cannot_be_written_is_told_by_its_reason(call, number, kind, words, tmp_path, monkeypatch):
    """Only some of them mean that the file system makes no links."""

    def refuse(path, *_, **given):
        if call == "open" and not str(path).endswith(".tmp"):
            return opened(path, *_, **given)
        raise OSError(number, os.strerror(number))

    (tmp_path / LOG).mkdir()
    log, opened = SharedLog(tmp_path / LOG), os.open
    monkeypatch.setattr(os, call, refuse)
    if (call, number) == ("open", errno.EPERM):
        words = "cannot be written: Operation not permitted$"
    with pytest.raises(kind, match=words):
        log.append(Entry("one"))
    monkeypatch.undo()
    assert list(log.folder.iterdir()) == []


def test_an_entry_of_a_folder_that_another_machine_has_removed_is_gone(tmp_path, monkeypatch):
    """NFS calls its handle stale."""
    log = SharedLog(tmp_path)
    assert log.append(Entry("one"))

    def stale(*_, **given):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    again = log.again()
    monkeypatch.setattr(os, "open", stale)
    monkeypatch.setattr(type(tmp_path), "stat", stale)
    with pytest.raises(Gone, match="is gone"):
        list(again.read())


def test_a_task_that_closes_descriptors_costs_a_log_nothing(tmp_path):
    """The folder is opened again; it is the same."""
    log = SharedLog(tmp_path)
    os.close(log._files._number)
    assert log.append(Entry("one"))
    os.close(log._files._number)
    assert list(log.read()) == []


def test_many_writers_make_one_order(tmp_path):
    """Every entry of every writer is there once, and all read the same."""
    tmp_path.joinpath(LOG).mkdir()

    def write(name):
        log = SharedLog(tmp_path / LOG)
        for number in range(20):
            while not log.append(Entry(name, timing={"number": float(number)})):
                list(log.read())

    threads = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = [(entry.worker, entry.timing["number"]) for _, entry in SharedLog(tmp_path / LOG).read()]
    assert sorted(entries) == [(f"w{i}", float(n)) for i in range(4) for n in range(20)]
    for i in range(4):
        assert [n for worker, n in entries if worker == f"w{i}"] == [float(n) for n in range(20)]


def test_silence_is_counted_by_the_watcher_alone(tmp_path):
    """A lease lapses when the file has not grown for so long while the watcher was awake; a pause of its own does not count."""
    now = [0.0]
    other = Heartbeat(tmp_path, "other", 6.0)
    watcher = Heartbeat(tmp_path, "watcher", 6.0, clock=lambda: now[0])
    other.beat()
    assert not watcher.lapsed("other")
    watcher.look()
    now[0] += 1000.0  # the watcher was paused
    watcher.look()
    assert not watcher.lapsed("other")
    for _ in range(7):
        now[0] += 1.0
        watcher.look()
    assert watcher.lapsed("other")
    other.beat()
    watcher.look()
    assert not watcher.lapsed("other")


def test_a_log_that_lacks_an_entry_in_its_middle_is_no_shorter_run(tmp_path):
    """Whoever reads it is told, and so is a worker that would go on."""
    plan, seen = Plan(population=3, steps=40, interval=10, synchronous=False), []

    def observe(event):
        seen.append(event)
        if len(seen) == 12:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        Leased().run(Hill(), PBT(ready=10), plan, tmp_path, observe)
    assert len(Run.open(tmp_path).events) >= 12
    entry = sorted((tmp_path / LOG).iterdir())[3]
    entry.unlink()
    for read in (lambda: Run.open(tmp_path), lambda: Leased().run(Hill(), PBT(ready=10), plan, tmp_path)):
        with pytest.raises(RecordError, match=f"{entry.name} is missing, and .* is there"):
            read()


@pytest.mark.parametrize("name", ["events.jsonl", "timing.jsonl"])
def test_what_cannot_be_written_at_the_end_is_told_at_the_beginning(name, tmp_path):
    """Before anything is trained."""
    (tmp_path / name).mkdir()
    with pytest.raises(RecordError):
        Leased().run(Hill(), PBT(ready=10), Plan(population=2, steps=20, interval=10, synchronous=False), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
