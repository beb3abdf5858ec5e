"""Intervals with a time limit for a worker that is itself one process: they are carried out in a process of its own.

Code that hangs can only be ended with the process that it runs in, and that of a leased worker may be the user's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pbt_core.engines.pipes import Pipes
from pbt_core.engines.pool import LONGEST_WAIT, Gone, Ready, crashed, died_at_start, hung, idle, most_losses
from pbt_core.engines.worker import Assignment
from pbt_core.task import AnyTask
from pbt_core.work import Done, Failed, Work


class LimitedBench:
    """Carries intervals out as a ``Bench`` does, one at a time, each in at most ``timeout`` seconds.

    An interval that takes longer ends with the process and all that it has started, and has failed as hung. It is done again
    where the process dies, until it has cost too many (see ``pool.most_losses``). The time that imports take does not count.
    """

    def __init__(
        self,
        task: AnyTask,
        assignment: Assignment,
        devices: Sequence[str],
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout, self._clock = timeout, clock
        self._pipes = Pipes(task, assignment, devices)
        self._ready = self._busy = False
        self._pipes.start(0)

    def carry_out(self, work: Work) -> Done | Failed:
        """The outcome of the interval; CheckpointError or RunError for what ends the worker."""
        losses = idle_losses = 0
        while True:
            self._busy = True
            outcome, begun = self._outcome(work)
            self._busy = False
            if not isinstance(outcome, Gone):
                return outcome
            most = most_losses(outcome.exit_reason)
            if not begun:  # nothing that the interval has done
                idle_losses += 1
                if idle_losses > most:
                    raise idle(outcome.exit_reason)
                continue
            losses += 1
            if losses >= most:
                return crashed(work, losses, outcome.exit_reason)

    def close(self) -> None:
        """End the process: after its states were closed, or at once if an interval is under way."""
        self._pipes.close(orderly=not self._busy)

    def _outcome(self, work: Work) -> tuple[Done | Failed | Gone, bool]:
        """What came of one attempt, and whether the process had begun it."""
        self._pipes.send(0, work)
        begun = self._clock()
        while True:
            left = min(LONGEST_WAIT, max(0.0, begun + self.timeout - self._clock())) if self._ready else LONGEST_WAIT
            news = self._pipes.poll(left)
            for _, message in news:
                match message:
                    case Ready():
                        self._ready, begun = True, self._clock()
                    case Done() | Failed():
                        if work.is_same(message.work):  # else of an interval that is over
                            return message, True
                    case Gone(exit_reason):
                        was_ready = self._ready
                        if not was_ready and (error := died_at_start(exit_reason)) is not None:
                            raise error
                        self._replace()
                        return message, was_ready
                    case _:
                        self._busy = False
                        raise message
            if not news and self._ready and self._clock() - begun > self.timeout:
                self._replace()
                return hung(work, self.timeout), True

    def _replace(self) -> None:
        self._ready = False
        self._pipes.kill(0)
        self._pipes.start(0)
