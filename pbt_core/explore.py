"""Explore: how the hyperparameters of a replaced member change (the paper, section 3.1).

An explorer is a pure function ``(hyperparameters, space, rng) -> hyperparameters``; the classes below are such functions
together with their settings. Every hyperparameter is treated on its own, in the order of the space's declaration. Constraints
between them are enforced by ``explored``, through which methods call their explorers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from pbt_core.dimensions import Dimension, Integer
from pbt_core.fields import ONE_OR_MORE, Float, above, checked, within
from pbt_core.space import Hyperparameters, Space, Value
from pbt_core.unit import from_unit, is_real, to_unit
from pbt_core.values import called, name_of, shown

#: Noise of more than so many times a range's width is too much: nineteen in twenty values then leave the range.
TOO_NOISY = 10


class ExploreWarning(UserWarning):
    """An explorer that does not suit the space: it goes from bound to bound."""


Explore = Callable[[Hyperparameters, Space, np.random.Generator], dict[str, Value]]
"""An explorer: other hyperparameters from these, all of the space's names."""

PAPER_FACTORS = (1.2, 0.8)
"""The paper's factors. They drift downwards: E[log factor] = log(0.96) / 2 < 0."""

DRIFT_FREE_FACTORS = (1.2, 1 / 1.2)
"""Factors of mean 0 on the log scale: without that drift."""


@dataclass(frozen=True)
class Perturb:
    """Multiply each hyperparameter by one of ``factors``, drawn uniformly (the GAN of the paper: 2.0 or 0.5)."""

    factors: Annotated[tuple[Annotated[Float, above(0)], ...], ONE_OR_MORE] = PAPER_FACTORS

    def __post_init__(self) -> None:
        checked(self)

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        return {
            name: dimension.perturb(hyperparameters[name], self.factors[int(rng.integers(len(self.factors)))], rng)
            for name, dimension in space.items()
        }


@dataclass(frozen=True)
class Nudge:
    """Move each number up or down by ``share`` of its range, on the scale of its prior: logarithmic where that is.

    For ranges that are narrow and far from 0, where factors lead from bound to bound. Ordered choices move to a
    neighbour, unordered ones are drawn anew.
    """

    share: Annotated[Float, within("(0, 1]")] = 0.1

    def __post_init__(self) -> None:
        checked(self)

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        changed: dict[str, Value] = {}
        for name, dimension in space.items():
            value, up = hyperparameters[name], bool(rng.integers(2))
            factor = 1 + self.share if up else 1 / (1 + self.share)
            if not is_real(dimension):
                changed[name] = dimension.perturb(value, factor, rng)
                continue
            unit = to_unit(dimension, value) + (self.share if up else -self.share)
            moved = from_unit(dimension, min(max(unit, 0.0), 1.0))
            if moved == value and isinstance(dimension, Integer):  # rounding must not undo the change
                moved = dimension.shift(value, 1 if up else -1)
            changed[name] = moved
        return changed


@dataclass(frozen=True)
class Resample:
    """Draw each hyperparameter anew from its prior with ``probability`` (the paper gives none: 0.25 is our choice)."""

    probability: Annotated[float, within("[0, 1]")] = 0.25

    def __post_init__(self) -> None:
        checked(self)

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        return {
            name: dimension.sample(rng) if rng.random() < self.probability else hyperparameters[name]
            for name, dimension in space.items()
        }


@dataclass(frozen=True)
class Noise:
    """Add Gaussian noise of standard deviation ``scale`` (the toy problem: a factor could not move h = 0)."""

    scale: Annotated[float, above(0)]

    def __post_init__(self) -> None:
        checked(self)

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        return {
            name: dimension.shift(hyperparameters[name], self.scale * rng.standard_normal())
            for name, dimension in space.items()
        }


@dataclass(frozen=True)
class Compose:
    """One explorer after another: ``Compose((Perturb(), Resample(0.25)))`` redraws a quarter and perturbs the rest."""

    explorers: tuple[Explore, ...]

    def __post_init__(self) -> None:
        checked(self)

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        changed = dict(hyperparameters)
        for explore in self.explorers:
            changed = explore(changed, space, rng)
        return changed


def explored(
    explore: Explore, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator
) -> dict[str, Value]:
    """What ``explore`` makes of the hyperparameters; again from the same ones until the space's constraint holds.

    Values are restored to declared ones: before, since a record holds JSON's, and after, so that numpy's become Python's.
    ValueError if the constraint never holds, or if ``explore`` raises or gives no mapping.
    """

    hyperparameters = space.restore(hyperparameters)

    def propose() -> Hyperparameters:
        changed = called("explore", explore, dict(hyperparameters), space, rng)
        if not isinstance(changed, Mapping):
            raise ValueError(
                f"explore {name_of(explore)} gave {shown(changed)}: it must give a mapping of all hyperparameters"
            )
        return changed

    return space.first(propose, f"explores of {dict(hyperparameters)}")


def explore_warnings(space: Space, explore: Explore | None) -> list[str]:
    """One line for each number that ``explore`` moves onto a bound from (nearly) anywhere in its range; empty if all is well.

    So do factors in a range whose ends are less than a factor apart, as a discount's in [0.9, 0.999]. A user's
    explorers are not judged.
    """
    match explore:
        case Compose(explorers):
            return [line for inner in explorers for line in explore_warnings(space, inner)]
        case Perturb(factors):
            affected = {name: dimension for name, dimension in space.items() if _always_leave(dimension, factors)}
            reason = "takes every value in the range onto a bound"
            remedy = "declare OneMinus(low, high) if it is 1 - x that matters, or explore with Nudge()"
        case Noise(scale):
            affected = {name: dimension for name, dimension in space.items() if scale >= TOO_NOISY * _width(dimension)}
            reason = "takes nearly every value in the range onto a bound"
            remedy = "use less of it, or explore with Nudge(), which counts in shares of each range"
        case _:
            return []
    return [
        f"hyperparameter {name!r} = {dimension!r}: {explore!r} {reason}; {remedy}"
        for name, dimension in affected.items()
    ]


def warn_of(space: Space, explore: Explore | None) -> None:
    """Issue ``explore_warnings``: a method calls this when it starts, which is when it meets the space."""
    for line in explore_warnings(space, explore):
        # Issued from this line whatever the caller is, so that Python shows each message once.
        warnings.warn(line, ExploreWarning, stacklevel=1)


def _always_leave(dimension: Dimension, factors: tuple[float, ...]) -> bool:
    """Whether each factor takes both ends of the range, and so all between them, to one bound."""
    if not is_real(dimension) or (_width(dimension) < 2 and isinstance(dimension, Integer)):
        return False  # an integer of two values has no others than its bounds
    ends: tuple[Any, Any] = (dimension.low, dimension.high)
    unused = np.random.default_rng(0)
    return all(len({dimension.perturb(end, factor, unused) for end in ends}) == 1 for factor in factors)


def _width(dimension: Dimension) -> float:
    return dimension.high - dimension.low if is_real(dimension) else float("inf")
