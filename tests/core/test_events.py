import math
from contextlib import closing

import pytest

from pbt_core.events import EventLog, RecordError, read, write_parquet

EVENTS = [
    {"event": "started", "format": 1, "plan": {"population": 2, "seed": 0}},
    {"event": "joined", "member": 0, "step": 0, "hyperparameters": {"lr": 0.1, "act": "relu"}},
    {
        "event": "evaluated",
        "member": 0,
        "step": 10,
        "score": math.nan,
        "samples": [1.0, math.inf],
        "held_out": None,
        "metrics": {"fid": -math.inf},
        "hyperparameters": {"lr": 0.1, "act": "relu"},
        "checkpoint": "abc",
    },
    {"event": "finished", "best": 0, "score": 2.0},
]


def record(path, *events):
    with closing(EventLog(path)) as log:
        log.append(*events)


def test_events_come_back_from_the_log_with_non_finite_numbers(tmp_path):
    """JSON knows no NaN; the log does, in strict JSON."""
    record(tmp_path / "events.jsonl", *EVENTS)
    assert "NaN" not in (tmp_path / "events.jsonl").read_text()
    assert repr(read(tmp_path / "events.jsonl")) == repr(EVENTS)


def test_a_torn_last_line_is_cut_off_and_the_rest_kept(tmp_path):
    """What a kill in the middle of a write leaves."""
    path = tmp_path / "events.jsonl"
    record(path, *EVENTS[:2])
    with path.open("ab") as file:
        file.write(b'{"event":"evalu')
    with closing(EventLog(path)) as log:
        assert log.events == EVENTS[:2]
        log.append(EVENTS[3])
    assert read(path) == [*EVENTS[:2], EVENTS[3]]


def test_an_altered_line_is_named(tmp_path):
    """Corruption in the middle is no torn end: it must not go unnoticed."""
    path = tmp_path / "events.jsonl"
    record(path, *EVENTS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-3], *lines[2:]]) + "\n")
    with pytest.raises(RecordError, match=r"events.jsonl, line 2"):
        EventLog(path)


def test_parquet_gives_the_same_events_and_the_same_bytes(tmp_path):
    """Nested fields are columns for people, and come back nested."""
    for name in ("a", "b"):
        write_parquet(EVENTS, tmp_path / f"{name}.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    found = read(tmp_path / "a.parquet")
    for event, expected in zip(found, EVENTS, strict=True):
        assert repr(sorted(event.items())) == repr(sorted(expected.items()))
