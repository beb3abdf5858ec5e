"""The types of hyperparameters, each of which says how a value is drawn, changed and bounded.

Every dimension offers the same operations. ``sample`` draws from the prior, ``perturb`` multiplies by a factor (or does
what comes nearest to it for integers and categories), ``shift`` adds, ``clip`` brings a value into the bounds, ``check``
says which rule a value breaks and ``restore`` undoes what JSON does to a value. A factor above 1 takes a positive value
up and an ordered category to the next one; a negative value it takes away from 0, as multiplying does. No operation ever
returns a value outside the bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pbt_core.values import Value, fits, flag, flaw, is_number, listed, number, plain, same, shown, whole_number


class Dimension(Protocol):
    """What a hyperparameter's type must offer; implement it to add a type of your own."""

    def sample(self, rng: np.random.Generator) -> Value:
        """A draw from the prior."""
        ...

    def perturb(self, value: Any, factor: float, rng: np.random.Generator) -> Value:
        """``value`` times ``factor``, or what comes nearest to it; a factor above 1 takes positive values up."""
        ...

    def shift(self, value: Any, amount: float) -> Value:
        """``value`` plus ``amount``, or what comes nearest to it."""
        ...

    def clip(self, value: Any) -> Value:
        """The nearest value within the bounds."""
        ...

    def check(self, value: Any) -> str | None:
        """The rule that ``value`` breaks, or None."""
        ...

    def restore(self, value: Any) -> Any:
        """The declared value that was written as ``value``, which comes from JSON, or ``value`` if there is none.

        A type without this operation takes values as JSON gives them.
        """
        return value


@dataclass(frozen=True)
class _Real:
    low: float
    high: float

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name in ("low", "high"):
            bound = number(kind, name, getattr(self, name))
            # A whole number that no float equals would be rounded by every operation, perhaps out of the bounds.
            object.__setattr__(self, name, bound if bound == float(bound) else float(bound))
        if not self.low < self.high:
            raise ValueError(f"{kind}: low = {self.low!r} must be below high = {self.high!r}")
        if not math.isfinite(float(self.high) - float(self.low)):
            raise ValueError(f"{kind}: high - low = {self.high!r} - {self.low!r} must be a finite number")

    def perturb(self, value: float, factor: float, rng: np.random.Generator) -> float:
        """``value`` times ``factor``, within the bounds."""
        return self.clip(value * factor)

    def shift(self, value: float, amount: float) -> float:
        """``value`` plus ``amount``, within the bounds."""
        return self.clip(value + amount)

    def clip(self, value: float) -> float:
        """The nearest value within the bounds."""
        return float(min(max(value, self.low), self.high))

    def check(self, value: Any) -> str | None:
        """The rule that ``value`` breaks, or None."""
        if is_number(value) and self.low <= value <= self.high:
            return None
        return f"a number in [{self.low}, {self.high}]"

    def restore(self, value: Any) -> Any:
        """JSON may have lost the point of 1.0."""
        if value.__class__ is float:
            return value
        plain_value = plain(value)
        return float(plain_value) if is_number(plain_value) else plain_value


