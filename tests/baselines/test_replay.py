from collections import Counter

import pytest

from baselines import replay
from pbt_core import PBT, Plan, Serial
from pbt_core.lineage import read_schedule
from pbt_core.testing import Hill


@pytest.fixture(scope="module")
def lineage(tmp_path_factory):
    directory = tmp_path_factory.mktemp("found")
    plan = Plan(population=6, steps=120, interval=10, seed=3)
    Serial().run(Hill(), PBT(ready=10), plan, directory).export(directory)
    return directory / "lineage.json"


def followed(lineage, mode, directory, seed=7):
    plan = Plan(population=1, steps=120, interval=10, seed=seed)
    events = Serial().run(Hill(), replay(lineage, mode), plan, directory / mode / str(seed)).events
    return [e["hyperparameters"] for e in events if e["event"] == "evaluated"]


def test_the_final_settings_are_held_from_the_beginning(lineage, tmp_path):
    """Those that the answer's last interval was trained with."""
    last = dict(read_schedule(lineage)[-1].hyperparameters)
    assert followed(lineage, "final", tmp_path) == [last] * 12


def test_the_shuffled_schedule_has_the_same_settings_as_often_in_another_order(lineage, tmp_path):
    """The control: whether it matters when each was in force."""
    scheduled, shuffled = (followed(lineage, mode, tmp_path) for mode in ("schedule", "shuffled"))
    assert scheduled == [dict(segment.hyperparameters) for segment in read_schedule(lineage)]
    assert shuffled != scheduled
    assert Counter(map(str, shuffled)) == Counter(map(str, scheduled))


def test_the_order_comes_from_the_schedule_whatever_the_seed_of_the_run(lineage, tmp_path):
    """lineage.json says what a replay does; repetitions with other seeds repeat the same."""
    assert followed(lineage, "shuffled", tmp_path, 7) == followed(lineage, "shuffled", tmp_path, 8)


def test_an_unknown_mode_is_refused(lineage):
    """Key, value, rule."""
    with pytest.raises(ValueError, match="mode = 'reversed' must be 'schedule', 'final' or 'shuffled'"):
        replay(lineage, "reversed")
