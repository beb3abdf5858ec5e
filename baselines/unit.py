"""Numbers of a space in [0, 1], uniform under their priors: logarithmic ones in the logarithm, whole ones rounded back."""

from __future__ import annotations

import math
from typing import Any

from pbt_core.space import Dimension, Integer, LogUniform, Uniform, Value


def is_real(dimension: Dimension) -> bool:
    """Whether its values are numbers that can be interpolated; choices and types of the user's own are not."""
    return isinstance(dimension, Uniform | LogUniform | Integer)


def to_unit(dimension: Dimension, value: Any) -> float:
    """Where ``value`` stands between the bounds."""
    low, high, log = _bounds(dimension)
    return (math.log(value) - low) / (high - low) if log else (value - low) / (high - low)


def from_unit(dimension: Dimension, unit: float) -> Value:
    """The inverse of ``to_unit``, within the bounds; whole numbers are the nearest."""
    low, high, log = _bounds(dimension)
    inner = low + unit * (high - low)
    return dimension.clip(math.exp(inner) if log else inner)


def _bounds(dimension: Dimension) -> tuple[float, float, bool]:
    """What 0 and 1 stand for, and whether that is a logarithm. Whole numbers have half a unit of margin, as in their prior."""
    match dimension:
        case Uniform(low, high):
            return low, high, False
        case LogUniform(low, high):
            return math.log(low), math.log(high), True
        case Integer(low, high, False):
            return low - 0.5, high + 0.5, False
        case Integer(low, high, _):
            return math.log(low - 0.5), math.log(high + 0.5), True
    raise TypeError(f"{dimension!r} has no unit interval")
