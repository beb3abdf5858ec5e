"""The simulated engine: the real method, task, driver and record under a virtual clock (an event heap).

It says what an asynchronous, straggling or pre-empted run does, as a function of its seeds: the same call gives the same
bytes. Members' work is done here, one interval after another, when it ends on the virtual clock; ``timing.jsonl`` and
``Until.seconds`` count virtual seconds.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Annotated, NamedTuple

from pbt_core.driver import Driver
from pbt_core.engines.base import Threads
from pbt_core.engines.bounded import Bounded
from pbt_core.engines.cluster import LONGEST, Cluster, RandomPreemptions
from pbt_core.engines.devices import Devices
from pbt_core.engines.in_process import in_this_process
from pbt_core.errors import RunError
from pbt_core.fields import checked, within
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.outcomes import Outcome
from pbt_core.plan import MOST_STEPS, Plan
from pbt_core.run import Run
from pbt_core.seeds import Stream
from pbt_core.task import AnyTask
from pbt_core.values import shown
from pbt_core.work import Bench, Failed, Work

#: Losses of workers, in a row or for each worker, after which no interval will ever end.
MOST_LOSSES, MOST_LOSSES_EACH = 100_000, 100


@dataclass(frozen=True)
class Simulated:
    """Virtual workers, their intervals carried out in this process. Keeps the states of all members in memory.

    cluster: the workers, how long intervals take on them, and when they are lost. An interval whose worker is lost is done
        again by the next that is free; nothing of it is recorded.
    staleness: in asynchronous mode, how many intervals a member may be ahead of the slowest; None for any number. A
        synchronous plan keeps any bound.
    threads: of numerical libraries. devices: as those of ``Serial``.

    Outcomes due at one instant are recorded before any worker is given new work. An interrupted run resumes as on real
    workers: intervals in flight are begun anew at the second of the last note, so in asynchronous mode an interrupted run
    may differ from an unbroken one.
    """

    cluster: Cluster = field(default_factory=Cluster)
    staleness: Annotated[int, within(f"[1, {MOST_STEPS}]")] | None = None
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
        """See ``Engine.run``.

        RunError, too, if every worker is lost for good before the run is over, or again and again so that no interval ends,
        and if the run is longer than the clock of a record.
        """
        clock = VirtualClock()
        bounded: Bounded[Outcome] | None = None if self.staleness is None else Bounded(self.staleness, plan.interval)
        stream = Stream(plan.seed).child("cluster", self.cluster.seed)
        with in_this_process(
            task,
            method,
            plan,
            directory,
            observer,
            extend,
            threads=self.threads,
            devices=self.devices,
            clock=clock,
            scheduling=bounded,
        ) as (driver, bench):
            _Simulation(driver, bench, self.cluster, clock, stream).run()
        return Run(driver.directory)


class VirtualClock:
    """Seconds that pass only when they are told to."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def advance(self, now: float) -> None:
        """Let it be ``now``, which is never earlier than before."""
        assert now >= self._now, "virtual time is monotonic"
        self._now = now


class _Kind(IntEnum):
    """What can happen, in the order of what happens at one instant."""

    ENDS = 0
    BACK = 1
    LOST = 2


class _Event(NamedTuple):
    """Ordered by time, then kind, then by when it was foreseen: nothing else decides between two events."""

    at: float
    kind: _Kind
    number: int
    worker: int
    back: float = math.inf  # when a worker that is lost returns


