"""The domains: every folder of ``reproductions`` that holds a ``sweep.py``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Snakemake plans without the library
    from pbt_core import Space

HERE = Path(__file__).parent.parent.parent


class ConfigError(ValueError):
    """What was asked for cannot be run; the message names the key, the value and the rule."""


def domains() -> list[str]:
    """Names of all domains, sorted."""
    return sorted(path.parent.name for path in HERE.glob("*/sweep.py"))


def sweep(domain: str) -> ModuleType:
    """The ``sweep`` module of a domain; needs neither torch nor a simulator."""
    return _module(domain, "sweep")


def space(domain: str, problem: str) -> Space:
    """The space of a problem: its own, where its domain's sweep has ``SPACES`` that name it, or else the domain's."""
    module = sweep(domain)
    spaces: Mapping[str, Space] = getattr(module, "SPACES", {})
    default: Space = module.SPACE
    return spaces.get(problem, default)


def analysis(domain: str) -> ModuleType:
    """The ``analysis`` module of a domain; needs neither torch nor a simulator."""
    return _module(domain, "analysis")


def task_class(domain: str) -> Any:
    """The task's class. ConfigError if a package that its module imports is not installed."""
    try:
        return _module(domain, "task").TASK
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == __package__.partition(".")[0]:
            raise  # a module of ours is no matter of installation
        raise ConfigError(
            f"domain {domain!r} needs the module {error.name!r}: pip install 'pbt-suite[{domain}]'"
        ) from None


def _module(domain: str, name: str) -> ModuleType:
    if domain not in domains():
        raise ConfigError(f"domain = {domain!r} must be one of {domains()}")
    return importlib.import_module(f"reproductions.{domain}.{name}")
