"""A search method is a pure decision over a population; engines carry the decisions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pbt_core.population import Member, Population
from pbt_core.space import Hyperparameters, Space


@dataclass(frozen=True)
class Continue:
    """Train on, with other ``hyperparameters`` from now on unless they are None."""

    hyperparameters: Hyperparameters | None = None


@dataclass(frozen=True)
class Clone:
    """Become a child of ``parent``: train on with ``hyperparameters``, and from the parent's weights if ``weights``."""

    parent: int
    hyperparameters: Hyperparameters
    weights: bool = True


@dataclass(frozen=True)
class Restart:
    """Begin anew from fresh weights with ``hyperparameters``; the steps already taken stay charged."""

    hyperparameters: Hyperparameters


@dataclass(frozen=True)
class Stop:
    """Train no further; what is left of the member's budget stays unused."""


Decision = Continue | Clone | Restart | Stop
"""What a method can say about a member. An engine carries it out and records it."""


class Method(Protocol):
    """A search method. It holds settings only: all that a decision may depend on is in the population and the generator.

    ``start`` returns the hyperparameters of ``size`` members. ``decide`` is asked about one member each time it was
    evaluated (and has budget left) or failed. The generator is drawn from the member's name and step, so a decision does
    not depend on the order of the questions. For a failed member (``member.failed``) the answers are Clone with
    weights, Restart or Stop; Continue says that the method cannot replace it, which ends the run with an error.

    Two more are optional, each of which returns a line to be logged or None. ``never_decides(plan)``: why, by that plan, no
    member's course is ever changed. ``never_compared(population)``: why, as the population was at the end, none can have been.
    """

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        """The hyperparameters that ``size`` members begin with, each a value of ``space``; a function of ``rng``."""
        ...

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        """What ``member`` does next, after its interval ended. Changes nothing; the same arguments give the same answer."""
        ...


def initial(
    settings: Sequence[Hyperparameters], space: Space, size: int, rng: np.random.Generator
) -> list[Hyperparameters]:
    """``size`` members: the given ``settings`` first, one a member, then draws from the prior.

    What a setting leaves out is drawn. Member i gets the draw that it would get without any settings, whatever the
    settings of the others are. ValueError if there are more settings than members, or one that the space does not allow.
    """
    if len(settings) > size:
        raise ValueError(f"initial: {len(settings)} settings are more than the population of {size} has members")
    members: list[Hyperparameters] = [space.sample(rng) for _ in range(size)]
    # What a constraint makes of one member's setting must not move the others: a generator each.
    seeds = rng.integers(2**63, size=len(settings))
    for i, known in enumerate(settings):
        try:
            members[i] = space.complete(known, members[i], np.random.default_rng(int(seeds[i])))
        except ValueError as error:
            raise ValueError(f"initial, setting {i + 1} of {len(settings)}: {error}") from None
    return members
