"""A hyperparameter that is a number, as its place between its bounds: in [0, 1], uniform where it is drawn from its prior.

Log-uniform ones are placed by their logarithm; whole numbers are rounded on the way back.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from pbt_core.dimensions import Dimension, Integer, LogUniform, OneMinus, Uniform
from pbt_core.values import Value

Real = Uniform | LogUniform | OneMinus | Integer


def is_real(dimension: Dimension) -> TypeGuard[Real]:
    """Whether its values are numbers that can be interpolated; choices and a user's types are not."""
    return isinstance(dimension, Real)


def to_unit(dimension: Dimension, value: Any) -> float:
    """Where ``value`` stands between the bounds."""
    low, high, log = _bounds(dimension)
    if low == high:  # whole numbers so large that their bounds are one float
        return 0.5
    if isinstance(dimension, OneMinus):
        return (-math.log(1 - value) - low) / (high - low)
    return (math.log(value) - low) / (high - low) if log else (value - low) / (high - low)


def from_unit(dimension: Dimension, unit: float) -> Value:
    """The inverse of ``to_unit``, within the bounds; whole numbers are the nearest."""
    low, high, log = _bounds(dimension)
    inner = low + unit * (high - low)
    if isinstance(dimension, OneMinus):
        return dimension.clip(1 - math.exp(-inner))
    return dimension.clip(math.exp(inner) if log else inner)


def _bounds(dimension: Dimension) -> tuple[float, float, bool]:
    """What 0 and 1 stand for, and whether that is a logarithm. Whole numbers have half a unit of margin, as in their prior."""
    match dimension:
        case Uniform(low, high):
            return low, high, False
        case LogUniform(low, high):
            return math.log(low), math.log(high), True
        case OneMinus(low, high):
            return -math.log(1 - low), -math.log(1 - high), True
        case Integer(low, high, False):
            return low - 0.5, high + 0.5, False
        case Integer(low, high, _):
            return math.log(low - 0.5), math.log(high + 0.5), True
    raise TypeError(f"{dimension!r} has no unit interval")
