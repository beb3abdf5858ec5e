"""The state of a run as a kill, a full disk or somebody else may leave it: one line, or the run goes on."""

import json
import shutil
import warnings

import pytest

from reproductions.suite.cli import main

ASKED = ["run", "toy", "pbt", "--quiet", "--engine", "serial", "--set", "steps=12"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert main([*ASKED, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def answered(run, capsys):
    """The exit code of the same request again, and its only line on stderr."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code = main([*ASKED, "--out", str(run)])
    error = capsys.readouterr().err
    assert error.count("\n") <= 1, error
    return code, error


def flipped(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    return bytes(data)


REQUESTS = {
    "empty": (b"", "invalid JSON"),
    "null": (b"null", "should be an object"),
    "a list": (b"[]", "should be an object"),
    "no fields": (b"{}", "settings: field required"),
    "nested": (b"[" * 100_000, "recursion limit"),
    "not UTF-8": (b"\xff\xfe", "invalid JSON"),
    "a path for a digest": (json.dumps({"settings": {}, "sources": "../../../x"}).encode(), "sources: string should match"),
    "text for settings": (json.dumps({"settings": "x", "sources": "0" * 16}).encode(), "settings: input should be an object"),
    "more fields": (json.dumps({"settings": {}, "sources": "0" * 16, "x": 1}).encode(), "x: extra inputs"),
    "other settings": (None, "holds another run: population was"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_that_is_none_is_one_line_with_the_file_and_the_rule(kind, run, capsys):
    """And nothing is moved or begun."""
    content, words = REQUESTS[kind]
    path = run / "state" / "request.json"
    if content is None:
        asked = json.loads(path.read_text())
        asked["settings"]["population"] = 9
        content = json.dumps(asked).encode()
    path.write_bytes(content)
    code, error = answered(run, capsys)
    assert code == 2
    assert words in error
    assert "run" in error
    assert not list(run.glob("state-*"))


def test_a_record_without_a_request_is_nobodys(run, capsys):
    """Nobody can tell what it is of."""
    (run / "state" / "request.json").unlink()
    assert answered(run, capsys)[0] == 2


@pytest.mark.parametrize(
    "content",
    [b"hello\n", bytes(range(256)) * 10, b'{"event":"started","format":3,"plan":{}}\n', b"\n", "flip", "no header"],
    ids=str,
)
def test_a_damaged_record_is_one_line_with_the_file_and_the_line(content, run, capsys):
    """Exit code 2, as for any file that is not what it should be."""
    path = run / "state" / "events.jsonl"
    whole = path.read_bytes()
    if content == "flip":
        content = flipped(path, 900)
    elif content == "no header":
        content = b"".join(whole.splitlines(keepends=True)[1:])
    path.write_bytes(content)
    code, error = answered(run, capsys)
    assert code == 2
    assert "events.jsonl" in error
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "kind", ["header only", "torn end", "torn timing", "no timing", "timing of another kind", "no summary"]
)
def test_what_a_kill_or_a_full_disk_may_leave_is_gone_on_from(kind, whole, run, capsys):
    """To the very same record."""
    events, timing = run / "state" / "events.jsonl", run / "state" / "timing.jsonl"
    record = events.read_bytes()
    match kind:
        case "header only":
            events.write_bytes(record.splitlines(keepends=True)[0])
        case "torn end":
            events.write_bytes(record[:-3])
        case "torn timing":
            timing.write_bytes(timing.read_bytes()[:-9])
        case "no timing":
            timing.unlink()
        case "timing of another kind":
            timing.write_bytes(
                b'\xff\n[[[\n{}\n{"session":0,"clock":1e999,"at":"x"}\n{"session":0,"clock":3,"at":[1],"cpu_s":"x"}\n'
            )
        case "no summary":
            (run / "summary.json").unlink()
    assert answered(run, capsys) == (0, "")
    assert events.read_bytes() == record
    for name in ("events.parquet", "lineage.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    summary = json.loads((run / "summary.json").read_text())
    assert 0 <= summary["wall_s"] < 3600
    assert summary["begun"] is None or summary["begun"] <= summary["ended"]


def test_missing_checkpoints_are_named(run, capsys):
    """Half a record without its weights cannot go on."""
    events = run / "state" / "events.jsonl"
    record = events.read_bytes()
    events.write_bytes(record[: record.rfind(b"\n", 0, len(record) // 2) + 1])
    shutil.rmtree(run / "state" / "checkpoints")
    code, error = answered(run, capsys)
    assert code == 1
    assert "checkpoint" in error
    assert "cannot be read" in error


def test_states_of_other_sources_are_kept_beside(run, capsys):
    """What ran is what the summary says; a state that is at work is not moved."""
    request = run / "state" / "request.json"
    asked = json.loads(request.read_text())
    request.write_text(json.dumps({**asked, "sources": "0" * 16}))
    before = (run / "state" / "events.jsonl").read_bytes()
    code, error = answered(run, capsys)
    assert code == 0
    assert "the sources have changed since" in error
    assert (run / f"state-{'0' * 16}" / "events.jsonl").read_bytes() == before


def test_a_state_that_is_at_work_is_not_moved_away(run, capsys):
    """Also where the sources have changed: the lock is asked for first."""
    from pbt_core.files import locked

    request = run / "state" / "request.json"
    request.write_text(json.dumps({**json.loads(request.read_text()), "sources": "0" * 16}))
    with locked(run / "state"):
        code, error = answered(run, capsys)
    assert code == 1
    assert "another process is running in" in error
    assert not list(run.glob("state-*"))


def test_a_finished_run_is_extended_by_the_same_request_with_more_steps(run, capsys):
    """Without --extend it is another run's folder."""
    longer = [*ASKED[:-1], "steps=24", "--out", str(run)]
    assert main(longer) == 2
    assert "steps was 12 and is 24" in capsys.readouterr().err
    assert main([*longer, "--extend"]) == 0
    assert json.loads((run / "summary.json").read_text())["settings"]["steps"] == 24
    record = (run / "state" / "events.jsonl").read_bytes()
    assert main(longer) == 0
    assert (run / "state" / "events.jsonl").read_bytes() == record
