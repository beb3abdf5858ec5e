"""The default engine: worker processes that share the members' work, weights going through the store.

Work is handed out over pipes. A worker that dies is replaced and its interval done again; one that exceeds the time limit is
killed and its member has failed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pbt_core.engines.base import Threads, cores, driving, seconds, threads_limited
from pbt_core.engines.devices import VISIBLE, Devices, visible
from pbt_core.engines.pipes import Pipes, new_mark, sendable
from pbt_core.engines.pool import Pool
from pbt_core.engines.worker import Assignment, Worker
from pbt_core.fields import checked, within
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.run import Run
from pbt_core.task import AnyTask

MOST_WORKERS, LONGEST_TIMEOUT = 4096, 1e6
Workers = Annotated[int, within(f"[1, {MOST_WORKERS}]")]
#: Seconds that an interval may take.
Timeout = Annotated[float, seconds(0.0, LONGEST_TIMEOUT)]


@dataclass(frozen=True)
class Processes:
    """Worker processes; fewer than members are shared fairly, first come, first served.

    workers: how many (None: as many as there are cores, at most one a member).
    timeout: seconds that an interval may take before its member counts as hung; None for no limit.
    threads: threads of numerical libraries in each worker.
    devices: names of accelerators, such as ``("0", "1")`` or ``("cuda:0", "cuda:1")``, shared out among the workers: each
        sees only its own (``CUDA_VISIBLE_DEVICES``; numbers count within its value in this process), an even share where
        there are more than workers. Empty: all workers see all devices.

    Whatever a worker starts ends with it. A task asks ``current_worker()`` which one it runs in.
    """

    workers: Workers | None = None
    timeout: Timeout | None = None
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
        """See ``Engine.run``. ValueError, before any worker starts, if the task cannot be sent to one."""
        pickled = sendable("Processes", task)
        visible(self.devices, os.environ.get(VISIBLE))  # an error for a missing one, before anything starts
        with driving(task, method, plan, directory, observer, extend) as driver:
            if not driver.finished:
                count = min(self.workers or cores(), plan.population)
                assignment = Assignment(
                    Worker(0, count),
                    pickled,
                    driver.store.directory,
                    plan.durable,
                    plan.seed,
                    capacity=-(-plan.population // count),
                    threads=self.threads,
                    mark=new_mark(),
                )
                with threads_limited(self.threads):  # inherited by the fork server and so by every worker
                    Pool(driver, Pipes(task, assignment, self.devices), count, self.timeout).run()
        return Run(driver.directory)
