"""What is said, by ``logging``, of a run in which the method cannot do what it is for. It is a search all the same."""

from __future__ import annotations

import logging
from pathlib import Path

from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.population import Population

log = logging.getLogger("pbt_core")


def remark_on_plan(method: Method, plan: Plan, directory: Path) -> None:
    """When a run begins: why the method never decides anything in it, as ``method.never_decides(plan)`` has it."""
    _say(getattr(method, "never_decides", None), plan, directory)


def remark_on_end(method: Method, population: Population, directory: Path) -> None:
    """When it has ended: why it never compared members, as ``method.never_compared(population)`` has it."""
    _say(getattr(method, "never_compared", None), population, directory)


def _say(reason: object, subject: Plan | Population, directory: Path) -> None:
    line = reason(subject) if callable(reason) else None
    if line is not None:
        log.warning("%s: %s", directory, line)
