"""The domains: every folder of ``reproductions`` that holds a ``sweep.py``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:  # Snakemake plans without the library
    from pbt_core import Space

#: Modules that keep the contract.
_checked: WeakSet[ModuleType] = WeakSet()
HERE = Path(__file__).parent.parent.parent


class ConfigError(ValueError):
    """What was asked for cannot be run; the message names the key, the value and the rule."""


def domains() -> list[str]:
    """Names of all domains, sorted."""
    return sorted(path.parent.name for path in HERE.glob("*/sweep.py"))


def sweep(domain: str) -> ModuleType:
    """The ``sweep`` module of a domain; needs neither torch nor a simulator. ConfigError where it breaks the contract."""
    return _module(domain, "sweep")


def space(domain: str, problem: str, task: Mapping[str, Any]) -> Space:
    """What is searched in a problem with these settings of the ``task``, as its domain's sweep declares it.

    The wider one of a setting that is true (``WIDER``), or else the problem's own (``SPACES``), or the domain's.
    """
    module = sweep(domain)
    wider: Mapping[str, Space] = getattr(module, "WIDER", {})
    if (searched := next((space for setting, space in wider.items() if task.get(setting) is True), None)) is not None:
        return searched
    spaces: Mapping[str, Space] = getattr(module, "SPACES", {})
    default: Space = module.SPACE
    return spaces.get(problem, default)


def analysis(domain: str) -> ModuleType:
    """The ``analysis`` module of a domain; needs neither torch nor a simulator. ConfigError where it breaks the contract."""
    return _module(domain, "analysis")


def fault(domain: str) -> str | None:
    """What keeps a domain from being read and judged, in one line: its sweep or its analysis; None where nothing does."""
    try:
        sweep(domain), analysis(domain)
    except ConfigError as error:
        return str(error)
    return None


def task_class(domain: str) -> Any:
    """The task's class. ConfigError if a package that its module imports is not installed, or it breaks the contract."""
    return _module(domain, "task").TASK


def _module(domain: str, name: str) -> ModuleType:
    from reproductions.suite.study import contract  # which needs what is declared here

    if domain not in domains():
        raise ConfigError(f"domain = {domain!r} must be one of {domains()}")
    try:
        module = importlib.import_module(f"reproductions.{domain}.{name}")
    except ModuleNotFoundError as error:
        ours = error.name is None or error.name.partition(".")[0] == __package__.partition(".")[0]
        if ours or name != "task":  # no matter of installation
            raise contract.cannot_be_imported(domain, name, error) from error
        from baselines.extras import install  # with what it imports: not before it is needed

        raise ConfigError(f"domain {domain!r} needs the module {error.name!r}: {install(domain)}") from None
    except Exception as error:
        raise contract.cannot_be_imported(domain, name, error) from error
    if module not in _checked:
        contract.check(module, domain, name)
        _checked.add(module)
    return module
