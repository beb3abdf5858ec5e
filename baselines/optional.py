"""Libraries that only some methods need: imported where they are used; the error for a missing one names its extra."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from baselines.extras import install
from pbt_core.dimensions import Choice, Dimension, Integer, LogUniform, OneMinus, Uniform
from pbt_core.space import Hyperparameters, Space, Value


def require_modules(method: str, *modules: str) -> None:
    """ValueError, naming the extra that brings it, if one of ``modules`` is not installed. Imports nothing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"{method} needs the module {module!r}: {install('baselines')}")


def optuna() -> ModuleType:
    """The module, silent but for errors."""
    module = importlib.import_module("optuna")
    module.logging.set_verbosity(module.logging.ERROR)
    return module


def distributions(space: Space) -> dict[str, Any]:
    """The space as optuna's distributions: choices by their places, ``OneMinus`` by 1 - x.

    ValueError for a dimension of a user's class, which optuna cannot sample.
    """
    kinds = optuna().distributions

    def distribution(name: str, dimension: object) -> Any:
        match dimension:
            case Uniform(low, high):
                return kinds.FloatDistribution(low, high)
            case LogUniform(low, high):
                return kinds.FloatDistribution(low, high, log=True)
            case OneMinus(low, high):
                return kinds.FloatDistribution(1 - high, 1 - low, log=True)
            case Integer(low, high, log):
                return kinds.IntDistribution(low, high, log=log)
            case Choice(values):
                return kinds.CategoricalDistribution(range(len(values)))
        raise ValueError(f"hyperparameter {name!r} is of type {type(dimension).__name__}, which optuna cannot search")

    return {name: distribution(name, dimension) for name, dimension in space.items()}


def to_optuna(space: Space, hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Hyperparameters as values of ``distributions``."""

    def converted(dimension: Dimension, value: Any) -> Any:
        if isinstance(dimension, Choice):
            return dimension.index(value)
        return 1 - value if isinstance(dimension, OneMinus) else value

    return {name: converted(space[name], value) for name, value in hyperparameters.items()}


def from_optuna(space: Space, params: Mapping[str, Any]) -> dict[str, Value]:
    """The inverse of ``to_optuna``, within the bounds."""

    def converted(dimension: Dimension, value: Any) -> Value:
        if isinstance(dimension, Choice):
            return dimension.values[int(value)]
        return dimension.clip(1 - value if isinstance(dimension, OneMinus) else value)

    return {name: converted(dimension, params[name]) for name, dimension in space.items()}
