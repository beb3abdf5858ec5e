"""Workers without a coordinator, as in the paper: this process is one of them.

Start it any number of times, anywhere that sees the folder: what they share is the log of ``pbt_core.leases``. At the end it
becomes the same ``events.jsonl`` that any other engine leaves.
"""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pbt_core.checking import check_arguments
from pbt_core.engines.base import Threads, seconds
from pbt_core.engines.devices import VISIBLE, Devices, visible
from pbt_core.engines.in_process import working_here
from pbt_core.engines.limited import LimitedBench
from pbt_core.engines.pipes import new_mark, sendable
from pbt_core.engines.worker import Assignment, Worker
from pbt_core.errors import RunError
from pbt_core.fields import checked
from pbt_core.files import located, make_folder
from pbt_core.first_use import used
from pbt_core.identity import differences
from pbt_core.journal import Observer, must_be_writable
from pbt_core.leases.closing import RECORD, TIMING, remove_what_is_left
from pbt_core.leases.folder import Gone
from pbt_core.leases.heartbeat import Heartbeat
from pbt_core.leases.log import LOG, WORKERS, begun
from pbt_core.leases.participant import Participant
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.resuming import identity, stages_of
from pbt_core.run import Run
from pbt_core.schema import RecordError
from pbt_core.store import Store
from pbt_core.task import AnyTask
from pbt_core.work import Bench

#: States that a worker keeps in memory. It prefers their members.
HELD = 8
SHORTEST_LEASE, LONGEST_LEASE = 0.1, 1e6


@dataclass(frozen=True)
class Leased:
    """One of any number of workers that share a folder and nothing else. For asynchronous plans.

    lease: seconds without a sign of life after which the others take a worker's member over; that of the worker that
        begins the run counts for all. Choose it several times what the folder may hang for.
    timeout: seconds that an interval may take before its member has failed as hung; None for no limit. With a limit this worker
        carries intervals out in a process of its own, as ``Processes`` with one worker does, which ends with what hangs: the
        task must be one that can be sent there. Without one they are carried out in this process, and nothing ends them.
    threads, devices: as in ``Serial``.
    """

    lease: Annotated[float, seconds(SHORTEST_LEASE, LONGEST_LEASE)] = 60.0
    timeout: Annotated[float, seconds(0.0, LONGEST_LEASE)] | None = None
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
        """Work on the run in ``directory`` until it is finished, by whichever worker. See ``Engine.run``.

        ValueError for a synchronous plan, or one that ends by time: both need somebody who waits for all.
        """
        check_arguments(task, method, plan, observer, extend)
        if plan.synchronous:
            raise ValueError("Leased: plan.synchronous = True needs a coordinator: use Plan(synchronous=False)")
        if plan.stop is not None and plan.stop.seconds is not None:
            raise ValueError(
                f"Leased: plan.stop.seconds = {plan.stop.seconds} needs a coordinator's clock: use a score"
            )
        directory = located(directory, "directory").absolute()
        record = directory / RECORD
        requested = identity(task, method, plan, task.space)
        if record.exists() and (extend or not begun(directory)):
            _must_be_finished(directory, requested, extend)
            remove_what_is_left(directory)
            return Run(directory)
        bench = self._bench_maker(task, plan)
        try:
            with (
                working_here(self.threads, self.devices),
                _joined(self, task, method, plan, directory, observer) as participant,
                contextlib.closing(bench(participant.store)) as opened,
            ):
                participant.work(opened)
        except Gone:
            if not record.exists():
                raise
            # Another worker has brought a run to its end meanwhile, and removed its log.
            remove_what_is_left(directory)
            _must_be_finished(directory, requested, extend)
        remove_what_is_left(directory)
        return Run(directory)

    def _bench_maker(self, task: AnyTask, plan: Plan) -> Callable[[Store], Bench | LimitedBench]:
        """What makes the bench: in this process; or, where intervals have a time limit, in one that can be ended.

        ValueError if the task or a device cannot be had there.
        """
        timeout = self.timeout
        if timeout is None:
            return lambda store: Bench(task, store, plan.seed, HELD)
        pickled = sendable("Leased: timeout", task)
        visible(self.devices, os.environ.get(VISIBLE))  # an error for a missing one, before anything starts

        def limited(store: Store) -> LimitedBench:
            assignment = Assignment(
                Worker(0, 1),
                pickled,
                store.directory,
                plan.durable,
                plan.seed,
                capacity=HELD,
                threads=self.threads,
                mark=new_mark(),
            )
            return LimitedBench(task, assignment, self.devices[:1], timeout)

        return limited


@contextlib.contextmanager
def _joined(
    engine: Leased, task: AnyTask, method: Method, plan: Plan, directory: Path, observer: Observer | None
) -> Iterator[Participant]:
    """A participant that gives signs of life while the block lasts, and its claim back when it ends."""
    for record in (RECORD, TIMING):  # which are written at the end
        must_be_writable(directory / record)
    make_folder(directory / LOG)
    name = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    heartbeat = Heartbeat(directory / WORKERS, name, engine.lease)
    participant = Participant(task, method, plan, directory, heartbeat, observer)
    participant.begin()
    with heartbeat:
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
    # A plan that the run was extended from stands for the run as it is now.
    stages = stages_of(run.record[0]["run"], run.record.others("extended"))
    if (differing := differences(stages[-1], requested)) and all(differences(stage, requested) for stage in stages):
        raise RecordError(f"{directory} holds another run: {'; '.join(differing)}. Choose another directory")
