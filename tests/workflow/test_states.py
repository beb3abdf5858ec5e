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
    "empty": (b"", "not JSON"),
    "null": (b"null", "should be a valid dictionary"),
    "a list": (b"[]", "should be a valid dictionary"),
    "no fields": (b"{}", "settings: is required"),
    "nested": (b"[" * 100_000, "nested too deeply"),
    "not UTF-8": (b"\xff\xfe", "not UTF-8"),
    "a path for a digest": (json.dumps({"settings": {}, "sources": "../../../x"}).encode(), "sources = '../../../x'"),
    "text for settings": (json.dumps({"settings": "x", "sources": "0" * 16}).encode(), "settings = 'x': input should be"),
    "more fields": (json.dumps({"settings": {}, "sources": "0" * 16, "x": 1}).encode(), "x: no such key"),
    "a key twice": (b'{"settings": {}, "settings": {}, "sources": "0000000000000000"}', "'settings' must occur once"),
    "other settings": (None, "settings: are not those that were written"),
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


@pytest.fixture
def sources(monkeypatch):
    """Sets the digest of the sources."""
    return lambda letter: monkeypatch.setattr(
        "reproductions.suite.running.states.sources_digest", lambda domain, kind: letter * 16
    )


def test_a_state_that_was_put_aside_is_gone_on_with_when_its_sources_are_back(sources, tmp_path, capsys):
    """However often they change, and nothing is removed."""
    places = {}
    for letter in "abacab":
        sources(letter)
        code, error = answered(tmp_path, capsys)
        assert code == 0
        assert ("goes on from an earlier one" in error) == (letter in places)
        places.setdefault(letter, (tmp_path / "state" / "timing.jsonl").stat().st_ino)
        assert (tmp_path / "state" / "timing.jsonl").stat().st_ino == places[letter]
    assert {path.name for path in tmp_path.glob("state*")} == {"state", f"state-{'a' * 16}", f"state-{'c' * 16}"}


def test_a_kept_state_of_another_run_keeps_its_place(sources, tmp_path, capsys):
    """A later one of the same sources is kept beside it under a free name, also where the first is damaged."""
    other = [*ASKED[:-1], "steps=24", "--out", str(tmp_path)]
    sources("a")
    assert main(other) == 0
    (tmp_path / "summary.json").unlink()
    sources("b")
    assert answered(tmp_path, capsys)[0] == 0
    sources("a")
    assert answered(tmp_path, capsys)[0] == 0
    kept = tmp_path / f"state-{'a' * 16}"
    before = (kept / "events.jsonl").read_bytes()
    (kept / "numerics.json").write_bytes(b"{")
    sources("b")
    assert answered(tmp_path, capsys)[0] == 0
    assert (kept / "events.jsonl").read_bytes() == before
    assert (tmp_path / f"state-{'a' * 16}-2" / "events.jsonl").exists()


@pytest.mark.parametrize("leads", ["nowhere", "state"])
def test_a_state_that_is_a_link_to_nothing_is_one_line(leads, tmp_path, capsys):
    """Also one that leads to itself."""
    (tmp_path / "state").symlink_to(leads)
    code, error = answered(tmp_path, capsys)
    assert code == 2
    assert "state in it must be a folder" in error


@pytest.mark.parametrize("at", ["-5", "true", "Infinity", "NaN", "1e13", '"x"', "[1]", "null", "9" * 400])
def test_a_line_of_timing_that_cannot_be_does_not_reach_the_summary(at, run, capsys):
    """It is passed over, as one that is torn."""
    with (run / "state" / "timing.jsonl").open("a") as file:
        file.write(f'{{"session":0,"clock":1,"at":{at},"train_s":{at}}}\n')
    before = json.loads((run / "summary.json").read_text())
    assert answered(run, capsys) == (0, "")
    after = json.loads((run / "summary.json").read_text())
    assert (after["begun"], after["train_s"]) == (before["begun"], before["train_s"])
    assert main(["runs", str(run), "--out", str(run.parent / "runs.csv")]) == 0


def test_a_summary_that_nothing_could_read_is_not_written(run, capsys):
    """What a run cannot have taken comes from a damaged file: many such lines add up."""
    with (run / "state" / "timing.jsonl").open("a") as file:
        file.writelines(f'{{"session":{n},"clock":999999999999.0,"at":1}}\n' for n in range(1, 4))
    before = (run / "summary.json").read_bytes()
    code, error = answered(run, capsys)
    assert code == 2
    assert "summary.json: wall_s = " in error
    assert (run / "summary.json").read_bytes() == before


def test_the_summary_of_another_run_is_not_written_over(run, capsys):
    """Also where its state is gone; a damaged one is no loss."""
    shutil.rmtree(run / "state")
    assert main(["run", "toy", "exploit_only", "--quiet", "--set", "steps=12", "--out", str(run)]) == 2
    assert "holds another run: method was 'pbt' and is 'exploit_only'" in capsys.readouterr().err
    (run / "summary.json").write_text('{"method": ')
    assert main(["run", "toy", "exploit_only", "--quiet", "--set", "steps=12", "--out", str(run)]) == 0


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
