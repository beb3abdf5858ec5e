"""Workers without a coordinator, from the command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import LONG

from pbt_core.files import locked
from pbt_core.leases.log import LOG, WORKERS, Entry, SharedLog
from reproductions.suite.cli import main
from reproductions.suite.running.states import _is_coordinated

ROOT = Path(__file__).parents[2]
RUN = ["run", "toy", "pbt", "--no-sync", "--quiet", "--set", "population=6", "--set", "steps=300"]


def command(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "reproductions", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_commands_that_are_started_at_once_make_one_run(tmp_path):
    """One begins it, the others join; each says what came of it, and the summary is written once."""
    out = tmp_path / "run"
    started = [command(*RUN, "--engine", "leased", "--out", out) for _ in range(3)]
    heard = [process.communicate(timeout=LONG) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], heard
    assert len({stdout for stdout, _ in heard}) == 1
    summary = json.loads((out / "summary.json").read_text())
    assert summary["member_steps"] == 6 * 300
    assert summary["execution"]["engine"] == "leased"
    before = (out / "summary.json").read_bytes()
    assert main(["worker", "--run", str(out), "--quiet"]) == 0
    assert (out / "summary.json").read_bytes() == before
    assert main(["runs", str(out), "--out", str(tmp_path / "runs.csv")]) == 0


def test_a_worker_needs_a_run_that_was_begun(tmp_path, capsys):
    """It says how to begin one."""
    assert main(["worker", "--run", str(tmp_path)]) == 2
    assert "begin the run with `run ... --engine leased" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--engine", "leased", "--sync"], "needs --no-sync"),
        (["--engine", "leased", "--no-sync", "--workers", "2"], "start the command so many times"),
        (["--engine", "serial", "--lease", "5"], "lease needs engine = 'leased'"),
        (["--engine", "leased", "--no-sync", "--lease", "0"], "lease"),
        (["--engine", "leased", "--no-sync", "--set", "stop={seconds: 5}"], "use stop.score"),
    ],
)
def test_what_cannot_be_carried_out_so_is_one_line(options, line, tmp_path, capsys):
    """Before any work, and nothing is written."""
    assert main(["run", "toy", "pbt", "--quiet", "--out", str(tmp_path / "run"), *options]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert line in error
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leased") / "run"
    assert main([*RUN[:-1], "steps=20", "--engine", "leased", "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("method", "nosuch", "settings: method = 'nosuch' must be one of"),
        ("domain", "mars", "settings: domain = 'mars' must be one of"),
        ("problem", "", "settings: problem = '' must be one of"),
        ("scale", "huge", "settings: scale = 'huge'"),
        ("variant", "..", "settings: variant = '..'"),
        ("seed", -1, "settings: seed = -1"),
        ("seed", None, "settings: seed = None"),
        ("population", 0, "settings: population = 0"),
        ("search", {}, "settings: search"),
        ("search", None, "settings: search"),
        ("search", {"kind": "nosuch"}, "settings: search"),
        ("stop", {}, "settings: Until"),
        ("stop", {"seconds": -1}, "settings: stop.seconds = -1"),
        ("task", {"nosuch": 1}, "task.nosuch"),
        ("interval", 10**6, "settings: Plan: interval = 1000000"),
        ("nosuch", 1, "settings: nosuch: no such key"),
    ],
)
def test_a_worker_believes_no_request_that_cannot_be_run(key, value, words, whole, tmp_path, capsys):
    """Whether it is noticed that it was altered or not, and no other file is written."""
    run = shutil.copytree(whole, tmp_path / "run")
    request, summary = run / "state" / "request.json", (run / "summary.json").read_bytes()
    held = json.loads(request.read_text())
    held["settings"][key] = value
    for said, line in ((held, "settings: are not those that were written"), ({**held, "written": None}, words)):
        request.write_text(json.dumps(said))
        assert main(["worker", "--run", str(run), "--quiet"]) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert line in error
        assert (run / "summary.json").read_bytes() == summary


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"settings": {}}'], ids=repr)
def test_a_damaged_summary_of_a_shared_run_is_written_anew(content, whole, tmp_path):
    """Its record is whole."""
    run = shutil.copytree(whole, tmp_path / "run")
    before = json.loads((run / "summary.json").read_bytes())
    (run / "summary.json").write_bytes(content)
    assert main(["worker", "--run", str(run), "--quiet"]) == 0
    after = json.loads((run / "summary.json").read_bytes())
    assert {**after, "wall_s": 0, "ended": 0} == {**before, "wall_s": 0, "ended": 0}


def test_workers_of_other_sources_are_refused(tmp_path, capsys):
    """Nothing is moved aside from under those that work there."""
    assert main([*RUN, "--engine", "leased", "--out", str(tmp_path)]) == 0
    request = tmp_path / "state" / "request.json"
    held = json.loads(request.read_text())
    request.write_text(json.dumps({**held, "sources": "0" * 16}))
    assert main(["worker", "--run", str(tmp_path), "--quiet"]) == 2
    assert "was made by other sources than these" in capsys.readouterr().err
    assert (tmp_path / "state" / "events.jsonl").exists()


def test_a_run_that_workers_are_at_work_on_is_not_moved_away_from_under_them(tmp_path, capsys):
    """By a command of another engine, where the sources have changed. When they give no sign of life any more, it is."""
    out, anew = tmp_path / "run", [*RUN, "--engine", "serial", "--out", str(tmp_path / "run")]
    assert main([*RUN, "--engine", "leased", "--out", str(out)]) == 0
    state = out / "state"
    request = state / "request.json"
    request.write_text(json.dumps({**json.loads(request.read_text()), "sources": "0" * 16}))
    for name in (LOG, WORKERS):
        (state / name).mkdir()
    assert SharedLog(state / LOG).append(Entry("one", lease=60.0))
    (state / WORKERS / "one").touch()
    assert main(anew) == 1
    assert "workers without a coordinator are at work in" in capsys.readouterr().err
    assert [path.name for path in out.glob("state*")] == ["state"]
    os.utime(state / WORKERS / "one", (0, 0))
    assert main(anew) == 0
    assert {path.name for path in out.glob("state*")} == {"state", f"state-{'0' * 16}"}


def test_a_worker_does_not_wait_for_a_run_with_a_coordinator(tmp_path, capsys):
    """One line, as of any other engine; the summary that another worker writes is waited for."""
    assert main([*RUN, "--engine", "serial", "--out", str(tmp_path)]) == 0
    record = tmp_path / "state" / "events.jsonl"
    whole = record.read_bytes()
    record.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with locked(tmp_path / "state"):
        assert main(["worker", "--run", str(tmp_path), "--quiet"]) == 1
        assert "another process is running in" in capsys.readouterr().err
        record.write_bytes(whole)
        assert not _is_coordinated(tmp_path / "state")
