"""A pool of workers of any kind: hands out intervals, replaces lost workers, ends hung ones. A transport reaches them."""

from __future__ import annotations

import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pbt_core.driver import Driver
from pbt_core.errors import RunError
from pbt_core.failures import UNKNOWN, ending
from pbt_core.work import Done, Failed, Work

#: After so many workers were lost in the same interval the member has failed: the interval itself kills them.
LOSSES = 3
#: The same by the last one's exit code. Being killed from outside says little about the interval; of 255 nothing is known.
LOSSES_BY_EXIT: dict[int | None, int] = {-signal.SIGKILL: 20, 255: 20}
#: Seconds after which a wait is begun anew: longer ones are refused by some systems.
LONGEST_WAIT = 3600.0


@dataclass(frozen=True)
class Ready:
    """The worker has begun: the time that its imports took does not count."""


@dataclass(frozen=True)
class Gone:
    """The worker is no more; ``exit_reason`` is a process's exit code, negative for the signal that killed it."""

    exit_reason: int | None


Message = Ready | Gone | Done | Failed | Exception


def most_losses(exit_reason: int | None) -> int:
    """At how many lost workers, the last of which ended so, their interval has failed."""
    return LOSSES_BY_EXIT.get(exit_reason, LOSSES)


def crashed(work: Work, losses: int, exit_reason: int | None) -> Failed:
    """The outcome of an interval that has cost so many workers."""
    return Failed(work, "crashed", f"{losses} workers died in this interval, the last with exit code {exit_reason}")


def died_at_start(exit_reason: int | None) -> RunError | None:
    """Why the run ends with a worker that died before it was ready; None if it was killed, so that another may be started."""
    if exit_reason is None or exit_reason < 0 or exit_reason == UNKNOWN:
        return None
    return RunError(f"a worker ended before it was ready ({ending(exit_reason)}): what it has printed says why")


def idle(exit_reason: int | None) -> RunError:
    """Why the run ends where worker after worker dies that has begun no interval."""
    return RunError(f"workers die while they have nothing to do, the last with exit code {exit_reason}")


def hung(work: Work, timeout: float) -> Failed:
    """The outcome of an interval that was ended because it took more than ``timeout`` seconds."""
    return Failed(work, "hung", f"the interval took more than {timeout} s")


class Transport(Protocol):
    """Workers by number, each with at most one interval at a time.

    ``poll`` waits for news of any of them, at most ``timeout`` seconds (None: until there is some). A worker that is gone
    stays so until it was killed, which ends what is left of it, and started again; ``start`` is for one that is not there.
    An exception as a message ends the run.

    prompt: whether a worker that was started will begin in any case, so that it may be given work before it is ready.
    """

    @property
    def prompt(self) -> bool: ...

    def start(self, worker: int) -> None: ...

    def send(self, worker: int, work: Work) -> None: ...

    def poll(self, timeout: float | None) -> list[tuple[int, Message]]: ...

    def kill(self, worker: int) -> None: ...

    def close(self, orderly: bool) -> None:
        """End all workers and whatever they started: after their states were closed if ``orderly``, else at once."""
        ...


class Pool:
    """Keeps ``count`` workers busy with what the driver hands out.

    timeout: seconds that an interval may take before its member counts as hung; None for no limit.
    """

    def __init__(
        self,
        driver: Driver,
        transport: Transport,
        count: int,
        timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.driver, self.transport, self.count, self.timeout, self._clock = driver, transport, count, timeout, clock
        self._work: dict[int, Work] = {}
        self._begun: dict[int, float] = {}  # by worker that is ready: when its interval began
        self._ready: set[int] = set()
        self._again: deque[Work] = deque()  # intervals whose workers were lost
        self._losses: Counter[tuple[int, int]] = Counter()
        self._idle_losses = 0  # one after another, with no outcome between them

    def run(self) -> None:
        """Until the run is finished: give idle workers intervals, take their outcomes."""
        orderly = False
        try:
            for worker in range(self.count):
                self.transport.start(worker)
            while not self.driver.finished:
                self._assign()
                if self._work or len(self._ready) < self.count:
                    self._collect()
                else:
                    self.driver.must_be_finished()
            orderly = True
        finally:
            self.transport.close(orderly)

    def _assign(self) -> None:
        for worker in range(self.count):
            if worker not in self._work and (worker in self._ready or self.transport.prompt):
                work = self._again.popleft() if self._again else self.driver.next_work(worker)
                if work is None:
                    return
                self._send(worker, work)

    def _send(self, worker: int, work: Work) -> None:
        self._work[worker] = work
        self._begun[worker] = self._clock()
        self.transport.send(worker, work)

    def _collect(self) -> None:
        """Wait for an outcome, the death of a worker or the end of a time limit."""
        for worker, message in self.transport.poll(self._left()):
            match message:
                case Ready():
                    self._ready.add(worker)
                    self._begun[worker] = self._clock()
                case Gone(exit_reason):
                    self._lost(worker, exit_reason)
                case Done() | Failed():
                    self._idle_losses = 0
                    work = self._work.get(worker)
                    if work is not None and work.is_same(message.work):  # else of an interval that is over
                        del self._work[worker]
                        # The worker goes on before its outcome is recorded, where what it does next does not depend on it.
                        if (following := self.driver.next_in_round(worker)) is not None:
                            self._send(worker, following)
                        self.driver.complete(message)
                case _:
                    raise message
        if self.timeout is not None:
            for worker in [w for w in self._work if w in self._ready and self._clock() - self._begun[w] > self.timeout]:
                self._hung(worker)

    def _left(self) -> float:
        clocks = [self._begun[worker] for worker in self._work if worker in self._ready]
        if self.timeout is None or not clocks:
            return LONGEST_WAIT
        return min(LONGEST_WAIT, max(0.0, min(clocks) + self.timeout - self._clock()))

    def _hung(self, worker: int) -> None:
        work = self._work.pop(worker)
        self._replace(worker)
        assert self.timeout is not None, "else nothing hangs"
        self.driver.complete(hung(work, self.timeout))

    def _lost(self, worker: int, exit_reason: int | None) -> None:
        """A worker is gone: its interval is done again, by the next that is ready, unless it has cost workers before."""
        work = self._work.pop(worker, None)
        begun = worker in self._ready
        if not begun and (error := died_at_start(exit_reason)) is not None:
            raise error
        self._replace(worker)
        most = most_losses(exit_reason)
        if work is None or not begun:  # nothing that the interval has done
            if work is not None:
                self._again.append(work)
            self._idle_losses += 1
            if self._idle_losses > most * self.count:
                raise idle(exit_reason)
            return
        self.driver.note(lost_worker=worker, member=work.member, step=work.start, exitcode=exit_reason)
        self.driver.failures.lost(work, exit_reason)
        self._losses[work.member, work.start] += 1
        if self._losses[work.member, work.start] < most:
            self._again.append(work)
        else:
            self.driver.complete(crashed(work, most, exit_reason))

    def _replace(self, worker: int) -> None:
        self._ready.discard(worker)
        self.transport.kill(worker)
        self.transport.start(worker)
