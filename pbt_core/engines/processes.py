"""The default engine: worker processes that share the members' work, weights going through the store.

Workers are started from a clean fork server that has imported the task's module once, so that each costs milliseconds,
and work is handed out over pipes. A worker that dies is replaced and its interval done again; one that exceeds the time
limit is killed and its member has failed.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pbt_core.driver import Driver, Observer, RunError
from pbt_core.engines.base import Run, cores, driving, limit_threads
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.seeds import Stream
from pbt_core.store import CheckpointError, Store
from pbt_core.task import AnyTask
from pbt_core.work import Bench, Done, Failed, Work

#: After so many workers lost over the same interval the member has failed: the interval itself kills them.
ATTEMPTS = 3
#: Being killed from outside says little about the interval (255: nobody is left to tell how it ended).
PATIENCE: dict[int | None, int] = {-signal.SIGKILL: 20, 255: 20}


@dataclass
class Processes:
    """Worker processes; fewer than members are shared fairly, first come, first served.

    workers: how many (None: as many as there are cores, at most one a member).
    timeout: seconds that an interval may take before its member counts as hung; None for no limit.
    threads: threads of numerical libraries in each worker.
    """

    workers: int | None = None
    timeout: float | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"Processes: workers = {self.workers!r} must be at least 1")
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"Processes: timeout = {self.timeout!r} must be above 0 seconds")
        if self.threads < 1:
            raise ValueError(f"Processes: threads = {self.threads!r} must be at least 1")

    def run(self, task: AnyTask, method: Method, plan: Plan, directory: Path, observer: Observer | None = None) -> Run:
        try:
            pickle.dumps(task)
        except Exception as error:
            raise ValueError(
                f"Processes: the task cannot be sent to workers: {error}. Define its class in a module, keep only "
                "settings in it and load data lazily, or use the serial engine"
            ) from None
        with driving(task, method, plan, Path(directory), observer) as driver:
            if not driver.finished:
                count = min(self.workers or cores(), plan.population)
                capacity = -(-plan.population // count)
                _Pool(driver, task, count, self.timeout, self.threads, capacity).work()
            return Run(driver.directory, driver.events)


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    work: Work | None = None
    ready: bool = False
    begun: float = 0.0
    held: set[int] = field(default_factory=set)


class _Pool:
    """The workers of one run and the loop that keeps them busy."""

    def __init__(
        self, driver: Driver, task: AnyTask, count: int, timeout: float | None, threads: int, capacity: int
    ) -> None:
        self.driver, self.task, self.timeout, self.threads, self.capacity = driver, task, timeout, threads, capacity
        limit_threads(threads)  # inherited by the fork server and so by every worker
        self.context = _context(task)
        self.workers = [self._start() for _ in range(count)]
        self.losses: Counter[tuple[int, int]] = Counter()

    def work(self) -> None:
        """Until the run is finished: give the idle something to do, take what comes back."""
        try:
            while not self.driver.finished:
                for index, worker in enumerate(self.workers):
                    if worker.work is None:
                        self._assign(index)
                busy = [worker for worker in self.workers if worker.work is not None]
                if busy:
                    self._collect(busy)
                else:
                    self.driver.must_be_finished()
        finally:
            for worker in self.workers:
                worker.process.kill()
            for worker in self.workers:
                worker.process.join()

    def _start(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        seed = self.driver.streams
        arguments = (self.task, self.driver.store.directory, seed, self.capacity, self.threads, theirs)
        process = self.context.Process(target=_serve, args=arguments, daemon=True)
        try:
            process.start()
        except (EOFError, ConnectionError):
            raise RunError(
                "workers cannot be started: guard the calling script with `if __name__ == '__main__':`, since workers "
                "import it"
            ) from None
        theirs.close()
        return _Worker(process, ours)

    def _assign(self, index: int) -> None:
        worker = self.workers[index]
        elsewhere = set().union(*(other.held for other in self.workers if other is not worker))
        work = self.driver.next_work(prefer=lambda member: member in worker.held or member not in elsewhere)
        if work is not None:
            self._send(index, work)

    def _send(self, index: int, work: Work) -> None:
        worker = self.workers[index]
        worker.work, worker.begun = work, time.monotonic()
        for other in self.workers:
            other.held.discard(work.member)
        worker.held.add(work.member)
        try:
            worker.pipe.send(work)
        except OSError:
            self._lost(index)

    def _collect(self, busy: list[_Worker]) -> None:
        """Wait for an outcome, a death or the end of somebody's time."""
        left = None
        clocks = [worker.begun for worker in busy if worker.ready]  # the time that imports take does not count
        if self.timeout is not None and clocks:
            left = max(0.0, min(clocks) + self.timeout - time.monotonic())
        heard = wait([worker.pipe for worker in busy], timeout=left)
        for index, worker in enumerate(self.workers):
            if worker.work is None:
                continue
            if worker.pipe in heard:
                self._receive(index)
            elif self.timeout is not None and worker.ready and time.monotonic() - worker.begun > self.timeout:
                self._hung(index)

    def _receive(self, index: int) -> None:
        worker = self.workers[index]
        try:
            outcome = worker.pipe.recv()
        except (EOFError, OSError):
            self._lost(index)
            return
        if outcome is None:
            worker.ready, worker.begun = True, time.monotonic()
            return
        worker.work = None
        if isinstance(outcome, CheckpointError | RunError):
            raise outcome
        self.driver.complete(outcome)

    def _hung(self, index: int) -> None:
        work = self._replace(index)
        self.driver.complete(Failed(work, "hung", f"the interval took more than {self.timeout} s"))

    def _lost(self, index: int) -> None:
        """A worker died: do its interval again elsewhere, unless that has killed workers before."""
        self.workers[index].process.join(timeout=5)
        code = self.workers[index].process.exitcode
        work = self._replace(index)
        self.driver.note(lost_worker=index, member=work.member, step=work.start, exitcode=code)
        self.losses[work.member, work.start] += 1
        attempts = PATIENCE.get(code, ATTEMPTS)
        if self.losses[work.member, work.start] < attempts:
            self._send(index, work)
        else:
            error = f"{attempts} workers died in this interval, the last with exit code {code}"
            self.driver.complete(Failed(work, "crashed", error))

    def _replace(self, index: int) -> Work:
        """Start another worker in the place of one that is dead or to be killed; returns what it was at."""
        worker = self.workers[index]
        work = worker.work
        assert work is not None, "only a worker at work is replaced"
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self.workers[index] = self._start()
        return work


def _context(task: AnyTask) -> Any:
    """Workers begin as forks of a clean process that has imported what they need: safe with threads, and quick."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    main = getattr(sys.modules["__main__"], "__spec__", None)
    modules = ["__main__", type(task).__module__, __name__, *([main.name] if main else []), "pbt_core.engines.preload"]
    context.set_forkserver_preload(modules)
    # Python 3.11 and 3.12 do not give the server our sys.path, and without it nothing beside a script is found.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


def _serve(task: AnyTask, store: Path, seed: Stream, capacity: int, threads: int, pipe: Connection) -> None:
    """A worker: carry out what comes through the pipe until it closes; die with the driver, whatever goes on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver hears it and ends its workers
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
    limit_threads(threads)
    bench = Bench(task, Store(store), seed, capacity)
    pipe.send(None)  # ready
    while True:
        try:
            work = pipe.recv()
        except EOFError:
            return
        outcome: Done | Failed | CheckpointError | RunError
        try:
            outcome = bench.carry_out(work)
        except CheckpointError as error:
            outcome = error
        except Exception as error:  # not the task's fault: a full disk, say
            outcome = RunError(f"a worker could not go on with member {work.member}: {type(error).__name__}: {error}")
        pipe.send(outcome)
