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
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pbt_core.driver import Driver
from pbt_core.engines.base import cores, driving, limit_threads
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
        sees its own alone (``CUDA_VISIBLE_DEVICES``), an even share where there are more than workers. Empty: all see all.

    Whatever a worker starts ends with it. A task asks ``current_worker()`` which one it runs in.
    """

    workers: int | None = None
    timeout: float | None = None
    threads: int = 1
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, most in (("workers", MOST_WORKERS), ("threads", 1024)):
            value = getattr(self, name)
            if value is None and name == "workers":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValueError(f"Processes: {name} = {value!r} must be a whole number in [1, {most}]")
        limit = self.timeout
        if limit is not None and (
            not isinstance(limit, int | float) or isinstance(limit, bool) or not 0 < limit <= LONGEST_TIMEOUT
        ):
            raise ValueError(
                f"Processes: timeout = {limit!r} must be above 0 and at most {LONGEST_TIMEOUT:.0f} seconds"
            )
        object.__setattr__(self, "devices", _devices(self.devices))

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


def share_out(devices: Sequence[str], worker: int, count: int) -> tuple[str, ...]:
    """The devices of one of ``count`` workers: an even share, or one that several use where there are fewer than workers."""
    if not devices:
        return ()
    return tuple(devices[worker::count]) if len(devices) >= count else (devices[worker % len(devices)],)


class _Pipes:
    """The transport: processes of this machine, each at the other end of a pipe."""

    def __init__(self, driver: Driver, task: AnyTask, assignment: Assignment, devices: Sequence[str]) -> None:
        self._assignment, self._devices = assignment, devices
        self._context = _context(task)
        self._processes: dict[int, BaseProcess] = {}
        self._pipes: dict[int, Connection] = {}
        self._started = 0

    def start(self, worker: int) -> None:
        told = Worker(worker, self._assignment.worker.count, self._share(worker))
        self._started += 1
        assignment = replace(self._assignment, worker=told, mark=self._mark(worker))
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

    def send(self, worker: int, work: Work) -> None:
        with contextlib.suppress(OSError):  # the pipe of a dead worker: the next poll finds out
            self._pipes[worker].send(work)

    def poll(self, timeout: float | None) -> list[tuple[int, Message]]:
        workers = {pipe: worker for worker, pipe in self._pipes.items()}
        heard = wait(list(workers), timeout=timeout)
        return [(workers[pipe], self._message(workers[pipe])) for pipe in heard if isinstance(pipe, Connection)]

    def kill(self, worker: int) -> None:
        process = self._processes[worker]
        if process.pid is not None:
            kill_group(process.pid)
        process.join()
        kill_marked(self._mark(worker))
        self._pipes[worker].close()

    def close(self, orderly: bool) -> None:
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

    def _share(self, worker: int) -> tuple[str, ...]:
        return share_out(self._devices, worker, self._assignment.worker.count)


def _devices(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ValueError(f"Processes: devices = {names!r} must be a sequence of names")
    for name in names:
        if not isinstance(name, str) or not name or any(c in name for c in ", \t\n\0"):
            raise ValueError(f"Processes: devices = {names!r} must be names such as '0' or 'cuda:0'")
    return tuple(names)


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
