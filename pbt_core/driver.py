"""The driver of a run: hands out intervals of training, records their outcomes, asks the method what to do next.

Engines differ only in how they carry the work out. The driver is single-threaded and combines its parts:
scheduling (whose turn), decisions (what the method says), the journal (what is recorded and kept), the ending (whether it is
time to stop). It is rebuilt from the record when a run resumes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pbt_core.checking import check_arguments
from pbt_core.decisions import CannotReplace, Decider, empty_ledger, first_settings
from pbt_core.ending import Ending
from pbt_core.errors import RunError
from pbt_core.failures import Failures
from pbt_core.journal import Journal, Observer, Timing
from pbt_core.ledger import Ledger
from pbt_core.method import Method
from pbt_core.outcomes import Outcome, cannot_replace, end_of, events_of, next_interval
from pbt_core.plan import Plan
from pbt_core.remarks import remark_on_end, remark_on_plan
from pbt_core.resuming import Leftovers, complete_last_lines, identity, must_be_the_same
from pbt_core.scheduling import Asynchronous, Scheduling, Synchronous
from pbt_core.schema import FORMAT
from pbt_core.seeds import Streams
from pbt_core.store import Store
from pbt_core.task import AnyTask
from pbt_core.work import Failed, Work

log = logging.getLogger("pbt_core")


class Driver:
    """One run in one directory: ``events.jsonl``, ``timing.jsonl`` and ``checkpoints/``.

    ``next_work`` gives an interval to carry out, or None while all depend on intervals under way; ``complete``
    takes its outcome. The run is over when ``finished``.

    ``plan`` becomes that of the whole run where it was extended from the one given. extend: whether a finished run of fewer
    steps goes on. clock: seconds, by which durations are measured. scheduling: whose
    turn it is, in asynchronous mode (default: first come, first served).
    Raises RecordError if the directory holds another run, ValueError for what cannot be run at all.
    """

    def __init__(
        self,
        task: AnyTask,
        method: Method,
        plan: Plan,
        directory: Path,
        observer: Observer | None = None,
        *,
        extend: bool = False,
        clock: Callable[[], float] = time.monotonic,
        scheduling: Scheduling[Outcome] | None = None,
    ) -> None:
        check_arguments(task, method, plan, observer, extend)
        self.space, self.plan, self.directory = task.space, plan, directory
        self._identity = identity(task, method, plan, self.space)
        self._decider = Decider(method, self.space, Streams(plan.seed), plan.synchronous)
        self.store = Store(directory / "checkpoints", plan.durable)
        free = Asynchronous() if scheduling is None else scheduling
        self._scheduling: Scheduling[Outcome] = Synchronous() if plan.synchronous else free
        self.journal = Journal(directory / "events.jsonl", self.store, empty_ledger(plan.synchronous), observer)
        self.failures = Failures(directory)
        self._leftovers = Leftovers(self.store, set())
        self._proven_by: int | None = None  # the member whose interval shows whether the task keeps its contract
        self._open: set[int] = set()
        self._under_way = 0
        self._warned_of_divergence = False
        try:
            if self.journal.header is None:
                self._join()
            else:
                self.plan = must_be_the_same(self.journal, self._identity, plan, extend)
                self._resume()
            self.timing = Timing(directory / "timing.jsonl", clock)
            self._ending = Ending(self.plan, self._scheduling, lambda: self.timing.elapsed)
            self._begin()
        except BaseException:
            self.journal.close()
            raise

    @property
    def ledger(self) -> Ledger:
        return self.journal.ledger

    @property
    def finished(self) -> bool:
        return self.ledger.finished

    def must_be_finished(self) -> None:
        """For engines that have nothing left to do: RunError, instead of an endless wait, if the run is not over."""
        if not self.finished:
            raise RunError(f"the run in {self.directory} has stalled: no member can go on; please report it")

    def close(self) -> None:
        self.failures.summary()
        self.timing.close()
        self.journal.close()

    def next_work(self, worker: int | None = None) -> Work | None:
        """The next interval to carry out. In synchronous mode, where order does not matter, a worker goes on with its members.

        Raises RunError when a member failed that the method cannot replace.
        """
        while not self._ending.has_come():
            self._decide()
            member = self._scheduling.next(worker)
            if member is None:
                break
            self._under_way += 1
            work = self._work(member)
            answer = self._leftovers.answer(work)
            if answer is None:
                return work
            self.complete(answer)
        self._finish_if_over()
        return None

    def next_in_round(self, worker: int) -> Work | None:
        """The next interval if it depends on no outcome that is still to be taken: in synchronous mode, while a round lasts.

        So a worker need not wait until its outcome is recorded.
        """
        return self.next_work(worker) if self.plan.synchronous else None

    def complete(self, outcome: Outcome) -> None:
        """Take the outcome of an interval. In synchronous mode it is recorded after those before it in the round."""
        self._under_way -= 1
        if outcome.work.proves:
            self._proven_by = None
        for member, ready in self._scheduling.arrived(outcome.work.member, outcome):
            self._record(ready)
            self._scheduling.recorded(member, member in self._open)
        self._finish_if_over()

    def note(self, **entry: Any) -> None:
        """Write a line about time or place (durations, lost workers) beside the record."""
        self.timing.note(**entry)

    # -- decisions ---------------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        while due := self._scheduling.due():
            if len(due) == 1 and self._must_wait_for_others(due[0]):
                self._scheduling.postponed(due[0])
                continue
            self._warn_of_divergence()
            lost, events = [], {}
            for member in due:
                try:
                    events[member] = self._decider.decision(self.ledger, member)
                except CannotReplace:
                    lost.append(member)
            if lost:
                self._give_up(lost)
            self.journal.append(*(event for event in events.values() if event is not None))
            for member, event in events.items():
                if event is None:  # an unchanged member needs no record: a resumed run finds out by itself
                    self.ledger.decided(member)
                elif event["event"] == "stopped":
                    self._open.discard(member)
                self._scheduling.decided(member, member in self._open)

    def _must_wait_for_others(self, member: int) -> bool:
        """Whether a failed member has to wait: in asynchronous mode, while other members may still become healthy."""
        if not isinstance(self._scheduling, Asynchronous) or not self.ledger.slots[member].member.failed:
            return False
        return not self.ledger.standing.healthy and self._scheduling.others_to_come()

    def _warn_of_divergence(self) -> None:
        standing = self.ledger.standing
        all_diverged = len(standing) == len(self.ledger.slots) and not standing.healthy
        if all_diverged and not self._warned_of_divergence:
            log.warning("%s: no member has a finite score: all of them diverged or failed", self.directory)
        self._warned_of_divergence = all_diverged

    def _give_up(self, lost: list[int]) -> None:
        """End the run because of failed members that cannot be replaced; the next start tries their interval again."""
        where = [{"member": m, "step": self.ledger.slots[m].member.step} for m in lost]
        self.journal.append(*({"event": "retried", **place} for place in where))
        what = cannot_replace(self._decider.method, self.journal.failures[lost[0]])
        raise RunError(f"{what} (traceback in {self.journal.path}; the same command tries that interval again)")

    # -- work and outcomes -------------------------------------------------------------------------------------------

    def _work(self, member: int) -> Work:
        proves = self._proven_by is None and not self.ledger.evaluations
        if proves:
            self._proven_by = member
        return next_interval(self.ledger.slots[member], self.plan, self.journal.spare(member), proves)

    def _record(self, outcome: Outcome) -> None:
        work = outcome.work
        self._close_if_done(work.member, work.stop)
        self.journal.append(*events_of(outcome))
        self.failures.took(outcome)
        if not isinstance(outcome, Failed):
            self.note(member=work.member, step=work.stop, steps=work.stop - work.start, **outcome.timing)
            self._ending.see(outcome.score["score"])

    def _close_if_done(self, member: int, step: int) -> None:
        if step >= self.plan.steps:
            self._open.discard(member)

    def _finish_if_over(self) -> None:
        if self.finished or self._under_way:
            return
        if not self._ending.has_come() and self._open:
            return
        for _, ready in self._scheduling.waiting_outcomes():
            self._record(ready)
        if not self._scheduling.idle:
            return
        self.journal.append(end_of(self.ledger, self._ending.reason(bool(self._open))))
        self.journal.keep_only_needed()
        remark_on_end(self._decider.method, self.ledger.view(self.space), self.directory)

    # -- beginning and resuming --------------------------------------------------------------------------------------

    def _join(self) -> None:
        joined = first_settings(self._decider.method, self.space, self.plan.population, self._decider.streams)
        self.journal.append({"event": "started", "format": FORMAT, "run": self._identity}, *joined)

    def _resume(self) -> None:
        if len(self.ledger.slots) < self.plan.population:
            # Killed while it wrote its very first lines: nothing is lost by beginning anew.
            self.journal.begin_again(empty_ledger(self.plan.synchronous))
            self._join()
            return
        complete_last_lines(self.journal, self.plan)
        self._leftovers = Leftovers(self.store, set(self.ledger.slots))

    def _begin(self) -> None:
        """Tell the scheduling of every member that has budget left."""
        slots = self.ledger.slots
        self._open = {m for m, slot in slots.items() if not slot.stopped and slot.member.step < self.plan.steps}
        if self.finished:
            self.journal.keep_only_needed()  # it may have been killed before it came to that
        else:
            remark_on_plan(self._decider.method, self.plan, self.directory)
            steps = {m: slot.member.step for m, slot in slots.items()}
            deciding = [m for m in self._open if slots[m].undecided]
            self._scheduling.begin(deciding, [m for m in self._open if not slots[m].undecided], steps)
            for slot in slots.values():
                self._ending.see(slot.member.score)
            self._finish_if_over()
