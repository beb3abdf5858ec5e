"""A short form of `make chaos`, and whether the campaign would notice."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import campaign
import pytest
from run_one import ENGINES, METHOD, plan
from tasks import TASKS

from pbt_core import Serial
from pbt_core.schema import START, line


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_is_struck_holds(engine, monkeypatch):
    """Killed, paused, torn, flipped and short of space: the record is that of a run that nobody touched."""
    if engine == "ray" and find_spec("ray") is None:
        pytest.skip("the extra `cluster` is not installed")
    if engine == "ray":
        monkeypatch.setattr(campaign, "MOST_STRIKES", 1)
    trial, failure = campaign.run_trial(engine, seed=11)
    assert trial.strikes
    assert failure is None, f"seed 11, {trial.strikes}: {failure}"


@pytest.fixture
def whole(tmp_path) -> campaign.Trial:
    """A finished run."""
    Serial().run(TASKS["toy"](), METHOD, plan("synchronous"), tmp_path / "run")
    return campaign.Trial("serial", "toy", "synchronous", 0, tmp_path / "run")


def rewritten(path: Path, change) -> None:
    """The record with other events, its checksums as they should be."""
    events = [json.loads(text) for text in path.read_text().splitlines()]
    for event in events:
        del event["chain"]
    chain, lines = START, []
    for event in change(events):
        text, chain = line(event, chain)
        lines.append(text)
    path.write_bytes(b"".join(lines))


def without_an_evaluation(events):
    last = max(i for i, event in enumerate(events) if event["event"] == "evaluated")
    return events[:last] + events[last + 1 :]


def with_another_score(events):
    for event in events:
        if event["event"] == "evaluated":
            event["score"] += 1e-9
    return events


@pytest.mark.parametrize("change", [without_an_evaluation, with_another_score])
def test_a_record_that_is_not_what_it_should_be_is_noticed(change, whole):
    """A missing interval, and a last digit."""
    campaign.judge(whole)
    rewritten(whole.directory / "events.jsonl", change)
    with pytest.raises(campaign.Failure):
        campaign.judge(whole)


def test_a_run_that_is_not_finished_is_noticed(whole):
    """Its last event is missing."""
    rewritten(whole.directory / "events.jsonl", lambda events: events[:-1])
    with pytest.raises(campaign.Failure, match="not finished"):
        campaign.judge(whole)


def test_what_is_left_behind_is_noticed(whole):
    """Temporary files of whoever was killed."""
    campaign.clean(whole)
    (whole.directory / "checkpoints" / "x.tmp").touch()
    with pytest.raises(campaign.Failure, match=r"left behind: x\.tmp"):
        campaign.clean(whole)


def test_lost_weights_are_noticed(whole):
    """The answer's checkpoint."""
    shutil.rmtree(whole.directory / "checkpoints")
    with pytest.raises(Exception, match="cannot be read"):
        campaign.judge(whole)
