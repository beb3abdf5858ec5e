"""What all engines share: their contract, exclusive use of a run's directory, one thread a worker."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Protocol

from threadpoolctl import threadpool_limits

from pbt_core.driver import Driver
from pbt_core.errors import RunError
from pbt_core.fields import Rule, within
from pbt_core.files import Busy, located, locked
from pbt_core.first_use import used
from pbt_core.journal import Observer
from pbt_core.leases.log import begun
from pbt_core.method import Method
from pbt_core.outcomes import Outcome
from pbt_core.plan import Plan
from pbt_core.run import Run
from pbt_core.scheduling import Scheduling
from pbt_core.task import AnyTask

#: Variables that numerical libraries read when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MOST_THREADS = 1024
#: Of numerical libraries.
Threads = Annotated[int, within(f"[1, {MOST_THREADS}]")]


class Engine(Protocol):
    """Runs a method over a task. The same call in the same directory resumes what was interrupted.

    So does, where the run was extended meanwhile, the call that it was extended from: a program that runs and then extends can
    be started again at any point.

    observer: called with every event as it is recorded. extend: whether a finished run goes on if the plan asks for more
    steps or more time than before (see ``Run.extend``).
    """

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
        """Run it in ``directory``, which is made if it is missing, to its end or from where it was interrupted.

        ``~`` in it is the home.

        RecordError if the directory holds another run; RunError if another process is at work in it, or the run cannot go
        on; ValueError for what cannot be run at all.
        """
        ...


@contextlib.contextmanager
def driving(
    task: AnyTask,
    method: Method,
    plan: Plan,
    directory: Path,
    observer: Observer | None,
    extend: bool,
    *,
    clock: Callable[[], float] = time.monotonic,
    scheduling: Scheduling[Outcome] | None = None,
) -> Iterator[Driver]:
    """A driver with its directory held alone; RunError if another process is at work in it.

    The directory is taken as it is now: a task that changes the working directory does not move its run. ``clock`` and
    ``scheduling`` are the driver's.
    """
    directory = located(directory, "directory").absolute()
    if begun(directory):
        raise RunError(f"{directory} holds a run of workers without a coordinator: join them with the engine Leased")
    try:
        with locked(directory):
            driver = Driver(task, method, plan, directory, observer, extend=extend, clock=clock, scheduling=scheduling)
            with contextlib.closing(driver):
                try:
                    yield driver
                finally:
                    used(task)
    except Busy:
        raise RunError(f"another process is running in {directory}") from None


def limit_threads(threads: int) -> None:
    """Let numerical libraries use ``threads`` threads: more than one a worker is slow, and may change the last bits.

    For a process that does nothing else; ``threads_limited`` is for the caller's own.
    """
    _limit(int(threads))  # numpy's are taken, too


@contextlib.contextmanager
def threads_limited(threads: int) -> Iterator[None]:
    """As ``limit_threads`` for the block; libraries and variables are as before after it.

    A library that is loaded in the block keeps the limit, which it has read from its variable.
    """
    before = {variable: os.environ.get(variable) for variable in THREAD_VARIABLES}
    torch = sys.modules.get("torch")
    threads_of_torch = None if torch is None else torch.get_num_threads()
    pools = _limit(int(threads))
    try:
        yield
    finally:
        pools.restore_original_limits()
        if torch is not None:
            torch.set_num_threads(threads_of_torch)
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value


def _limit(threads: int) -> threadpool_limits:
    for variable in THREAD_VARIABLES:  # for libraries that are loaded later, and for worker processes
        os.environ[variable] = str(threads)
    pools = threadpool_limits(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    return pools


def seconds(above: float, most: float) -> Rule:
    """A length of time that a system can wait for."""
    return Rule(f"above {above:g} and at most {most:.0f} seconds", lambda value: above < value <= most)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
