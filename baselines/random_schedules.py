"""Random search over schedules: each member draws initial values and how some of them decay; the best one counts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from baselines.decay import decayed
from pbt_core.fields import Rule, at_least, checked, within
from pbt_core.method import Continue, Decision, initial
from pbt_core.population import Member, Population
from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space, Value
from pbt_core.values import shown

#: The shapes that are drawn, each as likely as the others.
DECAYS = ("constant", "linear", "exponential", "cosine")
#: The longest share of the training before a decay begins.
LONGEST_HOLD = 0.5
_NAMES = Rule("one or more names, each once", lambda names: bool(names) and len(set(names)) == len(names))


@dataclass(frozen=True)
class Shape:
    """Constant for a share ``hold`` of the training, then falling to ``final`` times the initial value at its end."""

    decay: str
    hold: float
    final: float

    def factor(self, progress: float) -> float:
        """What is left of the initial value after a share ``progress`` of the training."""
        return decayed(self.decay, (progress - self.hold) / (1 - self.hold), self.final)


@dataclass(frozen=True)
class RandomSchedules:
    """Random search that may also decay: does PBT find more than a draw of schedules does at the same budget?

    steps: of the training, at whose end a decay ends.
    annealed: the hyperparameters that decay, real numbers; they share their member's shape, as in recipes made by hand.
    final: the smallest share that may be left of them.
    initial: known settings to begin with, as for PBT.

    With the same seed it begins with the members that PBT and random search begin with. Shapes are our choice: constant,
    linear, exponential or cosine with equal probability; held for 0 to half of the training, uniform; what is left at the end
    is log-uniform from ``final`` to 1. A value that would leave its bounds stays at the bound. A shape is drawn from a stream
    named by its member and the values that it began with, so a decision needs no memory. Seeds differ by those values: a
    member whose ``initial`` setting leaves nothing to be drawn has the same shape under every seed.
    """

    steps: Annotated[int, at_least(1)]
    annealed: Annotated[tuple[str, ...], _NAMES]
    final: Annotated[float, within("(0, 1]")] = 0.01
    initial: tuple[Hyperparameters, ...] = ()

    def __post_init__(self) -> None:
        checked(self)

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        members = initial(self.initial, space, size, rng)
        for name in self.annealed:
            if not isinstance(members[0].get(name), float):
                rule = f"of a real value of the space, which has {list(space)}"
                raise ValueError(f"RandomSchedules: annealed = {shown(self.annealed)}: {name!r} is not the name {rule}")
        return members

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        if member.failed:  # nothing here can replace it, which Continue says
            return Continue()
        began = _began(member, population)
        factor = self.shape(member.id, began).factor(member.step / self.steps)
        space = population.space
        annealed: dict[str, Value] = {name: space[name].clip(float(began[name]) * factor) for name in self.annealed}
        return Continue({**began, **annealed})

    def shape(self, member: int, began: Hyperparameters) -> Shape:
        """The shape of a member that began with these values."""
        name = json.dumps(dict(began), sort_keys=True)
        rng = Stream(0, ("random_schedules", member, name)).generator()
        decay, hold = DECAYS[int(rng.integers(len(DECAYS)))], rng.uniform(0.0, LONGEST_HOLD)
        return Shape(decay, float(hold), float(math.exp(rng.uniform(math.log(self.final), 0.0))))


def _began(member: Member, population: Population) -> Hyperparameters:
    """The values that a member began with: those of its first interval."""
    first = next((e for e in population.evaluations if e.member == member.id), None)
    return member.hyperparameters if first is None else first.hyperparameters
