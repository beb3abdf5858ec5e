"""FIRE PBT: who is selected by what, what evaluators do, and when their weights are taken over."""

import math
from dataclasses import replace

import numpy as np
import pytest
from played import play

from baselines import FirePBT, MultiFrequency
from pbt_core import (
    PBT,
    BinaryTournament,
    Continue,
    Evaluation,
    LogUniform,
    Member,
    Population,
    Restart,
    Serial,
    Space,
    Truncation,
    Uniform,
    WelchTTest,
)
from pbt_core.testing import check_engine, check_method

SPACE = Space({"lr": Uniform(0.0, 100.0)})
NAN = float("nan")


def explored(hyperparameters, space, rng):
    """An explorer whose child says whose it is."""
    return {"lr": hyperparameters["lr"] + 0.5}


#: Of six members 0 and 1 are greedy, 2 and 3 the second sub-population, 4 and 5 evaluators.
METHOD = FirePBT(ready=10, max_eval_steps=40, level=0.2, exploit=Truncation(0.5), explore=explored)


def seen(scores, born=None, lrs=None):
    """A population whose members were evaluated every 10 steps with these scores.

    born: member -> (from whom it copied weights, at which step): it has the settings that ``lrs`` says, else its number.
    """
    born, lrs = born or {}, lrs or {}
    evaluations, members = [], {}
    for m, curve in enumerate(scores):
        parent, at = born.get(m, (None, 0))
        settings = {"lr": float(lrs.get(m, m))}
        for i, score in enumerate(curve):
            step = 10 * (i + 1)
            before = (
                None if i == 0 else (scores[parent][i - 1] if step - 10 == at and parent is not None else curve[i - 1])
            )
            evaluations.append(Evaluation(m, step, 10, step, settings, score, before))
        members[m] = Member(m, settings, step, step - 10, curve[-1], parent=parent, born=at, age=step)
    return Population(members, SPACE, sorted(evaluations, key=lambda e: (e.step, e.member)))


def decisions(population, method=METHOD):
    """What each member decides: None for one that goes on, else from whom the weights, and with which learning rate."""
    made = [method.decide(member, population, np.random.default_rng(0)) for member in population]
    return [None if isinstance(d, Continue) else (d.parent, d.hyperparameters["lr"]) for d in made]


def test_members_are_greedy_then_patient_then_evaluators_by_number():
    """Evaluators are part of the population."""
    method = FirePBT(ready=10, max_eval_steps=40)
    assert [method.group(m, 20) for m in range(20)] == [0] * 7 + [1] * 7 + [None] * 6
    three = replace(method, subpopulations=3, evaluators=0.1)
    assert [three.group(m, 10) for m in range(10)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, None]


def test_sub_populations_keep_apart_and_only_the_first_is_selected_by_the_score():
    """The second is far better, and none of it is copied; its worse member stays, since nobody evaluates it."""
    assert decisions(seen([[1.0], [2.0], [9.0], [8.0], [0.0], [0.0]]))[:4] == [(1, 1.5), None, None, None]


def test_an_evaluator_takes_the_weights_of_a_patient_member_and_the_settings_of_the_best_greedy_one():
    """As they are, not explored; each evaluator another member."""
    assert decisions(seen([[1.0], [2.0], [9.0], [8.0], [0.0], [0.0]]))[4:] == [(2, 1.0), (3, 1.0)]


def test_settings_that_have_not_been_trained_with_are_no_reference():
    """A member that has just copied weights has the score of its parent, not of its own settings."""
    population = seen([[1.0, 3.0], [2.0, 2.0], [9.0, 9.0], [8.0, 8.0], [0.0, 0.0], [0.0, 0.0]])
    members = {member.id: member for member in population}
    members[0] = replace(members[0], parent=1, born=20, score=5.0)
    view = Population(members, SPACE, population.evaluations)
    assert decisions(view)[4:] == [(2, 1.0), (3, 1.0)]


