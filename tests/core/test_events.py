import json
import math
from contextlib import closing

import pytest

from pbt_core import PBT, Choice, LogUniform, Plan, Serial, Space
from pbt_core.journal import Journal
from pbt_core.ledger import Ledger
from pbt_core.record import Record, read
from pbt_core.schema import SCHEMA, START, RecordError, check, line
from pbt_core.store import Store
from pbt_core.testing import Hill

RUN = {"plan": {}, "method": {}, "space": {}, "task": {}}
VALUES = {"lr": 0.1, "act": "relu", "kernel": (1, (3, 3)), "bias": True, "size": 3, "none": None}
DIGEST = "0123456789abcdef" * 2
EVALUATED = {
    "event": "evaluated",
    "member": 0,
    "step": 10,
    "score": math.nan,
    "samples": [1.0, math.inf],
    "held_out": None,
    "metrics": {"fid": -math.inf, "": 1.0, "a.b": 2.0},
    "hyperparameters": VALUES,
    "checkpoint": DIGEST,
}
EVENTS = [
    {"event": "started", "format": 4, "run": RUN},
    {"event": "joined", "member": 0, "step": 0, "hyperparameters": VALUES},
    EVALUATED,
    {"event": "diverged", "member": 0, "step": 10},
    {"event": "failed", "member": 0, "step": 20, "kind": "raised", "error": "é \\ud800", "traceback": "x\ny"},
    {"event": "retried", "member": 0, "step": 20},
    {**EVALUATED, "step": 20, "score": 1.0, "held_out": 2.0, "samples": [], "metrics": {"other": math.nan}},
    {"event": "finished", "best": None, "step": None, "score": None, "reason": "steps"},
]


def written(path, *events):
    chain, lines = START, []
    for event in events:
        text, chain = line(event, chain)
        lines.append(text)
    path.write_bytes(b"".join(lines))
    return path


def journal(path):
    return closing(Journal(path, Store(path.parent / "checkpoints"), Ledger()))


def test_events_come_back_from_the_log_as_they_were(tmp_path):
    """JSON knows neither NaN nor tuples; the record does, in strict JSON."""
    path = written(tmp_path / "events.jsonl", *EVENTS)
    for text in path.read_text().splitlines():
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert repr(list(read(path))) == repr(EVENTS)


