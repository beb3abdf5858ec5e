"""The serial engine: one interval after another in this process. The oracle that other engines are tested against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pbt_core.engines.base import Threads
from pbt_core.engines.devices import Devices
from pbt_core.engines.in_process import in_this_process
from pbt_core.fields import checked
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.run import Run
from pbt_core.task import AnyTask


@dataclass(frozen=True)
class Serial:
    """Everything in this process. Keeps the states of all members in memory.

    threads: of numerical libraries.
    devices: the accelerator that tasks are to compute on, such as ``("cuda:1",)``, which ``current_worker()`` tells them; they
        number cards as this process sees them. Of several the first is used.
    """

    threads: Threads = 1
    devices: Devices = ()

    def __post_init__(self) -> None:
        checked(self)

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
        with in_this_process(
            task, method, plan, directory, observer, extend, threads=self.threads, devices=self.devices
        ) as (driver, bench):
            while (work := driver.next_work()) is not None:
                driver.complete(bench.carry_out(work))
            driver.must_be_finished()
        return Run(driver.directory)