#: After step 10 evaluator 4 went on from member 2, evaluator 5 from member 3, both with the settings of member 1.
WATCHED = {4: (2, 10), 5: (3, 10)}
SETTINGS = {4: 1.0, 5: 1.0}
GREEDY = [[0.0] * 5, [60.0, 60.1, 60.2, 60.3, 60.4]]


def watched(four, five, patient=((50.0,) * 5, (40.0,) * 5), greedy=GREEDY):
    """The scores of evaluators after they began; what they evaluate stays where it is."""
    return [*map(list, greedy), *map(list, patient), [0.0, *four], [0.0, *five]]


def test_patient_members_are_selected_by_how_fast_their_weights_improve_not_by_the_score():
    """Member 3 scores lower than 2, but from 50 on its evaluator gains 12 in the time in which the other gains 2."""
    scores = watched((51.0, 52.0, 53.0, 54.0), (50.0, 54.0, 58.0, 62.0))
    assert decisions(seen(scores, WATCHED, SETTINGS))[2:4] == [(3, 3.5), None]
    scores = watched((54.0, 58.0, 62.0, 66.0), (50.0, 50.5, 51.0, 51.5))
    assert decisions(seen(scores, WATCHED, SETTINGS))[2:4] == [None, (2, 2.5)]


def test_an_evaluation_counts_from_its_least_steps_on():
    """Until then its member is neither copied nor replaced."""
    population = seen(watched((51.0, 52.0, 53.0, 54.0), (50.0, 54.0, 58.0, 62.0)), WATCHED, SETTINGS)
    assert decisions(population, replace(METHOD, min_eval_steps=40))[2] == (3, 3.5)
    assert decisions(population, replace(METHOD, min_eval_steps=50, max_eval_steps=50))[2] is None


FASTER = watched((62.0, 64.0, 66.0, 68.0), (40.0,) * 4)


def test_a_greedy_member_takes_over_from_an_evaluator_that_improves_faster_at_the_same_score():
    """With its own settings; the other greedy member is not concerned."""
    assert decisions(seen(FASTER, WATCHED, SETTINGS))[:2] == [(1, 1.5), (4, 1.0)]


def test_a_lead_that_may_be_chance_is_not_taken_over():
    """Three of three points won have p = 1/8; and one that improves as the member does has none."""
    assert decisions(seen(FASTER, WATCHED, SETTINGS), replace(METHOD, level=0.125))[1] is None
    same = watched((60.0, 60.1, 60.2, 60.3), (40.0,) * 4, patient=[(60.0,) * 5, (40.0,) * 5])
    assert decisions(seen(same, WATCHED, SETTINGS))[1] is None


def test_once_its_weights_are_taken_over_an_evaluator_is_free_and_takes_the_next_member():
    """Not the one it evaluated, as long as there is another."""
    scores = [[*curve, curve[-1]] for curve in FASTER]
    scores[4][-1] = 70.0
    population = seen(scores, WATCHED, SETTINGS)
    assert decisions(population, replace(METHOD, level=0.01, max_eval_steps=400))[4] is None
    after = seen(scores, {**WATCHED, 1: (4, 50)}, SETTINGS)
    assert decisions(after, replace(METHOD, max_eval_steps=400))[4] == (2, 1.0)
    free = {4: WATCHED[4], 1: (4, 50)}
    assert decisions(seen(scores, free, SETTINGS), replace(METHOD, max_eval_steps=400))[4:] == [(3, 1.0), (2, 1.0)]


def test_an_evaluation_ends_when_a_member_of_it_is_replaced():
    """Member 2 has other weights since step 20; nobody has the settings of evaluator 5 any more."""
    scores = watched((51.0, 52.0, 53.0, 54.0), (41.0, 42.0, 43.0, 44.0))
    patient = replace(METHOD, max_eval_steps=400)
    assert decisions(seen(scores, WATCHED, SETTINGS), patient)[4:] == [None, None]
    assert decisions(seen(scores, {**WATCHED, 2: (3, 20)}, SETTINGS), patient)[4] == (2, 1.0)
    assert decisions(seen(scores, WATCHED, {4: 1.0, 5: 7.0}), patient)[5] == (3, 1.0)


