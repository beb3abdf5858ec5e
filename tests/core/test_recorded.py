"""Recorded curves as a task: exact where nothing changes, a stated model where weights are copied."""

import math

import pytest

from baselines import RandomSearch
from pbt_core import (
    PBT,
    Checkpoint,
    Choice,
    Cluster,
    Curve,
    IntervalTimes,
    LogUniform,
    Plan,
    RecordedCurves,
    Serial,
    Simulated,
    Space,
    Stream,
)
from pbt_core.record import Record
from pbt_core.store import Store
from pbt_core.testing import Hill, check_engine

SPACE = Space({"lr": LogUniform(0.01, 1.0)})
SLOW = Curve({"lr": 0.01}, (10, 20, 30), (1.0, 2.0, 3.0), (0.5, 1.5, 2.5))
FAST = Curve({"lr": 1.0}, (10, 20, 30), (4.0, 4.5, 4.0), (3.0, 3.5, 3.0))
TABLE = RecordedCurves(SPACE, (SLOW, FAST))
SEED = Stream(0)


def trained(*stretches, table=TABLE):
    """The scores of weights that train with these settings for so many steps, one after the other."""
    state, scores = table.init(SEED, {"lr": stretches[0][0]}), []
    for lr, steps in stretches:
        state = table.step(state, {"lr": lr}, steps, SEED)
        scores.append(table.evaluate(state, SEED).value)
    return scores


def test_a_method_that_leaves_members_alone_gets_the_scores_that_were_recorded(tmp_path):
    """To the last digit, held-out ones too: random search on its own record is the same search."""
    plan = Plan(population=5, steps=70, interval=10, seed=4)
    recorded = Serial().run(Hill(), RandomSearch(), plan, tmp_path / "recorded")
    table = RecordedCurves.of(recorded.record, Hill().space)
    assert len(table.curves) == 5
    again = Serial().run(table, RandomSearch(), plan, tmp_path / "again")
    for key in ("member", "step", "score", "held_out", "hyperparameters"):
        assert [e[key] for e in again.events if e["event"] == "evaluated"] == [
            e[key] for e in recorded.events if e["event"] == "evaluated"
        ]


def test_a_record_in_which_weights_were_copied_is_no_table_of_settings(tmp_path):
    """One line with the member and the step."""
    run = Serial().run(Hill(), PBT(ready=10), Plan(population=6, steps=70, interval=10), tmp_path)
    with pytest.raises(ValueError, match=r"member \d at step \d+ was cloned: a curve must belong to one setting"):
        RecordedCurves.of(run.record, Hill().space)


def test_a_restart_begins_another_curve():
    """Its steps count from the restart."""

    def evaluated(step, score, lr):
        where = {"event": "evaluated", "member": 0, "step": step, "hyperparameters": {"lr": lr}}
        return {**where, "score": score, "held_out": None, "samples": [], "metrics": {}, "checkpoint": "0" * 32}

    events = [
        {"event": "joined", "member": 0, "step": 0, "hyperparameters": {"lr": 0.1}},
        evaluated(10, 1.0, 0.1),
        evaluated(20, 2.0, 0.1),
        {"event": "restarted", "member": 0, "step": 20, "hyperparameters": {"lr": 0.5}},
        evaluated(30, 7.0, 0.5),
    ]
    table = RecordedCurves.of(Record(events), SPACE)
    assert table.curves == (Curve({"lr": 0.1}, (10, 20), (1.0, 2.0)), Curve({"lr": 0.5}, (10,), (7.0,)))


def test_a_setting_follows_the_nearest_recorded_one():
    """In the unit cube: 0.05 is nearer to 0.01 than to 1 on a logarithmic axis, 0.2 is not."""
    assert trained((0.05, 10), (0.05, 10)) == [1.0, 2.0]
    assert trained((0.2, 10), (0.2, 10)) == [4.0, 4.5]


def test_weights_keep_their_score_and_gain_what_the_new_curve_gains_at_their_age():
    """A model: 4 after 10 steps of the fast one, then twice one more as the slow one gains from 10 to 30."""
    assert trained((1.0, 10), (0.01, 10), (0.01, 10)) == [4.0, 5.0, 6.0]
    state = TABLE.step(TABLE.step(TABLE.init(SEED, {}), {"lr": 1.0}, 10, SEED), {"lr": 0.01}, 10, SEED)
    assert TABLE.evaluate(state, SEED).held_out == 4.0


