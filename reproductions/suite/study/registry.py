"""The domains: every folder of ``reproductions`` that holds a ``sweep.py``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent.parent.parent


class ConfigError(ValueError):
    """What was asked for cannot be run; the message names the key, the value and the rule."""


def domains() -> list[str]:
    """Names of all domains, sorted."""
    return sorted(path.parent.name for path in HERE.glob("*/sweep.py"))


def sweep(domain: str) -> ModuleType:
    """The ``sweep`` module of a domain; needs neither torch nor a simulator."""
    return _module(domain, "sweep")


def analysis(domain: str) -> ModuleType:
    """The ``analysis`` module of a domain; needs neither torch nor a simulator."""
    return _module(domain, "analysis")


def importable(domain: str) -> bool:
    """Whether all that the module of the domain's task imports is installed."""
    return not _not_installed(domain)


def task_class(domain: str) -> Any:
    """The task's class. ConfigError if something that its module imports is not installed."""
    if lines := _not_installed(domain):
        raise ConfigError(f"domain {domain!r} needs {lines[0]}")
    return _module(domain, "task").TASK


def _not_installed(domain: str) -> list[str]:
    lines = (requirement.missing({}) for requirement in sweep(domain).REQUIRES if requirement.imported)
    return [line for line in lines if line is not None]


def missing(domain: str, task: Mapping[str, Any]) -> list[str]:
    """What runs of a domain with these settings of the task lack on this machine: one line each, with the remedy."""
    lines = (requirement.missing(task) for requirement in sweep(domain).REQUIRES)
    return list(dict.fromkeys(line for line in lines if line is not None))


def _module(domain: str, name: str) -> ModuleType:
    if domain not in domains():
        raise ConfigError(f"domain = {domain!r} must be one of {domains()}")
    return importlib.import_module(f"reproductions.{domain}.{name}")
