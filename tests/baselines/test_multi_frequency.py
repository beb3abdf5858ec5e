"""MF-PBT: who decides when, who copies whom, and what comes along."""

import itertools

import numpy as np
import pytest
from played import play

from baselines import MultiFrequency
from pbt_core import PBT, Continue, Member, Plan, Population, Restart, Serial, Space, Uniform
from pbt_core.testing import Hill

SPACE = Space({"lr": Uniform(0.0, 100.0)})


def keep(hyperparameters, space, rng):
    """An explorer whose child says whose it is."""
    return {"lr": hyperparameters["lr"] + 0.5}


def decisions(scores, step=30, method=None):
    """What each member decides; its learning rate is its number."""
    method = MultiFrequency(ready=10, periods=(1, 3), explore=keep) if method is None else method
    members = {i: Member(i, {"lr": float(i)}, step, step - 10, score) for i, score in enumerate(scores)}
    view = Population(members, SPACE)
    return [method.decide(view[i], view, np.random.default_rng(0)) for i in range(len(scores))]


def copied(decision):
    """From whom the weights, and with which learning rate; None for a member that goes on."""
    return None if isinstance(decision, Continue) else (decision.parent, decision.hyperparameters["lr"])


def test_each_sub_population_decides_at_its_own_period():
    """Members 0 to 3 every 10 steps, 4 to 7 every 30."""
    scores = [4.0, 3.0, 2.0, 1.0, 4.0, 3.0, 2.0, 1.0]
    deciding = {step: [copied(d) is not None for d in decisions(scores, step)] for step in (10, 20, 30, 40)}
    assert all(any(deciding[step][:4]) for step in deciding)
    assert [any(deciding[step][4:]) for step in (10, 20, 30, 40)] == [False, False, True, False]


def test_the_worst_quarter_copies_the_best_quarter_of_its_own_and_explores():
    """Place by place, though the other sub-population is far better."""
    scores = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, *(0.1 * i for i in range(8))]
    made = [copied(decision) for decision in decisions(scores)]
    assert made[6:8] == [(0, 0.5), (1, 1.5)]
    assert made[8:10] == [(14, 14.5), (15, 15.5)]
    assert made[:4] == [None] * 4


def test_from_a_steadier_sub_population_weights_and_hyperparameters_migrate():
    """To the quarter above the worst, if the migrant is better; not explored."""
    made = [copied(decision) for decision in decisions([4.0, 3.0, 2.0, 1.0, 9.0, 8.0, 7.0, 6.0])]
    assert made[2] == (4, 4.0)
    assert made[3] == (0, 0.5)
    assert made[:2] == [None, None]


def test_from_a_more_dynamic_sub_population_weights_alone_migrate():
    """With the hyperparameters of the best of one's own: short-sighted settings do not spread."""
    made = [copied(decision) for decision in decisions([9.0, 8.0, 7.0, 6.0, 4.0, 3.0, 2.0, 1.0])]
    assert made[6] == (0, 4.0)
    assert made[7] == (4, 4.5)


def test_a_migrant_must_be_better_and_migrates_once():
    """The bracket of two meets outsiders of 5.5 and 3.5: the first is better than its member, the second is too."""
    inside, outside = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 2.0, 1.0], [5.5, 4.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    made = [copied(decision) for decision in decisions([*inside, *outside])]
    assert made[4:6] == [(8, 8.0), (9, 9.0)]
    outside[0] = 4.5
    made = [copied(decision) for decision in decisions([*inside, *outside])]
    assert made[4:6] == [None, (8, 8.0)]
    assert [copied(d) for d in decisions([*inside, *[0.0] * 8])][4:6] == [None, None]


def test_diverged_members_are_replaced_wherever_they_rank():
    """By the best of their own, or of all where none of their own is left."""
    nan = float("nan")
    made = decisions([5.0, nan, nan, nan, 4.0, 3.0, 2.0, 1.0])
    assert [copied(decision)[0] for decision in made[1:4]] == [0, 0, 0]
    made = decisions([nan, nan, nan, nan, 4.0, 3.0, 2.0, 1.0])
    assert all(copied(decision)[0] == 4 for decision in made[:4])
    assert all(isinstance(decision, Restart) for decision in decisions([nan] * 8))


def test_with_one_period_and_no_outsiders_it_is_truncation_by_places():
    """Nobody migrates."""
    made = decisions([4.0, 3.0, 2.0, 1.0], method=MultiFrequency(ready=10, periods=(1,), explore=keep))
    assert [copied(decision) for decision in made] == [None, None, None, (0, 0.5)]


def greedy(hyperparameters, step):
    """Low rates gain at once and then no more; high ones gain later, and more."""
    lr = hyperparameters["lr"] / 100
    return (1 - lr) * 0.9 ** (step / 10) + 1.5 * lr * min(1.0, step / 200)


def test_where_haste_costs_it_ends_higher_than_pbt():
    """PBT takes the rate down while that helps, and has lost the high ones when they would: over ten seeds."""

    def final(method, seed):
        ledger = play(method, size=16, steps=400, seed=seed, gain=greedy, noise=0.01, space=SPACE)
        return max(slot.member.score for slot in ledger.slots.values())

    slow = MultiFrequency(ready=10, periods=(1, 4, 8, 20))
    wins = [final(slow, seed) > final(PBT(ready=10), seed) for seed in range(10)]
    assert sum(wins) >= 8


def test_the_steady_members_keep_their_rates_for_longer(tmp_path):
    """On a task that trains: the time between two changes of a member's settings grows with its period."""
    plan = Plan(population=16, steps=160, interval=10, seed=2)
    events = Serial().run(Hill(), MultiFrequency(ready=10, periods=(1, 8)), plan, tmp_path).events
    clones = [event for event in events if event["event"] == "cloned"]
    assert {event["step"] for event in clones if event["member"] >= 8} <= {80}
    steps = sorted({event["step"] for event in clones if event["member"] < 8})
    assert [b - a for a, b in itertools.pairwise(steps)] == [10] * (len(steps) - 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ready": 0}, "ready = 0 must be at least 1 step"),
        ({"ready": 10, "periods": ()}, r"periods = \(\) must be whole numbers that ascend"),
        ({"ready": 10, "periods": (2, 1)}, r"periods = \(2, 1\) must be"),
        ({"ready": 10, "periods": (1, 1)}, r"periods = \(1, 1\) must be"),
        ({"ready": 10, "periods": (0, 1)}, r"periods = \(0, 1\) must be"),
        ({"ready": 10, "periods": (1.5,)}, r"periods\[0\] = 1.5 must be a whole number"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    """With key, value and rule."""
    with pytest.raises(ValueError, match=words):
        MultiFrequency(**settings)


def test_a_population_too_small_for_its_sub_populations_is_refused():
    """Two members each, at least."""
    with pytest.raises(ValueError, match="4 sub-populations need a population of 8, not 7"):
        MultiFrequency(ready=10).start(SPACE, 7, np.random.default_rng(0))