def test_between_recorded_steps_scores_are_interpolated_and_before_the_first_they_are_the_first():
    """What an interval of another length asks for."""
    assert trained((0.01, 5), (0.01, 10), (0.01, 13)) == [1.0, 1.5, pytest.approx(2.8)]


def test_beyond_the_last_recorded_step_scores_stay():
    """Asynchronous, copied weights may be older than their member's steps: nothing is known of them."""
    assert trained((0.01, 30), (0.01, 10)) == [3.0, 3.0]


def test_every_evaluation_says_whether_its_score_is_a_recorded_one():
    """Not between recorded steps or beyond them, not with a setting that is only near, not after a change of the setting."""

    def recorded(*stretches):
        state = TABLE.init(SEED, {})
        for lr, steps in stretches:
            state = TABLE.step(state, {"lr": lr}, steps, SEED)
        return TABLE.evaluate(state, SEED).metrics["recorded"]

    assert recorded((0.01, 10), (0.01, 10)) == 1.0
    assert recorded((0.01, 15)) == 0.0
    assert recorded((0.01, 15), (0.01, 5)) == 1.0
    assert recorded((0.01, 40)) == 0.0
    assert recorded((0.011, 10)) == 0.0
    assert recorded((1.0, 10), (0.01, 10)) == 0.0
    assert recorded((1.0, 10), (0.01, 10), (1.0, 10)) == 0.0


def test_choices_are_near_where_they_are_equal():
    """One that differs is as far as the whole range of a number."""
    space = Space({"lr": LogUniform(0.01, 1.0), "optimiser": Choice(("sgd", "adam"))})
    curves = tuple(
        Curve({"lr": lr, "optimiser": name}, (10,), (float(number),))
        for number, (lr, name) in enumerate([(0.01, "sgd"), (1.0, "adam")])
    )
    table = RecordedCurves(space, curves)
    state = table.step(table.init(SEED, {}), {"lr": 0.3, "optimiser": "sgd"}, 10, SEED)
    assert table.evaluate(state, SEED).value == 0.0


def test_a_setting_that_diverged_diverges():
    """And weights that change to it; those of before keep their scores."""
    broken = Curve({"lr": 1.0}, (10, 20), (4.0, math.nan))
    table = RecordedCurves(SPACE, (SLOW, broken))
    scores = trained((1.0, 10), (1.0, 10), table=table)
    assert scores[0] == 4.0
    assert math.isnan(scores[1])
    assert math.isnan(trained((0.01, 10), (1.0, 10), table=table)[1])


def test_what_is_saved_goes_on_exactly(tmp_path):
    """Through the disk, with what the weights brought along."""
    state = TABLE.step(TABLE.step(TABLE.init(SEED, {}), {"lr": 1.0}, 10, SEED), {"lr": 0.01}, 7, SEED)
    store = Store(tmp_path)
    saved: Checkpoint = store.load(store.save(0, 17, TABLE.save(state), {}))
    assert TABLE.load(saved, {"lr": 0.01}) == state


def test_pbt_runs_on_recorded_curves_under_every_contract_of_an_engine(tmp_path):
    """Planning: the real method, driver and record on a table, under a virtual clock."""
    plan = Plan(population=6, steps=70, interval=10, seed=3)
    table = RecordedCurves.of(Serial().run(Hill(), RandomSearch(), plan, tmp_path).record, Hill().space)
    check_engine(Simulated(Cluster.of(3, IntervalTimes(spread=0.5))), task=table)


def test_another_table_is_another_run(tmp_path):
    """A run is described by a digest of its table."""
    other = RecordedCurves(SPACE, (SLOW,))
    assert TABLE.identity() != other.identity()
    assert TABLE.identity() == RecordedCurves(SPACE, (SLOW, FAST)).identity()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Curve({}, (), ()), r"steps = \(\) must be whole numbers that ascend"),
        (lambda: Curve({}, (0, 1), (1.0, 2.0)), "must be whole numbers that ascend from 1 or more"),
        (lambda: Curve({}, (5, 5), (1.0, 2.0)), "must be whole numbers that ascend"),
        (lambda: Curve({}, (5,), (1.0, 2.0)), "2 scores must be as many as there are steps, 1"),
        (lambda: RecordedCurves(SPACE, ()), r"curves = \(\) must be one or more"),
        (lambda: RecordedCurves(SPACE, (Curve({"lr": 2.0}, (1,), (1.0,)),)), "curve 0: .*lr"),
    ],
)
def test_a_table_that_cannot_be_is_refused(make, words):
    """With what is wrong."""
    with pytest.raises(ValueError, match=words):
        make()
