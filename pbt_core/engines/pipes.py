"""Worker processes of this machine, each at the other end of a pipe: a transport, and what a task must be to be sent to one.

They are forks of a clean process (see ``fork_server``), or begin from nothing where a system has no forks.
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
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pbt_core.engines import script
from pbt_core.engines.devices import VISIBLE, share_out, visible
from pbt_core.engines.fork_server import fork_server
from pbt_core.engines.pool import Gone, Message
from pbt_core.engines.process_tree import kill_group, kill_marked
from pbt_core.engines.worker import Assignment, Worker, serve
from pbt_core.task import AnyTask
from pbt_core.work import Work

#: Seconds that workers have to close their states at an orderly end.
GRACE = 10.0


def new_mark() -> str:
    """For ``Assignment.mark``: what the workers of one transport and all that they start are known by."""
    return f"{os.getpid()}-{time.time_ns():x}/"


class Pipes:
    """The transport. Each worker is given its share of ``devices``."""

    prompt = True

    def __init__(self, task: AnyTask, assignment: Assignment, devices: Sequence[str]) -> None:
        self._assignment, self._devices = assignment, devices
        self._open = contextlib.ExitStack()
        # Forks of a clean process that has imported what they need: safe with threads, and quick.
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
        self._server = self._open.enter_context(fork_server([type(task).__module__])) if forks else None
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
        if self._server is None:
            process.start()
        else:
            self._server.start(process)
        theirs.close()
        self._processes[worker], self._pipes[worker] = process, ours
        # Its end by itself, too: while something that it has started holds its pipe, that does not close.
        for source in (ours, process.sentinel):
            self._selector.register(source, selectors.EVENT_READ, worker)

    def send(self, worker: int, work: Work) -> None:
        with contextlib.suppress(OSError):  # the pipe of a dead worker: the next poll finds out
            # Without multiprocessing's own pickler, whose making takes longer than this work.
            self._pipes[worker].send_bytes(pickle.dumps(work))

    def poll(self, timeout: float | None) -> list[tuple[int, Message]]:
        heard = dict.fromkeys(key.data for key, _ in self._selector.select(timeout))
        return [(worker, self._message(worker)) for worker in heard]

    def kill(self, worker: int) -> None:
        process = self._processes[worker]
        if process.pid is not None:
            kill_group(process.pid)
        process.join()
        kill_marked(self._mark(worker))
        for source in (self._pipes[worker], process.sentinel):
            self._selector.unregister(source)
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
        self._open.close()

    def _message(self, worker: int) -> Message:
        pipe, process = self._pipes[worker], self._processes[worker]
        with contextlib.suppress(EOFError, OSError):
            if pipe.poll():  # before its end: what it has said last counts
                message: Message = pipe.recv()
                return message
        process.join(timeout=5)
        return Gone(process.exitcode)

    def _mark(self, worker: int) -> str:
        return f"{self._assignment.mark}{worker}."


def sendable(engine: str, task: AnyTask) -> bytes:
    """The task as it is sent to workers; ValueError, before anything starts, if they could not make it again.

    RunError where this is called while workers import the calling script.
    """
    script.must_not_be_importing()
    remedy = "Define its class in a module, keep only settings in it and load data lazily, or use the serial engine"
    try:
        pickled = pickle.dumps(task)
    except Exception as error:
        raise ValueError(f"{engine}: the task cannot be sent to workers: {error}. {remedy}") from None
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    name = type(task).__name__
    if b"__main__" in pickled and spec is None and not Path(getattr(main, "__file__", "")).is_file():
        raise ValueError(f"{engine}: workers cannot import {name}, which was typed into this session. {remedy}")
    if b"__main__" in pickled and spec is not None and spec.name.rpartition(".")[2] == "__main__":
        raise ValueError(
            f"{engine}: workers cannot import {name} from {spec.name}, which is for running only. {remedy}"
        )
    return pickled
