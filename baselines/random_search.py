"""Random search: every member keeps the hyperparameters it drew; the best one counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pbt_core.fields import checked
from pbt_core.method import Continue, Decision, initial
from pbt_core.population import Member, Population
from pbt_core.space import Hyperparameters, Space


@dataclass(frozen=True)
class RandomSearch:
    """The ``initial`` settings, if any, and draws from the prior for all other members.

    With the same seed it begins with the same members as PBT, so the two can be compared in pairs.
    """

    initial: tuple[Hyperparameters, ...] = ()

    def __post_init__(self) -> None:
        checked(self)

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        return initial(self.initial, space, size, rng)

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        return Continue()
