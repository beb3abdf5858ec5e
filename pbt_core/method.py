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
    """Train on; with other hyperparameters from now on if some are given."""

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


class Method(Protocol):
    """A search method. It holds settings only: all it may remember is in the population and in the given generator.

    ``start`` returns the hyperparameters of ``size`` members. ``decide`` is asked about one member each time it was
    evaluated (and has budget left) or failed. The generator is drawn from the member's name and step, so a decision does
    not depend on the order of the questions. For a failed member (``member.failed``) the answers are Clone with
    weights, Restart or Stop; Continue says that the method cannot replace it, which ends the run with an error.
    """

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]: ...

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision: ...


def initial(
    settings: Sequence[Hyperparameters], space: Space, size: int, rng: np.random.Generator
) -> list[Hyperparameters]:
    """``settings`` repeated over ``size`` members in turn or, if there are none, draws from the prior."""
    if settings:
        return [settings[i % len(settings)] for i in range(size)]
    return [space.sample(rng) for _ in range(size)]
