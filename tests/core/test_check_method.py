"""The conformance kit of methods finds what would break a run."""

from dataclasses import dataclass, field

import pytest

from pbt_core import PBT, Clone, Continue, Restart, Stop
from pbt_core.testing import check_method


@dataclass(frozen=True)
class Sound:
    """Goes on; a failed member begins anew."""

    def start(self, space, size, rng):
        return [space.sample(rng) for _ in range(size)]

    def decide(self, member, population, rng):
        return Restart(population.space.sample(rng)) if member.failed else Continue()


class Remembers(Sound):
    """Changes hyperparameters at the second question, whoever it is about."""

    def __init__(self):
        object.__setattr__(self, "asked", [])

    def decide(self, member, population, rng):
        self.asked.append(member.id)
        return (
            Continue(population.space.sample(rng)) if len(self.asked) == 2 else super().decide(member, population, rng)
        )


class DrawsElsewhere(Sound):
    drawn = 0

    def start(self, space, size, rng):
        DrawsElsewhere.drawn += 1
        return [{**space.sample(rng), "lr": 0.1 / DrawsElsewhere.drawn} for _ in range(size)]


class TooFew(Sound):
    def start(self, space, size, rng):
        return super().start(space, size, rng)[1:]


class Unbounded(Sound):
    def decide(self, member, population, rng):
        return Continue({**member.hyperparameters, "lr": 7.0})


class Meddles(Sound):
    def decide(self, member, population, rng):
        population[0].hyperparameters["lr"] = 0.5
        return super().decide(member, population, rng)


class CopiesItself(Sound):
    def decide(self, member, population, rng):
        return Clone(member.id, member.hyperparameters)


class CopiesTheWorst(Sound):
    """Who may have diverged or failed."""

    def decide(self, member, population, rng):
        worst = population.ranked()[-1]
        return (
            super().decide(member, population, rng) if worst.id == member.id else Clone(worst.id, worst.hyperparameters)
        )


class LeavesLostWeights(Sound):
    """A failed member has none to keep."""

    def decide(self, member, population, rng):
        good = next((other for other in population.ranked() if other.healthy and other.id != member.id), None)
        return Continue() if good is None else Clone(good.id, good.hyperparameters, weights=False)


class TrustsScores(Sound):
    """A failed member has neither samples nor a history."""

    def decide(self, member, population, rng):
        return Stop() if member.samples[0] > 100 else super().decide(member, population, rng)


class ForgetsRestarts(Sound):
    """After a restart a member has no score until it was trained."""

    def decide(self, member, population, rng):
        scores = [other.score + 0.0 for other in population if other.step > 0]
        return Restart(population.space.sample(rng)) if member.score != max(scores) else Continue()


class SaysNothing(Sound):
    def decide(self, member, population, rng):
        return None


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        (Remembers(), "decide is not a function of its arguments"),
        (DrawsElsewhere(), "start is not a function of rng"),
        (TooFew(), "start gave 7 of 8 members"),
        (Unbounded(), "'lr' = 7.0 must be a number in"),
        (Meddles(), "decide changed a member"),
        (CopiesItself(), "must be another member of the population"),
        (CopiesTheWorst(), "must have been evaluated with a finite score"),
        (LeavesLostWeights(), "a failed member must copy weights, its own are lost"),
        (SaysNothing(), "must be Continue, Clone, Restart or Stop, not NoneType"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_method_that_breaks_a_rule_is_told_which(method, rule):
    """By an AssertionError, as from the other kits."""
    with pytest.raises(AssertionError, match=rule):
        check_method(method)


@pytest.mark.parametrize(("method", "error"), [(TrustsScores(), IndexError), (ForgetsRestarts(), TypeError)])
def test_a_method_that_breaks_over_a_member_is_seen_to(method, error):
    """In a run it would be an error too."""
    with pytest.raises(error):
        check_method(method)


@dataclass
class Seen:
    """What a method was shown: kept outside of it."""

    members: list = field(default_factory=list)


SEEN = Seen()


class Watching(PBT):
    def decide(self, member, population, rng):
        SEEN.members.append(member)
        return super().decide(member, population, rng)


def test_a_method_is_shown_all_that_can_happen_to_a_member():
    """Failed and diverged ones, histories that go with copied weights, parents and when they were copied; ages that do not
    equal steps."""
    SEEN.members.clear()
    check_method(Watching(ready=10))
    shown = SEEN.members
    assert any(member.failed for member in shown)
    assert any(member.evaluated and not member.healthy and not member.failed for member in shown)
    children = [member for member in shown if member.parent is not None and member.healthy]
    assert any(0 < member.born < member.step for member in children)
    assert any(len(member.history) > 1 for member in children)
    assert any(member.age != member.step for member in shown)


def test_methods_that_keep_the_rules_pass():
    """Among them one that cannot replace a failed member: in a run its interval is tried again."""

    class Cannot(Sound):
        def decide(self, member, population, rng):
            return Continue()

    check_method(Sound())
    check_method(Cannot())
