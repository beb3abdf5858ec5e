"""What engines that train in the caller's own process share: they leave it as it was, and hold one driver and one bench."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pbt_core.calls import global_generators_kept
from pbt_core.driver import Driver
from pbt_core.engines.base import driving, threads_limited
from pbt_core.engines.worker import Worker, acting_as
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.outcomes import Outcome
from pbt_core.plan import Plan
from pbt_core.scheduling import Scheduling
from pbt_core.task import AnyTask
from pbt_core.work import Bench


@contextlib.contextmanager
def working_here(threads: int, devices: tuple[str, ...]) -> Iterator[None]:
    """In the block this process trains: with so many threads, and on the first of the devices if there are any.

    Threads, environment and global generators are as before after it.
    """
    worker = Worker(0, 1, devices) if devices else None
    with threads_limited(threads), acting_as(worker), global_generators_kept():
        yield


@contextlib.contextmanager
def in_this_process(
    task: AnyTask,
    method: Method,
    plan: Plan,
    directory: Path,
    observer: Observer | None,
    extend: bool,
    *,
    threads: int,
    devices: tuple[str, ...],
    clock: Callable[[], float] = time.monotonic,
    scheduling: Scheduling[Outcome] | None = None,
) -> Iterator[tuple[Driver, Bench]]:
    """The driver of a run and a bench that holds all members' states; see ``driving`` and ``working_here``."""
    with (
        working_here(threads, devices),
        driving(task, method, plan, directory, observer, extend, clock=clock, scheduling=scheduling) as driver,
        contextlib.closing(Bench(task, driver.store, plan.seed)) as bench,
    ):
        yield driver, bench
