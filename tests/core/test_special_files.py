"""What is no file in a run's folder: a pipe, whose other end nobody opens, a device without an end, a folder."""

import json
import os
import shutil
import socket

import pytest

from baselines import replay
from pbt_core import PBT, CheckpointError, Leased, Plan, RecordError, Run, RunError, Serial
from pbt_core.lineage import read_schedule
from pbt_core.record import read
from pbt_core.testing import Hill

METHOD = PBT(ready=10)
PLAN = Plan(population=2, steps=20, interval=10)


def pipe(path):
    os.mkfifo(path)


def link_to_a_pipe(path):
    os.mkfifo(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def device(path):
    path.symlink_to("/dev/zero")


def folder(path):
    path.mkdir()


def listening(path):
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(path.parent, os.O_RDONLY)  # a socket's name is at most 107 bytes
        try:
            made.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


KINDS = {pipe: "a pipe", link_to_a_pipe: "a pipe", device: "a device", folder: "a folder", listening: "a socket"}
kinds = pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    Serial().run(Hill(), METHOD, PLAN, folder).export(folder)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def replaced(path, make):
    path.unlink(missing_ok=True)
    make(path)
    return path


@kinds
@pytest.mark.parametrize("name", ["events.jsonl", "events.parquet"])
def test_a_record_that_is_no_file_is_refused_before_it_is_opened(run, name, make):
    """Whichever form it has. A folder of events is the log of leased workers."""
    path = replaced(run / name, make)
    if make is folder and name == "events.jsonl":
        assert not len(read(path))
        return
    with pytest.raises(RecordError, match=KINDS[make]):
        read(path)


@kinds
@pytest.mark.parametrize("name", ["events.jsonl", "timing.jsonl"])
def test_an_engine_does_not_wait_for_the_other_end(run, name, make):
    """It neither reads nor writes what is no file of a run."""
    replaced(run / name, make)
    with pytest.raises(RecordError, match=f"{name} cannot be (read|written): it is {KINDS[make]}, and no file$"):
        Serial().run(Hill(), METHOD, PLAN, run)


@kinds
def test_a_schedule_that_is_no_file_is_refused(run, make):
    """By its reader and by the replay."""
    path = replaced(run / "lineage.json", make)
    for read_it in (read_schedule, replay):
        with pytest.raises(ValueError, match=f"lineage.json holds no schedule: it is {KINDS[make]}, and no file$"):
            read_it(path)


@kinds
def test_a_checkpoint_that_is_no_file_is_named(run, make):
    """As one that is torn."""
    replaced(next((run / "checkpoints").glob("m00000-*")), make)
    with pytest.raises(CheckpointError, match=f"cannot be read: it is {KINDS[make]}, and no file$"):
        Run.open(run).state(Hill(), 0)


@kinds
def test_an_entry_of_a_shared_log_that_is_no_file_is_refused(tmp_path, make):
    """Workers read it again and again."""
    (tmp_path / "log").mkdir()
    make(tmp_path / "log" / "0000000000.json")
    plan = Plan(population=2, steps=20, interval=10, synchronous=False)
    with pytest.raises(RecordError, match=f"cannot be read: it is {KINDS[make]}, and no file$"):
        Leased().run(Hill(), METHOD, plan, tmp_path)


@pytest.mark.parametrize("make", [pipe, link_to_a_pipe, device, listening], ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", ["run", "run/checkpoints", "run/lock", "run/log", "run/workers"])
def test_what_stands_where_an_engine_makes_its_folders_is_named(tmp_path, name, make):
    """Nothing waits, and nothing of it is replaced."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    make(tmp_path / name)
    leased = name in ("run/log", "run/workers")
    plan = Plan(population=2, steps=20, interval=10, synchronous=not leased)
    with pytest.raises(RunError, match=f"{name} cannot be (made|held): it"):
        (Leased() if leased else Serial()).run(Hill(), METHOD, plan, tmp_path / "run")
    assert not (tmp_path / name).is_file()


def test_links_to_files_are_files(run, tmp_path):
    """As where a run's folder is kept on another disk."""
    for name in ("events.jsonl", "events.parquet", "lineage.json", "timing.jsonl"):
        (run / name).rename(tmp_path / name)
        (run / name).symlink_to(tmp_path / name)
    assert list(read(run / "events.jsonl")) == list(read(run / "events.parquet"))
    assert [segment.stop for segment in read_schedule(run / "lineage.json")] == [10, 20]
    assert Serial().run(Hill(), METHOD, PLAN, run).finished
    assert json.loads((tmp_path / "timing.jsonl").read_text().splitlines()[-1])["ends"]