def test_an_evaluation_that_never_comes_to_the_score_of_the_member_ends_in_time():
    """The curves do not meet."""
    population = seen(watched((51.0, 52.0, 53.0, 54.0), (41.0, 42.0, 43.0, 44.0)), WATCHED, SETTINGS)
    assert decisions(population, replace(METHOD, max_eval_steps=50))[4:] == [None, None]
    assert decisions(population, replace(METHOD, max_eval_steps=40))[4:] == [(3, 1.0), (2, 1.0)]


def test_an_evaluation_that_loses_ends_earlier():
    """From 60 on its curve is below the member's, which goes on rising; but not before it counts."""
    greedy = [[0.0] * 5, [60.0, 64.0, 68.0, 72.0, 76.0]]
    scores = watched((60.5, 61.0, 61.5, 62.0), (41.0, 42.0, 43.0, 44.0), [(61.0,) * 5, (40.0,) * 5], greedy)
    population = seen(scores, WATCHED, SETTINGS)
    assert decisions(population, replace(METHOD, max_eval_steps=100))[4:] == [(2, 1.0), None]
    assert decisions(population, replace(METHOD, max_eval_steps=100, min_eval_steps=40))[4] is None


def test_diverged_members_are_replaced_within_their_sub_population_while_it_can():
    """An evaluator takes on the next evaluation."""
    made = decisions(seen([[NAN], [2.0], [NAN], [8.0], [NAN], [0.0]]))
    assert made[:5] == [(1, 1.5), None, (3, 3.5), None, (3, 1.0)]
    made = decisions(seen([[NAN], [NAN], [NAN], [NAN], [NAN], [7.0]]))
    assert made == [(5, 5.5)] * 5 + [None]
    nobody = seen([[NAN]] * 6)
    assert all(isinstance(METHOD.decide(m, nobody, np.random.default_rng(0)), Restart) for m in nobody)


def test_a_failed_member_gets_weights_or_ends_the_run():
    """Whatever its part."""
    population = seen([[1.0], [2.0], [9.0], [8.0], [0.0], [0.0]])
    members = {m.id: replace(m, failed=m.id in (0, 2, 4), step=15) for m in population}
    made = [METHOD.decide(m, Population(members, SPACE), np.random.default_rng(0)) for m in members.values()]
    assert [made[m].parent for m in (0, 2, 4)] == [1, 3, 3]
    failed = {m: replace(member, failed=True) for m, member in members.items()}
    assert METHOD.decide(failed[0], Population(failed, SPACE), np.random.default_rng(0)) == Continue()


def greedy(hyperparameters, step):
    """Low rates gain at once and then no more; high ones gain later, and more."""
    lr = hyperparameters["lr"] / 100
    return (1 - lr) * 0.9 ** (step / 10) + 1.5 * lr * min(1.0, step / 200)


@pytest.mark.parametrize("exploit", [Truncation(0.25), BinaryTournament()])
def test_any_exploit_by_the_score_and_any_explore_will_do(exploit):
    """Nobody copies across sub-populations but evaluators, and those that take over from them."""
    method = FirePBT(ready=10, max_eval_steps=50, level=0.3, exploit=exploit, explore=None)
    ledger = play(method, size=20, steps=300, seed=0, gain=greedy, noise=0.01, space=SPACE)
    parents = {m: slot.member.parent for m, slot in ledger.slots.items() if slot.member.parent is not None}
    groups = {m: (method.group(m, 20), method.group(parent, 20)) for m, parent in parents.items()}
    assert len(groups) > 10
    assert set(groups.values()) <= {(0, 0), (1, 1), (0, None), (None, 1)}