@dataclass(frozen=True)
class Uniform(_Real):
    """A real number, uniform over [low, high]. A factor cannot move the value 0: use an additive explore there.

    Nor do factors suit a range far from 0 for its width, such as [0.9, 0.999]: see ``OneMinus`` and ``Nudge``.
    """

    def sample(self, rng: np.random.Generator) -> float:
        """A draw from the prior."""
        return self.clip(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform(_Real):
    """A positive real number whose logarithm is uniform over [log low, log high]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise ValueError(f"LogUniform: low = {self.low!r} must be above 0")
        if math.log(self.low) >= math.log(self.high):
            raise ValueError(f"LogUniform: low = {self.low!r} and high = {self.high!r} are too close: one logarithm")

    def sample(self, rng: np.random.Generator) -> float:
        """A draw from the prior."""
        # exp(log(high)) may exceed high by a rounding error, hence the clip.
        return self.clip(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))


@dataclass(frozen=True)
class OneMinus(_Real):
    """A real number x below 1 of which 1 - x is log-uniform: discounts, momentum, Adam's betas.

    >>> OneMinus(low=0.9, high=0.999)  # 0.9 to 0.99 is drawn as often as 0.99 to 0.999

    A factor divides 1 - x, so that a factor above 1 takes every value up: 1.2 makes of 0.9 about 0.917, and 0.99 becomes 0.988
    under 0.8. ``shift`` adds to x itself.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.high >= 1:
            raise ValueError(f"OneMinus: high = {self.high!r} must be below 1")
        if math.log(1 - self.high) >= math.log(1 - self.low):
            raise ValueError(f"OneMinus: low = {self.low!r} and high = {self.high!r} are too close: 1 - x is the same")

    def sample(self, rng: np.random.Generator) -> float:
        """A draw from the prior."""
        return self.clip(1 - math.exp(rng.uniform(math.log(1 - self.high), math.log(1 - self.low))))

    def perturb(self, value: float, factor: float, rng: np.random.Generator) -> float:
        """1 - x divided by ``factor``, within the bounds."""
        return self.clip(1 - (1 - value) / factor)


@dataclass(frozen=True)
class Integer:
    """A whole number of 64 bits, uniform over {low, ..., high} (both included), or log-uniform if ``log``."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = whole_number("Integer", name, number("Integer", name, getattr(self, name)))
            if not fits(bound):
                raise ValueError(f"Integer: {name} = {bound!r} must fit 64 bits")
            object.__setattr__(self, name, bound)
        object.__setattr__(self, "log", flag("Integer", "log", self.log))
        if not self.low < self.high:
            raise ValueError(f"Integer: low = {self.low!r} must be below high = {self.high!r}")
        if self.log and self.low <= 0:
            raise ValueError(f"Integer: low = {self.low!r} must be above 0 when log is set")

    def sample(self, rng: np.random.Generator) -> int:
        """A draw from the prior."""
        if not self.log:
            return int(rng.integers(self.low, self.high, endpoint=True))
        # Half a unit of margin on both sides gives the end values their share.
        return self.clip(math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5))))

    def perturb(self, value: int, factor: float, rng: np.random.Generator) -> int:
        """Round ``value * factor``; when rounding would undo the change, move by one instead (2 x 1.2 gives 3)."""
        moved = self.clip(value * factor)
        if moved == value and factor != 1:
            moved = value + (1 if (factor > 1) == (value >= 0) else -1)
        return self.clip(moved)

    def shift(self, value: int, amount: float) -> int:
        """``value`` plus ``amount``, rounded, within the bounds."""
        return self.clip(value + amount)

    def clip(self, value: float) -> int:
        """The nearest whole number within the bounds."""
        return round(min(max(value, self.low), self.high))

    def check(self, value: Any) -> str | None:
        """The rule that ``value`` breaks, or None."""
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return None
        return f"a whole number in [{self.low}, {self.high}]"

    def restore(self, value: Any) -> Any:
        """The value that was written as ``value``."""
        return plain(value)


@dataclass(frozen=True)
class Choice:
    """One of ``values``. Perturbing moves to a neighbour if ``ordered`` (up for factors above 1), else draws anew.

    values: numbers, strings, booleans, None, or tuples of them; lists and arrays become tuples. Kinds may be mixed: True,
        1 and 1.0 are three values.
    """

    values: tuple[Value, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        values = listed("Choice", "values", self.values, "Choice((16, 32, 64))")
        for value in values:
            if why := flaw(value):
                rule = "a choice must be a number, a string, a boolean, None or a tuple of such"
                raise ValueError(f"Choice: values: {shown(value)}, {why}: {rule}")
        if len(values) < 2 or any(same(a, b) for i, a in enumerate(values) for b in values[:i]):
            raise ValueError(f"Choice: values = {shown(values)} must be two or more different values")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "ordered", flag("Choice", "ordered", self.ordered))

    def sample(self, rng: np.random.Generator) -> Value:
        """A draw from all values, each as likely."""
        return self.values[int(rng.integers(len(self.values)))]

    def perturb(self, value: Value, factor: float, rng: np.random.Generator) -> Value:
        """The neighbour in the direction of ``factor`` if the values are ordered; else a draw from all of them."""
        return self.shift(value, factor - 1) if self.ordered else self.sample(rng)

    def shift(self, value: Value, amount: float) -> Value:
        """The neighbour in the direction of ``amount``; the last value in a direction stays where it is."""
        if not self.ordered or amount == 0:
            return value
        index = self.index(value) + (1 if amount > 0 else -1)
        return self.values[min(max(index, 0), len(self.values) - 1)]

    def clip(self, value: Value) -> Value:
        """The declared value that is meant; ValueError if it is none."""
        return self.values[self.index(value)]

    def check(self, value: Any) -> str | None:
        """The rule that ``value`` breaks, or None."""
        return None if any(same(value, declared) for declared in self.values) else f"one of {list(self.values)}"

    def restore(self, value: Any) -> Any:
        """A number that lost or gained its point on the way is the declared one, if only one is meant."""
        plain_value = plain(value)
        alike = [declared for declared in self.values if same(plain_value, declared)]
        if not alike and is_number(plain_value):
            alike = [declared for declared in self.values if is_number(declared) and plain_value == declared]
        return alike[0] if len(alike) == 1 else plain_value

    def index(self, value: Any) -> int:
        """The place of ``value`` among the declared ones; ValueError if it is none."""
        restored = self.restore(value)
        for index, declared in enumerate(self.values):
            if same(restored, declared):
                return index
        raise ValueError(f"Choice: {value!r} must be one of {list(self.values)}")
