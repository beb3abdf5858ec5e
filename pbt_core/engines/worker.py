"""A worker process: carries out what comes through its pipe, until that closes or the driver is gone."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from pbt_core.calls import global_generators_kept
from pbt_core.engines import script
from pbt_core.engines.base import limit_threads
from pbt_core.engines.devices import VISIBLE, kind, repeatable
from pbt_core.engines.pool import Ready
from pbt_core.engines.process_tree import bear, kill_marked
from pbt_core.errors import RunError
from pbt_core.failures import could_not_go_on
from pbt_core.store import CheckpointError, Store
from pbt_core.values import brief
from pbt_core.work import Bench, Done, Failed, Work


@dataclass(frozen=True)
class Worker:
    """The number of this worker, how many there are, and its devices (by the names that the engine was given).

    isolated: whether its process sees only its own NVIDIA cards, and so numbers them from 0.
    """

    index: int
    count: int
    devices: tuple[str, ...] = ()
    isolated: bool = False

    @property
    def kind(self) -> str:
        """The kind of its devices, such as "cuda"; "cpu" if it has none of its own."""
        return kind(self.devices[0]) if self.devices else "cpu"


_current: Worker | None = None


def current_worker() -> Worker | None:
    """The worker that this process acts as; None in any other process, and in the serial engine without devices."""
    return _current


@contextlib.contextmanager
def acting_as(worker: Worker | None) -> Iterator[None]:
    """Within the block this process acts as ``worker``, on a card repeatably."""
    global _current
    before, _current = _current, worker
    undo = repeatable("cpu" if worker is None else worker.kind)
    try:
        yield
    finally:
        undo()
        _current = before


@dataclass(frozen=True)
class Assignment:
    """What a worker needs when it begins. ``task`` is pickled, by the driver and for this process alone.

    visible: see ``devices.visible``; None leaves it as it is. start_method: how the driver starts processes: a task finds in a
        worker what it finds there, such as a loader of data that needs forks.
    """

    worker: Worker
    task: bytes
    checkpoints: Path
    durable: bool
    seed: int
    capacity: int
    threads: int
    mark: str
    visible: str | None = None
    start_method: str | None = field(default_factory=lambda: multiprocessing.get_start_method(allow_none=True))


def serve(assignment: Assignment, pipe: Connection) -> None:
    """Do what a worker does. Ends by itself: in order when the pipe closes, at once when the driver dies."""
    with contextlib.suppress(PermissionError):  # a leader of its group already
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver hears it and ends its workers
    bear(assignment.mark)
    multiprocessing.set_start_method(assignment.start_method, force=True)
    if assignment.visible is not None:  # before any library looks at what there is
        os.environ[VISIBLE] = assignment.visible
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    threading.Thread(target=_die_with, args=(parent.sentinel, assignment.mark), daemon=True).start()
    try:
        if script.failure is not None:
            raise RunError(script.failure)
        bench = bench_of(assignment)
    except RunError as error:
        with contextlib.suppress(OSError):  # the driver has heard it from another worker, and closed this pipe
            pipe.send(error)
        return
    # The pipe closes when all is done, or breaks when the driver dies: here both look the same.
    with global_generators_kept(), contextlib.suppress(EOFError, OSError):
        pipe.send(Ready())
        while True:
            pipe.send_bytes(pickle.dumps(outcome_of(bench, pipe.recv())))
    bench.close()
    # multiprocessing leaves these out, and programs beside a task are often ended by them.
    atexit._run_exitfuncs()


def bench_of(assignment: Assignment, store: Store | None = None) -> Bench:
    """Where this process works from now on, as the worker that it was made. RunError if the task cannot be made here.

    store: None for the run's own folder.
    """
    global _current
    _current = assignment.worker
    limit_threads(assignment.threads)
    try:
        task = pickle.loads(assignment.task)  # noqa: S301 - from the driver's memory, not from disk
    except (Exception, SystemExit) as error:
        raise RunError(f"workers cannot make the task: {brief(f'{type(error).__name__}: {error}')}") from None
    repeatable(assignment.worker.kind)  # the task has imported torch, if it uses it
    store = Store(assignment.checkpoints, assignment.durable) if store is None else store
    return Bench(task, store, assignment.seed, assignment.capacity, interruptible=False)


def outcome_of(bench: Bench, work: Work) -> Done | Failed | CheckpointError | RunError:
    """The outcome of an interval, or an error that ends the run."""
    try:
        return bench.carry_out(work)
    except (CheckpointError, RunError) as error:
        return error
    except Exception as error:  # not the task's fault: a full disk, say
        return could_not_go_on(work, error)


def _die_with(driver: int, mark: str) -> None:
    wait([driver])
    kill_marked(mark)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