def test_parquet_gives_the_same_events_and_the_same_bytes(tmp_path):
    """Choices of mixed types, tuples, None, empty names and names with dots, absent metrics and those that are NaN."""
    for name in ("a", "b"):
        Record(EVENTS).write_parquet(tmp_path / f"{name}.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    for event, expected in zip(read(tmp_path / "a.parquet"), EVENTS, strict=True):
        assert repr(sorted(event.items())) == repr(sorted(expected.items()))


def test_a_torn_last_line_is_cut_off_and_the_rest_kept(tmp_path):
    """What a kill in the middle of a write leaves; whoever only reads leaves it there."""
    path = written(tmp_path / "events.jsonl", *EVENTS[:2])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event":"evalu')
    assert list(read(path)) == EVENTS[:2]
    assert path.read_bytes() != whole
    with journal(path) as opened:
        assert path.read_bytes() == whole
        opened.append(EVENTS[3])
    assert list(read(path)) == [*EVENTS[:2], EVENTS[3]]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small record of a real run."""
    folder = tmp_path_factory.mktemp("small")
    Serial().run(Hill(), PBT(ready=10), Plan(population=3, steps=20, interval=10), folder)
    return (folder / "events.jsonl").read_bytes()


def test_every_flipped_byte_of_a_record_is_found_out(small, tmp_path):
    """But in its very last one, the end of the last line: without it the line is torn, and is made again."""
    path = tmp_path / "events.jsonl"
    for place in range(len(small) - 1):
        for flip in (1, 32, 255):
            data = bytearray(small)
            data[place] ^= flip
            path.write_bytes(data)
            with pytest.raises(RecordError, match=r"events.jsonl(, line \d+| has format \d)"):
                read(path)
    path.write_bytes(small[:-1] + b"!")
    assert len(read(path)) == small.count(b"\n") - 1


@pytest.mark.parametrize("damage", ["doubled", "missing", "swapped", "another run's"])
def test_lines_that_are_doubled_missing_swapped_or_of_another_run_are_found_out(damage, small, tmp_path):
    """Each line's checksum is of all lines before it too."""
    lines = small.splitlines(keepends=True)
    other = written(tmp_path / "other.jsonl", *EVENTS).read_bytes().splitlines(keepends=True)
    damaged = {
        "doubled": [*lines[:3], lines[2], *lines[3:]],
        "missing": [*lines[:3], *lines[4:]],
        "swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "another run's": [*lines[:3], other[3], *lines[4:]],
    }[damage]
    (tmp_path / "events.jsonl").write_bytes(b"".join(damaged))
    with pytest.raises(RecordError, match=r"line 4: the checksum"):
        read(tmp_path / "events.jsonl")


def test_an_older_format_is_named(tmp_path):
    """Its lines had no checksums."""
    (tmp_path / "events.jsonl").write_text('{"event":"started","format":3,"plan":{}}\n')
    with pytest.raises(RecordError, match="has format 3; this version reads 4"):
        read(tmp_path / "events.jsonl")


@pytest.mark.parametrize("kind", SCHEMA)
def test_a_field_that_is_missing_or_of_no_kind_is_named(kind):
    """Whoever makes a record by hand gets the field and the rule."""
    event = next((e for e in EVENTS if e["event"] == kind), None)
    if event is None:
        source = {"member": 1, "step": 10, "digest": DIGEST}
        copied = {"parent": 1, "parent_step": 10, "weights": True, "source": source, "age": 10, "history": []}
        fields = {
            "member": 0,
            "step": 10,
            "hyperparameters": {},
            "score": 0.5,
            "samples": [],
            "steps": 5,
            "stop": None,
            **copied,
        }
        event = {"event": kind, **{name: fields[name] for name in SCHEMA[kind]}}
    check(event)
    for name in SCHEMA[kind]:
        with pytest.raises(ValueError, match=rf"^{kind}\.{name} is missing"):
            check({key: value for key, value in event.items() if key != name})
        with pytest.raises(ValueError, match=rf"^{kind}\.{name} = .* must be|^the record has format"):
            check({**event, name: [object()]})
    with pytest.raises(ValueError, match=rf"^{kind}\.more: there is no such field"):
        check({**event, "more": 1})


@pytest.mark.parametrize("digest", ["/../../victim", "0" * 31, "0" * 33, "G" * 32, "0" * 31 + "\n", 3])
def test_a_checkpoints_digest_is_32_hexadecimal_digits_since_it_becomes_a_files_name(digest):
    """A record from somebody else must not reach files outside of its folder."""
    with pytest.raises(ValueError, match=r"checkpoint = .* must be 32 hexadecimal digits"):
        check({**EVALUATED, "checkpoint": digest})


@pytest.mark.parametrize(
    "text", [b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"\n\n", b"null\n", b"{}\n", b"9" * 5000 + b"\n"]
)
def test_a_file_that_is_no_record_is_one_line(text, tmp_path):
    """Not UTF-8, deeply nested, empty lines, other JSON, endless numbers."""
    (tmp_path / "events.jsonl").write_bytes(text)
    with pytest.raises(RecordError, match=r"^[^\n]*events.jsonl, line 1: [^\n]*$"):
        read(tmp_path / "events.jsonl")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all" * 100])
def test_a_file_that_is_no_parquet_is_one_line(content, tmp_path):
    """Half files too."""
    (tmp_path / "events.parquet").write_bytes(content)
    with pytest.raises(RecordError, match=r"^[^\n]*events.parquet is no record[^\n]*$"):
        read(tmp_path / "events.parquet")


def test_choices_of_any_kind_come_back_to_a_run_that_resumes(tmp_path):
    """Tuples in a record must be the declared ones again."""
    space = Space(
        {"lr": LogUniform(1e-3, 1.0), "decay": LogUniform(1e-3, 0.5), "k": Choice(((1, 3), (1, 5), None, True, "a"))}
    )

    def run(folder, stop=None):
        seen = []

        def observe(event):
            seen.append(event)
            if len(seen) == stop:
                raise KeyboardInterrupt

        plan = Plan(population=5, steps=60, interval=10)
        return Serial().run(Hill(space=space), PBT(ready=10), plan, folder, observe)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", 17)
    assert run(tmp_path / "broken").events == run(tmp_path / "whole").events
    run(tmp_path / "whole").export(tmp_path)
    assert read(tmp_path / "events.parquet") == run(tmp_path / "whole").events


def test_an_event_that_cannot_follow_is_not_written(tmp_path):
    """So that one bad outcome does not make a run that nobody can go on with."""
    path = written(tmp_path / "events.jsonl", *EVENTS[:2])
    before = path.read_bytes()
    with (
        journal(path) as opened,
        pytest.raises(RecordError, match="an event that is not written: member 0 is tried again"),
    ):
        opened.append({"event": "retried", "member": 0, "step": 10})
    assert path.read_bytes() == before
    with journal(path) as opened:
        opened.append(EVALUATED)
