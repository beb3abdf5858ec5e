"""Libraries that only some methods need: imported where they are used, and asked for in one clear line."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

from pbt_core.space import Choice, Integer, LogUniform, Space, Uniform


def needed(method: str, *modules: str) -> None:
    """ValueError, naming the extra that brings it, if one of ``modules`` is not installed. Imports nothing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"{method} needs the module {module!r}: pip install 'pbt-suite[baselines]'")


def optuna() -> ModuleType:
    """The module, silent but for errors."""
    module = importlib.import_module("optuna")
    module.logging.set_verbosity(module.logging.ERROR)
    return module


def distributions(space: Space) -> dict[str, Any]:
    """The space in optuna's words. ValueError for a dimension of the user's own, which has none."""
    kinds = optuna().distributions

    def told(name: str, dimension: object) -> Any:
        match dimension:
            case Uniform(low, high):
                return kinds.FloatDistribution(low, high)
            case LogUniform(low, high):
                return kinds.FloatDistribution(low, high, log=True)
            case Integer(low, high, log):
                return kinds.IntDistribution(low, high, log=log)
            case Choice(values):
                return kinds.CategoricalDistribution(values)
        raise ValueError(f"hyperparameter {name!r} is of type {type(dimension).__name__}, which optuna cannot search")

    return {name: told(name, dimension) for name, dimension in space.items()}
