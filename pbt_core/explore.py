"""Explore: how the hyperparameters of a replaced member change (the paper, section 3.1).

An explorer is a pure function ``(hyperparameters, space, rng) -> hyperparameters``; the classes below are such functions
together with their settings. Every hyperparameter is treated on its own, in the order of the space's declaration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pbt_core.space import Hyperparameters, Space, Value

Explore = Callable[[Hyperparameters, Space, np.random.Generator], dict[str, Value]]

#: The paper's factors. They drift downwards: E[log factor] = log(0.96) / 2 < 0.
PAPER_FACTORS = (1.2, 0.8)
#: Factors of mean 0 on the log scale, for whoever does not want the drift.
DRIFT_FREE_FACTORS = (1.2, 1 / 1.2)


@dataclass(frozen=True)
class Perturb:
    """Multiply each hyperparameter by one of ``factors``, drawn uniformly (the GAN of the paper: 2.0 or 0.5)."""

    factors: tuple[float, ...] = PAPER_FACTORS

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(float(factor) for factor in self.factors))
        if not self.factors or not all(factor > 0 for factor in self.factors):
            raise ValueError(f"Perturb: factors = {self.factors!r} must be one or more numbers above 0")

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        return {
            name: dimension.perturb(hyperparameters[name], self.factors[int(rng.integers(len(self.factors)))], rng)
            for name, dimension in space.items()
        }


@dataclass(frozen=True)
class Resample:
    """Draw each hyperparameter anew from its prior with ``probability`` (the paper gives none: 0.25 is our choice)."""

    probability: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"Resample: probability = {self.probability!r} must be in [0, 1]")

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        return {
            name: dimension.sample(rng) if rng.random() < self.probability else hyperparameters[name]
            for name, dimension in space.items()
        }


@dataclass(frozen=True)
class Noise:
    """Add Gaussian noise of standard deviation ``scale`` (the toy problem: a factor could not move h = 0)."""

    scale: float

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"Noise: scale = {self.scale!r} must be above 0")

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
        object.__setattr__(self, "explorers", tuple(self.explorers))

    def __call__(self, hyperparameters: Hyperparameters, space: Space, rng: np.random.Generator) -> dict[str, Value]:
        changed = dict(hyperparameters)
        for explore in self.explorers:
            changed = explore(changed, space, rng)
        return changed
