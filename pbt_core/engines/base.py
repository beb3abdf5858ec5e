"""What all engines share: their contract, the finished run, exclusive use of its directory, one thread a worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from pbt_core.driver import Driver, Observer, RunError
from pbt_core.events import Event, write_parquet
from pbt_core.ledger import Ledger
from pbt_core.lineage import Lineage
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.space import Hyperparameters
from pbt_core.store import Store
from pbt_core.task import AnyTask

#: Variables that numerical libraries read when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Run:
    """A finished run, read back from its directory."""

    directory: Path
    events: list[Event]

    @property
    def best(self) -> int | None:
        """The member with the highest score at the end of a training; None if none has a finite one."""
        best: int | None = self.events[-1]["best"]
        return best

    @property
    def score(self) -> float | None:
        score: float | None = self.events[-1]["score"]
        return score

    @property
    def hyperparameters(self) -> Hyperparameters | None:
        """Those in force for the best member at the end of its training. PBT's answer is the weights: see ``state``."""
        seat = Ledger(self.events).best()
        return None if seat is None else seat.member.hyperparameters

    def state(self, task: AnyTask, member: int | None = None) -> Any:
        """The final state of a member, or the run's answer if none is named, loaded by the task."""
        ledger = Ledger(self.events)
        seat = ledger.best() if member is None else ledger.seats[member]
        if seat is None or seat.latest is None:
            what = "the run has no best member" if seat is None else f"member {seat.member.id} has no weights"
            raise RunError(f"{what}: it failed or was never evaluated")
        checkpoint = Store(self.directory / "checkpoints").load(seat.latest)
        return task.load(checkpoint, seat.member.hyperparameters)

    def export(self, directory: Path) -> None:
        """Write ``events.parquet`` and ``lineage.json``, each at once or not at all."""
        directory.mkdir(parents=True, exist_ok=True)
        write_parquet(self.events, directory / "events.parquet")
        Lineage(self.events).write(directory / "lineage.json")


class Engine(Protocol):
    """Runs a method over a task. The same call in the same directory resumes what was interrupted."""

    def run(
        self, task: AnyTask, method: Method, plan: Plan, directory: Path, observer: Observer | None = None
    ) -> Run: ...


@contextlib.contextmanager
def driving(task: AnyTask, method: Method, plan: Plan, directory: Path, observer: Observer | None) -> Iterator[Driver]:
    """A driver with its directory held alone; RunError if another process is at work in it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"another process is running in {directory}") from None
        with contextlib.closing(Driver(task.space, method, plan, directory, observer)) as driver:
            yield driver


def limit_threads(threads: int) -> None:
    """Let numerical libraries use ``threads`` threads: more than one a worker is slow, and may change the last bits."""
    for variable in THREAD_VARIABLES:  # for libraries that are loaded later, and for worker processes
        os.environ[variable] = str(threads)
    threadpool_limits(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