def test_each_later_sub_population_is_evaluated_with_the_settings_of_the_one_before():
    """Three of them: the third is evaluated for the second."""
    method = FirePBT(ready=10, max_eval_steps=50, subpopulations=3, level=0.4, exploit=Truncation(0.5))
    check_method(method, size=12)
    ledger = play(method, size=20, steps=300, seed=1, gain=greedy, noise=0.01, space=SPACE)
    members = [slot.member for slot in ledger.slots.values()]
    pairs = {(method.group(m.id, 20), method.group(m.parent, 20)) for m in members if m.parent is not None}
    assert {(None, 1), (None, 2)} <= pairs <= {(0, 0), (1, 1), (2, 2), (0, None), (1, None), (None, 1), (None, 2)}


def descent(weights, hyperparameters):
    """Noisy descent: high rates shrink the bias faster, and add a noise that is gone soon after the rate falls."""
    bias, noise = weights or (1.0, 0.0)
    lr = hyperparameters["lr"]
    bias, noise = bias * math.exp(-0.15 * lr / (lr + 0.1)), noise + 0.7 * (0.5 * lr - noise)
    return (bias, noise), -bias - noise


def test_where_haste_costs_it_ends_higher_than_pbt_and_mf_pbt():
    """What a fall of the rate gains at once PBT takes too early: over ten seeds, not those that the settings were chosen on."""

    def final(method, seed):
        space = Space({"lr": LogUniform(1e-3, 1.0)})
        ledger = play(method, size=20, steps=400, seed=seed, noise=0.002, space=space, train=descent)
        return max(slot.member.score for slot in ledger.slots.values())

    patient = FirePBT(ready=10, max_eval_steps=60, min_eval_steps=30, level=0.1)
    for hasty in (PBT(ready=10), MultiFrequency(ready=10, periods=(1, 4, 8, 20))):
        assert all(final(patient, seed) > final(hasty, seed) for seed in range(10))


def test_an_interrupted_run_goes_on_as_the_unbroken_one():
    """Nothing is remembered but the record: in rounds the same events, otherwise decisions that follow from the events."""
    check_engine(Serial(), method=FirePBT(ready=10, max_eval_steps=30, level=0.3, exploit=Truncation(0.5)))


def test_evaluations_are_read_once_and_those_of_another_run_anew():
    """The method that has decided before decides as one that has not."""
    populations = [seen(FASTER, WATCHED, SETTINGS), seen(watched((51.0,) * 4, (41.0,) * 4), WATCHED, SETTINGS)]
    used = replace(METHOD)
    for population in [*populations, *populations]:
        assert decisions(population, used) == decisions(population, replace(METHOD))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ready": 0}, "ready = 0 must be at least 1 step"),
        ({"max_eval_steps": 5}, "max_eval_steps = 5 must be at least ready = 10"),
        ({"min_eval_steps": 41}, r"min_eval_steps = 41 must be in \[0, max_eval_steps = 40\]"),
        ({"subpopulations": 1}, "subpopulations = 1 must be at least 2"),
        ({"evaluators": 0.0}, r"evaluators = 0.0 must be in \(0, 1\)"),
        ({"level": 1}, r"level = 1 must be in \(0, 1\)"),
        ({"exploit": WelchTTest()}, "exploit: a t-test needs samples, and improvement rates have none"),
        ({"exploit": Truncation}, r"exploit = .* must be a function: Truncation is a class: give an instance"),
        ({"initial": [3]}, r"initial = \[3\]: initial\[0\] = 3 must be a mapping"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    """With key, value and rule."""
    with pytest.raises(ValueError, match=f"FirePBT: {words}"):
        FirePBT(**{"ready": 10, "max_eval_steps": 40, **settings})


def test_a_population_too_small_for_its_parts_is_refused():
    """Two members a sub-population, evaluators among them."""
    with pytest.raises(ValueError, match="2 sub-populations and 1 evaluators need a population of more than 3"):
        FirePBT(ready=10, max_eval_steps=40).start(SPACE, 3, np.random.default_rng(0))
    assert len(FirePBT(ready=10, max_eval_steps=40).start(SPACE, 4, np.random.default_rng(0))) == 4
