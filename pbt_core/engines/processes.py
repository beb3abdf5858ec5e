"""The default engine: worker processes that share the members' work, weights going through the store.

Workers are started from a clean fork server that has imported the task's module once, so that each costs milliseconds,
and work is handed out over pipes. A worker that dies is replaced and its interval done again; one that exceeds the time
limit is killed and its member has failed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import selectors
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pbt_core.driver import Driver
from pbt_core.engines.base import MOST_THREADS, check_seconds, check_whole, cores, driving, limit_threads
from pbt_core.engines.devices import VISIBLE, checked, share_out, visible
from pbt_core.engines.family import kill_group, kill_marked
from pbt_core.engines.pool import Gone, Message, Pool
from pbt_core.engines.worker import Assignment, Worker, serve
from pbt_core.errors import RunError
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.run import Run
from pbt_core.task import AnyTask
from pbt_core.work import Work

#: Seconds that workers have to close their states at an orderly end.
GRACE = 10.0
MOST_WORKERS, LONGEST_TIMEOUT = 4096, 1e6


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

    workers: int | None = None
    timeout: float | None = None
    threads: int = 1
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_whole("Processes", "workers", self.workers, MOST_WORKERS)
        check_whole("Processes", "threads", self.threads, MOST_THREADS)
        if self.timeout is not None:
            check_seconds("Processes", "timeout", self.timeout, 0.0, LONGEST_TIMEOUT)
        object.__setattr__(self, "devices", checked("Processes", self.devices))

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
        pickled = _pickled(task)
        visible(self.devices, os.environ.get(VISIBLE))  # an error for a missing one, before anything starts
        with driving(task, method, plan, directory, observer, extend) as driver:
            if not driver.finished:
                count = min(self.workers or cores(), plan.population)
                limit_threads(self.threads)  # inherited by the fork server and so by every worker
                assignment = Assignment(
                    Worker(0, count),
                    pickled,
                    driver.store.directory,
                    plan.durable,
                    plan.seed,
                    capacity=-(-plan.population // count),
                    threads=self.threads,
                    mark=f"{os.getpid()}-{time.time_ns():x}",
                )
                Pool(driver, _Pipes(driver, task, assignment, self.devices), count, self.timeout).run()
        return Run(driver.directory)


class _Pipes:
    """The transport: processes of this machine, each at the other end of a pipe."""

    prompt = True

    def __init__(self, driver: Driver, task: AnyTask, assignment: Assignment, devices: Sequence[str]) -> None:
        self._assignment, self._devices = assignment, devices
        self._context = _context(task)
        self._processes: dict[int, BaseProcess] = {}
        self._pipes: dict[int, Connection] = {}
        self._selector = selectors.DefaultSelector()  # kept, since making one takes longer than asking it

    def start(self, worker: int) -> None:
        count = self._assignment.worker.count
        devices = share_out(self._devices, worker, count)
        seen = visible(devices, os.environ.get(VISIBLE))
        this = Worker(worker, count, devices, isolated=seen is not None)
        assignment = replace(self._assignment, worker=this, visible=seen, mark=self._mark(worker))
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(assignment, theirs), daemon=False)
        try:
            process.start()
        except (EOFError, ConnectionError):
            raise RunError(
                "workers cannot be started: guard the calling script with `if __name__ == '__main__':`, since workers "
                "import it"
            ) from None
        theirs.close()
        self._processes[worker], self._pipes[worker] = process, ours
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def send(self, worker: int, work: Work) -> None:
        with contextlib.suppress(OSError):  # the pipe of a dead worker: the next poll finds out
            # Without multiprocessing's own pickler, whose making takes longer than this work.
            self._pipes[worker].send_bytes(pickle.dumps(work))

    def poll(self, timeout: float | None) -> list[tuple[int, Message]]:
        return [(key.data, self._message(key.data)) for key, _ in self._selector.select(timeout)]

    def kill(self, worker: int) -> None:
        process = self._processes[worker]
        if process.pid is not None:
            kill_group(process.pid)
        process.join()
        kill_marked(self._mark(worker))
        self._selector.unregister(self._pipes[worker])
        self._pipes[worker].close()

    def close(self, orderly: bool) -> None:
        self._selector.close()
        for pipe in self._pipes.values():
            pipe.close()
        if orderly:
            end = time.monotonic() + GRACE
            for process in self._processes.values():
                process.join(max(0.0, end - time.monotonic()))
        for process in self._processes.values():
            if process.pid is not None:
                kill_group(process.pid)
            process.join()
        kill_marked(self._assignment.mark)

    def _message(self, worker: int) -> Message:
        try:
            message: Message = self._pipes[worker].recv()
        except (EOFError, OSError):
            process = self._processes[worker]
            process.join(timeout=5)
            return Gone(process.exitcode)
        return message

    def _mark(self, worker: int) -> str:
        return f"{self._assignment.mark}-{worker}."


def _pickled(task: AnyTask) -> bytes:
    """The task as it is sent to workers; ValueError, before anything starts, if they could not make it again."""
    remedy = "Define its class in a module, keep only settings in it and load data lazily, or use the serial engine"
    try:
        pickled = pickle.dumps(task)
    except Exception as error:
        raise ValueError(f"Processes: the task cannot be sent to workers: {error}. {remedy}") from None
    main = sys.modules["__main__"]
    importable = getattr(main, "__spec__", None) is not None or Path(getattr(main, "__file__", "")).is_file()
    if b"__main__" in pickled and not importable:
        name = type(task).__name__
        raise ValueError(f"Processes: workers cannot import {name}, which was typed into this session. {remedy}")
    return pickled


def _context(task: AnyTask) -> Any:
    """Workers begin as forks of a clean process that has imported what they need: safe with threads, and quick."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    main = getattr(sys.modules["__main__"], "__spec__", None)
    modules = [
        "__main__",
        type(task).__module__,
        "pbt_core.engines.worker",
        *([main.name] if main else []),
        "pbt_core.engines.preload",
    ]
    context.set_forkserver_preload(modules)
    # Python 3.11 and 3.12 do not give the server our sys.path, without which modules beside a script cannot be imported.
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
