"""The batched engine: members that may train at the same time are trained as one program, in this process.

For tasks that offer their population form (``PopulationTask``), on an accelerator or with networks so small that calling the
library is what costs. What comes out equals the serial engine's up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

from pbt_core.driver import Driver
from pbt_core.engines.base import Threads
from pbt_core.engines.devices import Devices
from pbt_core.engines.in_process import in_this_process
from pbt_core.fields import checked, within
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.plan import MOST_MEMBERS, Plan
from pbt_core.run import Run
from pbt_core.task import AnyTask
from pbt_core.work import Work


@dataclass(frozen=True)
class Batched:
    """Up to ``together`` members in one program. Keeps the states of all members in memory. threads, devices: as in ``Serial``.

    In asynchronous mode, too, every member with budget left is decided about before any of them trains on: they advance in
    step, and only the order of decisions is that of turns.
    """

    together: Annotated[int, within(f"[1, {MOST_MEMBERS}]")] = 256
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
        """See ``Engine.run``. ValueError for a task that has no population form."""
        if not callable(getattr(task, "step_all", None)):
            raise ValueError(f"Batched: {type(task).__name__} has no step_all: it cannot train members as one program")
        with in_this_process(
            task, method, plan, directory, observer, extend, threads=self.threads, devices=self.devices
        ) as (driver, bench):
            while works := _available(driver):
                for group in _programs(works, self.together):
                    for outcome in bench.carry_out_together(group):
                        driver.complete(outcome)
            driver.must_be_finished()
        return Run(driver.directory)


def _available(driver: Driver) -> list[Work]:
    """All intervals that can be done now."""
    return list(iter(driver.next_work, None))


def _programs(works: list[Work], together: int) -> Iterator[list[Work]]:
    """The intervals of one program each: equally long, at most so many together."""
    for _, group in groupby(sorted(works, key=_length), key=_length):
        alike = list(group)
        for start in range(0, len(alike), together):
            yield alike[start : start + together]


def _length(work: Work) -> int:
    return work.stop - work.start
