from itertools import pairwise

import pytest
from rooted import Rooted

from baselines import Piecewise, replay
from pbt_core import PBT, Lineage, Plan, Processes, Serial
from pbt_core.lineage import read_schedule, retrace
from pbt_core.store import digest
from pbt_core.testing import Hill


@pytest.fixture(scope="module", params=["sync", "async"])
def run(request, tmp_path_factory):
    plan = Plan(population=8, steps=120, interval=10, seed=3, synchronous=request.param == "sync")
    directory = tmp_path_factory.mktemp("run")
    run = Serial().run(Hill(), PBT(ready=20), plan, directory)
    run.export(directory)
    return run


def test_retracing_the_lineage_of_each_member_gives_its_weights_bit_for_bit(run):
    """A lineage tells the whole story: ancestors, their intervals and their hyperparameters."""
    lineage = Lineage(run.events)
    assert lineage.clones
    for member in lineage.members:
        again = retrace(Hill(), lineage.schedule(member), seed=3)
        assert digest(Hill().save(again)) == digest(Hill().save(run.state(Hill(), member)))


def test_a_schedule_has_no_gaps_and_ends_with_the_weights_age(run):
    """Each stretch begins where the one before ended; synchronous members have trained the whole budget."""
    path = Lineage(run.events).schedule()
    assert path[0].start == 0
    assert all(before.stop == after.start for before, after in pairwise(path))
    if run.plan.synchronous:
        assert path[-1].stop == 120


def test_founders_are_initial_members_and_clones_are_edges_of_a_forest(run):
    """Following parents always ends at a member that began with its own weights."""
    tree = Lineage(run.events).to_json()
    assert set(tree["founders"].values()) <= set(tree["members"])
    assert len(set(tree["founders"].values())) < len(tree["members"])
    assert all(clone["parent"] != clone["member"] for clone in tree["clones"])


def test_replay_trains_one_member_on_the_schedule_that_was_found(run, tmp_path):
    """The replay's hyperparameters at each evaluation are those of the lineage."""
    path = read_schedule(run.directory / "lineage.json")
    length = path[-1].stop
    plan = Plan(population=1, steps=length, interval=10, seed=77)
    events = Serial().run(Hill(), replay(run.directory / "lineage.json"), plan, tmp_path).events
    followed = [e["hyperparameters"] for e in events if e["event"] == "evaluated"]
    assert followed == [dict(segment.hyperparameters) for segment in path]


def test_a_run_with_failures_still_has_whole_lineages(tmp_path):
    """A failed interval is nobody's ancestor."""
    from faulty import Faulty

    plan = Plan(population=6, steps=60, interval=10, seed=1)
    run = Processes(workers=2).run(Faulty(), PBT(ready=10), plan, tmp_path)
    assert [e for e in run.events if e["event"] == "failed"]
    lineage = Lineage(run.events)
    for member in lineage.members:
        assert digest(Hill().save(retrace(Hill(), lineage.schedule(member), seed=1))) == digest(
            Hill().save(run.state(Hill(), member))
        )


def test_a_file_without_a_schedule_is_named(tmp_path):
    """So is a missing file."""
    with pytest.raises(ValueError, match=r"lineage.json holds no schedule"):
        read_schedule(tmp_path / "lineage.json")
    with pytest.raises(ValueError, match="must begin with 0 and rise"):
        Piecewise(((10, {}),))


def test_a_lineage_that_does_not_tell_everything_is_not_retraced(tmp_path):
    """Where members keep something of their own, a copy in the lineage leaves out where it came from."""
    run = Serial().run(Rooted(), PBT(ready=10), Plan(population=6, steps=100, interval=10, seed=3), tmp_path)
    lineage = Lineage(run.events)
    copied = next(m for m in lineage.members if len({s.member for s in lineage.schedule(m)}) > 1)
    with pytest.raises(ValueError, match="stays with a member of this task is not in a lineage"):
        retrace(Rooted(), lineage.schedule(copied), seed=3)