class _Simulation:
    """One session of a run: the heap of what is to come, and which worker does what."""

    def __init__(self, driver: Driver, bench: Bench, cluster: Cluster, clock: VirtualClock, stream: Stream) -> None:
        self._driver, self._bench, self._cluster, self._clock, self._stream = driver, bench, cluster, clock, stream
        self._heap: list[_Event] = []
        self._foreseen = 0
        self._idle = list(range(len(cluster.speeds)))  # a heap: the first of them is given work first
        self._busy: dict[int, tuple[_Event, Work, float]] = {}  # by worker: when its interval ends, and when it began
        self._lost: deque[Work] = deque()  # intervals to be done again, before others
        self._attempts: Counter[tuple[int, int]] = Counter()
        self._losses: Counter[int] = Counter()
        self._losses_in_a_row = 0
        self._most_losses = max(MOST_LOSSES, MOST_LOSSES_EACH * len(cluster.speeds))

    def run(self) -> None:
        """Until the run is finished."""
        if not self._driver.finished:
            self._foresee_losses()
        while not self._driver.finished:
            self._assign()
            if not self._busy:
                self._must_go_on()
            if not self._driver.finished:
                self._advance()

    def _must_go_on(self) -> None:
        """RunError where nothing is under way, and nothing will be unless the run is finished."""
        if self._idle:
            self._driver.must_be_finished()
        elif not any(event.kind is _Kind.BACK for event in self._heap):
            since = f"{self._driver.timing.elapsed:g} s"
            raise RunError(
                f"all workers of the simulated cluster are lost for good since {since}: the run cannot go on"
            )

    def _assign(self) -> None:
        while self._idle:
            work = self._lost.popleft() if self._lost else self._driver.next_work()
            if work is None:
                return
            self._begin(heapq.heappop(self._idle), work)

    def _begin(self, worker: int, work: Work) -> None:
        attempt = self._attempts[work.member, work.start]
        stream = self._stream.child("interval", work.member, work.start, attempt)
        now = self._clock()
        ends = self._foresee(now + self._cluster.seconds(worker, work, stream), _Kind.ENDS, worker)
        self._busy[worker] = ends, work, now

    def _foresee(self, at: float, kind: _Kind, worker: int, back: float = math.inf) -> _Event:
        self._foreseen += 1
        event = _Event(at, kind, self._foreseen, worker, back)
        heapq.heappush(self._heap, event)
        return event

    def _advance(self) -> None:
        """Go to the next instant at which anything happens, and let all of it happen."""
        if (at := self._heap[0].at) >= LONGEST:
            raise RunError(
                f"the virtual clock, at {self._clock():g} s, would pass {LONGEST:g} s, where a record's ends"
            )
        self._clock.advance(at)
        while self._heap and self._heap[0].at == self._clock():
            event = heapq.heappop(self._heap)
            match event.kind:
                case _Kind.ENDS:
                    self._ends(event)
                case _Kind.BACK:
                    heapq.heappush(self._idle, event.worker)
                    self._foresee_random_loss(event.worker)
                case _Kind.LOST:
                    self._is_lost(event)

    def _ends(self, event: _Event) -> None:
        ends, work, begun = self._busy.get(event.worker, (None, None, 0.0))
        if work is None or ends is not event:  # the worker was lost before
            return
        del self._busy[event.worker]
        self._losses_in_a_row = 0
        self._attempts.pop((work.member, work.start), None)
        heapq.heappush(self._idle, event.worker)
        self._driver.complete(self._timed(self._bench.carry_out(work), event.worker, self._clock() - begun))

    @staticmethod
    def _timed(outcome: Outcome, worker: int, seconds: float) -> Outcome:
        """An outcome with its virtual seconds; those of the processor are what it really took here."""
        if isinstance(outcome, Failed):
            return outcome
        return replace(
            outcome, timing={"worker": worker, "train_s": round(seconds, 6), "cpu_s": outcome.timing["cpu_s"]}
        )

    def _is_lost(self, event: _Event) -> None:
        worker = event.worker
        self._losses_in_a_row += 1
        if self._losses_in_a_row > self._most_losses:
            raise RunError(
                f"workers of the simulated cluster were lost {self._most_losses} times in a row, and no interval has ended: "
                f"{shown(self._cluster.preemptions)} are too frequent for intervals of this length"
            )
        _, work, begun = self._busy.pop(worker, (None, None, 0.0))
        if work is None:
            self._idle.remove(worker)
            heapq.heapify(self._idle)
        else:
            self._attempts[work.member, work.start] += 1
            self._lost.append(work)
            seconds = round(self._clock() - begun, 6)
            self._driver.note(lost_worker=worker, member=work.member, step=work.start, lost_s=seconds)
        if event.back < math.inf:
            self._foresee(event.back, _Kind.BACK, worker)

    # -- losses ------------------------------------------------------------------------------------------------------

    def _foresee_losses(self) -> None:
        """Losses at their seconds since the run began, those of earlier sessions left out; or the first of each worker."""
        if isinstance(self._cluster.preemptions, RandomPreemptions):
            for worker in range(len(self._cluster.speeds)):
                self._foresee_random_loss(worker)
            return
        earlier = self._driver.timing.elapsed
        for loss in self._cluster.preemptions:
            if (back := loss.at + loss.away - earlier) > 0:
                self._foresee(max(0.0, loss.at - earlier), _Kind.LOST, loss.worker, back)

    def _foresee_random_loss(self, worker: int) -> None:
        if isinstance(preemptions := self._cluster.preemptions, RandomPreemptions):
            since = repr(self._driver.timing.elapsed_before)  # other draws in every session
            stream = self._stream.child("loss", worker, self._losses[worker], since)
            self._losses[worker] += 1
            at = self._clock() + preemptions.next(stream)
            self._foresee(at, _Kind.LOST, worker, at + preemptions.away)
