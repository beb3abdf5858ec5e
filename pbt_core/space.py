"""The search space: one declared type per hyperparameter, which says how it is drawn, changed and bounded.

Every dimension offers the same three operations. ``sample`` draws from the prior, ``perturb`` multiplies by a factor (or
does what comes nearest to it for integers and categories) and ``clip`` brings a value into the bounds. No operation ever
returns a value outside the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Value = float | int | str | bool
Hyperparameters = Mapping[str, Value]


class Dimension(Protocol):
    """What a hyperparameter's type must offer; implement it to add a type of your own."""

    def sample(self, rng: np.random.Generator) -> Value: ...

    def perturb(self, value: Any, factor: float, rng: np.random.Generator) -> Value: ...

    def shift(self, value: Any, amount: float) -> Value: ...

    def clip(self, value: Any) -> Value: ...

    def check(self, value: Any) -> str | None:
        """The rule that ``value`` breaks, or None."""
        ...


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_bounds(kind: str, low: Any, high: Any) -> None:
    for name, bound in (("low", low), ("high", high)):
        if not _is_number(bound):
            raise ValueError(f"{kind}: {name} = {bound!r} must be a finite number")
    if not low < high:
        raise ValueError(f"{kind}: low = {low!r} must be below high = {high!r}")


@dataclass(frozen=True)
class _Real:
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(type(self).__name__, self.low, self.high)

    def perturb(self, value: float, factor: float, rng: np.random.Generator) -> float:
        return self.clip(value * factor)

    def shift(self, value: float, amount: float) -> float:
        return self.clip(value + amount)

    def clip(self, value: float) -> float:
        return float(min(max(value, self.low), self.high))

    def check(self, value: Any) -> str | None:
        if _is_number(value) and self.low <= value <= self.high:
            return None
        return f"a number in [{self.low}, {self.high}]"


@dataclass(frozen=True)
class Uniform(_Real):
    """A real number, uniform over [low, high]. A factor cannot move the value 0: use an additive explore there."""

    def sample(self, rng: np.random.Generator) -> float:
        return self.clip(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform(_Real):
    """A positive real number whose logarithm is uniform over [log low, log high]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise ValueError(f"LogUniform: low = {self.low!r} must be above 0")

    def sample(self, rng: np.random.Generator) -> float:
        # exp(log(high)) may exceed high by a rounding error, hence the clip.
        return self.clip(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))


@dataclass(frozen=True)
class Integer:
    """A whole number, uniform over {low, ..., high} (both included), or log-uniform if ``log``."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds("Integer", self.low, self.high)
        for name, bound in (("low", self.low), ("high", self.high)):
            if not isinstance(bound, int):
                raise ValueError(f"Integer: {name} = {bound!r} must be a whole number")
        if self.log and self.low <= 0:
            raise ValueError(f"Integer: low = {self.low!r} must be above 0 when log is set")

    def sample(self, rng: np.random.Generator) -> int:
        if not self.log:
            return int(rng.integers(self.low, self.high, endpoint=True))
        # Half a unit of margin on both sides gives the end values their share.
        return self.clip(math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5))))

    def perturb(self, value: int, factor: float, rng: np.random.Generator) -> int:
        """Round ``value * factor``; when rounding would undo the change, move by one instead (2 x 1.2 gives 3)."""
        moved = round(value * factor)
        if moved == value and factor != 1:
            moved = value + (1 if (factor > 1) == (value >= 0) else -1)
        return self.clip(moved)

    def shift(self, value: int, amount: float) -> int:
        return self.clip(value + amount)

    def clip(self, value: float) -> int:
        return int(min(max(round(value), self.low), self.high))

    def check(self, value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return None
        return f"a whole number in [{self.low}, {self.high}]"


@dataclass(frozen=True)
class Choice:
    """One of ``values``. Perturbing moves to a neighbour if ``ordered`` (up for factors above 1), else draws anew."""

    values: tuple[Value, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if len(self.values) < 2 or len(set(map(repr, self.values))) != len(self.values):
            raise ValueError(f"Choice: values = {self.values!r} must be two or more different values")

    def sample(self, rng: np.random.Generator) -> Value:
        return self.values[int(rng.integers(len(self.values)))]

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        return self.shift(value, factor - 1) if self.ordered else self.sample(rng)

    def shift(self, value: Value, amount: float) -> Value:
        """The neighbour in the direction of ``amount``; the last value in a direction stays where it is."""
        if not self.ordered or amount == 0:
            return value
        index = self.values.index(value) + (1 if amount > 0 else -1)
        return self.values[min(max(index, 0), len(self.values) - 1)]

    def clip(self, value: Value) -> Value:
        if value not in self.values:
            raise ValueError(f"Choice: {value!r} must be one of {list(self.values)}")
        return value

    def check(self, value: Any) -> str | None:
        return None if value in self.values else f"one of {list(self.values)}"


class Space(Mapping[str, Dimension]):
    """The dimensions by name. Iteration follows the order of declaration, and so does every draw.

    >>> space = Space({"lr": LogUniform(1e-5, 1e-2), "layers": Integer(1, 8)})
    """

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        if not dimensions:
            raise ValueError("Space: at least one hyperparameter must be declared")
        self._dimensions = dict(dimensions)

    def __getitem__(self, name: str) -> Dimension:
        return self._dimensions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dimensions)

    def __len__(self) -> int:
        return len(self._dimensions)

    def __repr__(self) -> str:
        return f"Space({self._dimensions!r})"

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """One draw of every hyperparameter from its prior."""
        return {name: dimension.sample(rng) for name, dimension in self.items()}

    def check(self, hyperparameters: Hyperparameters) -> None:
        """Raise ValueError, naming the key, the value and the rule, unless every value is declared and in bounds."""
        for name in hyperparameters:
            if name not in self:
                raise ValueError(f"hyperparameter {name!r} is not declared; the space has {list(self)}")
        for name, dimension in self.items():
            if name not in hyperparameters:
                raise ValueError(f"hyperparameter {name!r} is missing; the space has {list(self)}")
            if rule := dimension.check(hyperparameters[name]):
                raise ValueError(f"hyperparameter {name!r} = {hyperparameters[name]!r} must be {rule}")
