"""The serial engine: one interval after another in this process. The oracle that other engines are tested against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pbt_core.driver import Observer
from pbt_core.engines.base import Run, driving, limit_threads
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.task import AnyTask
from pbt_core.work import Bench


@dataclass(frozen=True)
class Serial:
    """Everything in this process, on one thread. Keeps the states of all members in memory."""

    def run(self, task: AnyTask, method: Method, plan: Plan, directory: Path, observer: Observer | None = None) -> Run:
        limit_threads(1)
        with driving(task, method, plan, Path(directory), observer) as driver:
            bench = Bench(task, driver.store, driver.streams)
            while (work := driver.next_work()) is not None:
                driver.complete(bench.carry_out(work))
            driver.must_be_finished()
            return Run(driver.directory, driver.events)
