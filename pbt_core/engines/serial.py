"""The serial engine: one interval after another in this process. The oracle that other engines are tested against."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from pbt_core.calls import global_generators_kept
from pbt_core.engines.base import driving, limit_threads
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.run import Run
from pbt_core.task import AnyTask
from pbt_core.work import Bench


@dataclass(frozen=True)
class Serial:
    """Everything in this process, on one thread. Keeps the states of all members in memory."""

    def run(
        self,
        task: AnyTask,
        method: Method,
        plan: Plan,
        directory: Path,
        observer: Observer | None = None,
        *,
        extend: bool = False,
    ) -> Run:
        """See ``Engine.run``."""
        limit_threads(1)
        with driving(task, method, plan, directory, observer, extend) as driver:
            bench = Bench(task, driver.store, plan.seed)
            with global_generators_kept(), contextlib.closing(bench):
                while (work := driver.next_work()) is not None:
                    driver.complete(bench.carry_out(work))
            driver.must_be_finished()
        return Run(driver.directory)
