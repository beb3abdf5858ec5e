"""Workers without a coordinator, as in the paper: this process is one of them.

Start it any number of times, anywhere that sees the folder: what they share is the log of ``pbt_core.leases``. At the end it
becomes the same ``events.jsonl`` that any other engine leaves.
"""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pbt_core.calls import global_generators_kept
from pbt_core.engines.base import MOST_THREADS, check_seconds, check_whole, limit_threads
from pbt_core.engines.devices import checked
from pbt_core.engines.worker import Worker, acting_as
from pbt_core.errors import RunError
from pbt_core.files import located
from pbt_core.first_use import used
from pbt_core.identity import differences
from pbt_core.journal import Observer
from pbt_core.leases.heartbeat import Heartbeat
from pbt_core.leases.log import LOG, WORKERS
from pbt_core.leases.participant import Participant
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.resuming import identity
from pbt_core.run import Run
from pbt_core.schema import RecordError
from pbt_core.task import AnyTask

SHORTEST_LEASE, LONGEST_LEASE = 0.1, 1e6


@dataclass(frozen=True)
class Leased:
    """One of any number of workers that share a folder and nothing else. For asynchronous plans.

    lease: seconds without a sign of life after which the others take a worker's member over; that of the worker that
        begins the run counts for all. Choose it several times what the folder may hang for.
    timeout: seconds after which an interval hangs: its worker gives no more signs of life. After it was taken over so often
        that the interval itself must be the cause, the member has failed.
    threads, devices: as in ``Serial``.
    """

    lease: float = 60.0
    timeout: float | None = None
    threads: int = 1
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_whole("Leased", "threads", self.threads, MOST_THREADS)
        check_seconds("Leased", "lease", self.lease, SHORTEST_LEASE, LONGEST_LEASE)
        if self.timeout is not None:
            check_seconds("Leased", "timeout", self.timeout, 0.0, LONGEST_LEASE)
        object.__setattr__(self, "devices", checked("Leased", self.devices))

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
        """Work on the run in ``directory`` until it is finished, by whichever worker. See ``Engine.run``.

        ValueError for a synchronous plan, or one that ends by time: both need somebody who waits for all.
        """
        if plan.synchronous:
            raise ValueError("Leased: plan.synchronous = True needs a coordinator: use Plan(synchronous=False)")
        if plan.stop is not None and plan.stop.seconds is not None:
            raise ValueError(
                f"Leased: plan.stop.seconds = {plan.stop.seconds} needs a coordinator's clock: use a score"
            )
        directory = located(directory).absolute()
        record = directory / "events.jsonl"
        if record.exists() and (extend or not (directory / LOG).exists()):
            _must_be_finished(directory, identity(task, method, plan, task.space), extend)
            return Run(directory)
        limit_threads(self.threads)
        place = Worker(0, 1, self.devices) if self.devices else None
        try:
            with (
                acting_as(place),
                global_generators_kept(),
                _joined(self, task, method, plan, directory, observer) as worker,
            ):
                worker.work()
        except FileNotFoundError:
            if not record.exists():  # else another worker has brought the run to its end
                raise
        return Run(directory)


@contextlib.contextmanager
def _joined(
    engine: Leased, task: AnyTask, method: Method, plan: Plan, directory: Path, observer: Observer | None
) -> Iterator[Participant]:
    """A participant that gives signs of life while the block lasts, and its claim back when it ends."""
    (directory / LOG).mkdir(parents=True, exist_ok=True)
    name = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    heartbeat = Heartbeat(directory / WORKERS, name, engine.lease, engine.timeout)
    participant = Participant(task, method, plan, directory, heartbeat, observer)
    participant.begin()
    with heartbeat, contextlib.closing(participant.bench):
        try:
            yield participant
        finally:
            participant.leave()
            used(task)


def _must_be_finished(directory: Path, requested: dict[str, object], extend: bool) -> None:
    """RunError or RecordError unless the folder holds this very run, finished."""
    run = Run.open(directory)
    if not run.finished:
        raise RunError(
            f"{directory} holds a run that was begun with a coordinator: go on with the engine that began it"
        )
    if extend:
        raise ValueError("Leased: a finished run is extended by an engine with a coordinator, such as Serial")
    if differing := differences(run.identity, requested):
        raise RecordError(f"{directory} holds another run: {'; '.join(differing)}. Choose another directory")
