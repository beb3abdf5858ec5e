"""One worker's part in a run: it claims a member for an interval, decides about it, trains it, publishes what came of it.

A worker that dies is taken over; one that was only slow finds that its claim is another's, and what it made is dropped.
"""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import Protocol

from pbt_core.decisions import CannotReplace, Decider, first_settings
from pbt_core.errors import RunError
from pbt_core.failures import Failures, could_not_go_on
from pbt_core.identity import differences
from pbt_core.journal import Observer
from pbt_core.leases.closing import RECORD, close_the_run
from pbt_core.leases.folded import Claim, FoldedLog
from pbt_core.leases.folder import Folder, Gone
from pbt_core.leases.heartbeat import Heartbeat
from pbt_core.leases.log import LOG, Entry, SharedLog
from pbt_core.method import Method
from pbt_core.outcomes import Outcome, cannot_replace, end_of, events_of, next_interval
from pbt_core.plan import Plan
from pbt_core.remarks import remark_on_end, remark_on_plan
from pbt_core.resuming import Leftovers, identity
from pbt_core.schema import FORMAT, Event, RecordError, detached
from pbt_core.seeds import Streams
from pbt_core.store import CheckpointError, Store
from pbt_core.task import AnyTask
from pbt_core.work import Done, Failed, Work

log = logging.getLogger("pbt_core")

#: After so many workers were lost in the same interval the member has failed: the interval itself ends them. Machines that are
#: taken away look the same, so it is more than a pool allows workers that end by themselves.
LOSSES = 5
#: Seconds between two looks at a log in which nothing can be done.
SHORTEST_WAIT, LONGEST_WAIT = 0.01, 1.0


class CarriesOut(Protocol):
    """What does the intervals: a ``Bench``, or what stands for one in another process."""

    def carry_out(self, work: Work) -> Done | Failed: ...


class Participant:
    """One worker's part in a run."""

    def __init__(
        self,
        task: AnyTask,
        method: Method,
        plan: Plan,
        directory: Path,
        heartbeat: Heartbeat,
        observer: Observer | None = None,
    ) -> None:
        self.plan, self.directory, self.heartbeat = plan, directory, heartbeat
        self.observer = observer
        self.name = heartbeat.worker
        self._folder = Folder(directory)
        self.log = SharedLog(directory / LOG, plan.durable)
        self.folded = FoldedLog(plan)
        self.store = Store(directory / "checkpoints", plan.durable)
        self.decider = Decider(method, task.space, Streams(plan.seed), synchronous=False)
        self.claim: Claim | None = None
        self.failures = Failures(directory)
        self._identity = identity(task, method, plan, task.space)
        self._mine: set[int] = set()

    # -- what is read and published ------------------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what others have published."""
        for place, entry in self.log.read():
            self._fold(place, entry)
            self.folded.ledger.freed.clear()  # whoever published it removes them

    def publish(self, entry: Entry) -> bool:
        """Publish; False, and nothing done, if another worker was quicker. Checkpoints that it frees are removed.

        RecordError, and nothing published, for events that cannot follow those before them.
        """
        try:
            self.folded.ledger.must_follow(entry.events)
        except ValueError as error:
            raise RecordError(f"{self.log.folder}, an entry that is not published: {error}") from None
        if not self.log.append(entry):
            return False
        self._fold(self.log.place - 1, entry)
        ledger = self.folded.ledger
        for reference in ledger.freed:
            if not ledger.holds(reference):
                self.store.remove(reference)
        ledger.freed.clear()
        return True

    def _fold(self, place: int, entry: Entry) -> None:
        try:
            self.folded.apply(place, entry)
        except (ValueError, KeyError) as error:
            raise RecordError(f"{self.log.folder}, entry {place}: {error}") from None
        if self.observer is not None:
            for event in entry.events:
                self.observer(detached(event))

    def begin(self) -> None:
        """Begin the run, or find that it has begun; RecordError if it is another one."""
        self.read()
        self.log.must_be_whole()
        if self.log.place == 0:
            if (self.directory / RECORD).exists():
                raise Gone(f"{self.log.folder} is gone: the run was finished just now")
            decider = self.decider
            joined = first_settings(decider.method, decider.space, self.plan.population, decider.streams)
            started: Event = {"event": "started", "format": FORMAT, "run": self._identity}
            if not self.publish(Entry(self.name, (started, *joined), lease=self.heartbeat.lease)):
                self.read()
        assert self.folded.identity is not None, "the first entry begins the run"
        if differing := differences(self.folded.identity, self._identity):
            raise RecordError(f"{self.log.folder} holds another run: {'; '.join(differing)}. Choose another directory")
        self.heartbeat.lease = self.folded.lease or self.heartbeat.lease
        remark_on_plan(self.decider.method, self.plan, self.directory)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def work(self, bench: CarriesOut) -> None:
        """Claim, decide, train on ``bench`` and publish until the run is finished. Gone if another has closed it."""
        wait = SHORTEST_WAIT
        while True:
            self.read()
            if self.folded.ledger.finished:
                break
            if self.folded.over:
                reason = "score" if self.folded.reached and self.folded.open else "steps"
                if self.publish(Entry(self.name, (end_of(self.folded.ledger, reason),))):
                    population = self.folded.ledger.view(self.decider.space)
                    remark_on_end(self.decider.method, population, self.directory)
                continue
            if self._take_a_turn(bench):
                wait = SHORTEST_WAIT
            else:
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
        close_the_run(self._folder, self.log, self.folded.ledger, self.store)

    def _take_a_turn(self, bench: CarriesOut) -> bool:
        """Do the next thing that can be done; False if there is none."""
        self._give_up_what_nobody_will_end()
        for member in self._in_turn():
            if self.folded.ledger.slots[member].undecided and self.folded.must_wait(member):
                continue
            again = member in self.folded.claims
            if self._claimed(member):
                self._do(bench, self._interval(member), again)
            return True
        return False

    def _in_turn(self) -> list[int]:
        """Members that can be claimed: those that have come least far, of them those whose states are held here."""
        if self.folded.reached:
            return []
        claims, slots = self.folded.claims, self.folded.ledger.slots
        free = [m for m in self.folded.open if m not in claims or self.heartbeat.lapsed(claims[m].worker)]
        return sorted(free, key=lambda member: (slots[member].member.step, member not in self._mine, member))

    def _give_up_what_nobody_will_end(self) -> None:
        """Where no more work is begun, end the claims of lost workers."""
        if self.folded.reached:
            for claim in list(self.folded.claims.values()):
                if self.heartbeat.lapsed(claim.worker) and not self.publish(Entry(self.name, ends=claim.number)):
                    return

    def _claimed(self, member: int) -> bool:
        """Decide about the member if that is due, and claim it. False if another worker was quicker, or it is stopped."""
        events: tuple[Event, ...] = ()
        if self.folded.ledger.slots[member].undecided:
            try:
                event = self.decider.decision(self.folded.ledger, member)
            except CannotReplace:
                self._cannot_replace(member)
                return False
            events = () if event is None else (event,)
        if events and events[0]["event"] == "stopped":
            self.publish(Entry(self.name, events))
            return False
        if not self.publish(Entry(self.name, events, claims=member)):
            return False
        self.claim = self.folded.claims[member]
        self._mine.add(member)
        return True

    def _cannot_replace(self, member: int) -> None:
        failed = self.folded.failures[member]
        where = {"member": member, "step": self.folded.ledger.slots[member].member.step}
        if self.publish(Entry(self.name, ({"event": "retried", **where},))):
            what = cannot_replace(self.decider.method, failed)
            raise RunError(f"{what} (traceback in {self.log.folder}; the same command tries that interval again)")

    def _interval(self, member: int) -> Work:
        ledger = self.folded.ledger
        return next_interval(ledger.slots[member], self.plan, proves=not ledger.evaluations)

    def _do(self, bench: CarriesOut, work: Work, again: bool) -> None:
        outcome: Outcome | None = None
        lost = self.folded.losses[work.member, work.start]
        if again:
            outcome = Leftovers(self.store, {work.member}).answer(work)
        if outcome is None and lost >= LOSSES:
            outcome = Failed(work, "crashed", f"{lost} workers were lost in this interval")
        if outcome is None:
            try:
                outcome = bench.carry_out(work)
            except CheckpointError:
                self.read()
                if self._is_mine():
                    raise
                log.info("%s: member %d was taken over while its source was read", self.name, work.member)
            except OSError as error:  # no checkpoint can be written: a full disk, say
                raise could_not_go_on(work, error) from None
        if outcome is not None:
            self._deliver(outcome)
        self.claim = None

    def _deliver(self, outcome: Outcome) -> None:
        """Publish an outcome, unless the claim has become another's meanwhile."""
        timing = {"at": round(time.time(), 3), **outcome.timing} if isinstance(outcome, Done) else {}
        while True:
            self.read()
            if self.claim is None or not self._is_mine():
                log.info("%s: member %d was taken over: its interval is dropped", self.name, outcome.work.member)
                return
            if self.publish(Entry(self.name, tuple(events_of(outcome)), ends=self.claim.number, timing=timing)):
                self.failures.took(outcome)
                return

    def _is_mine(self) -> bool:
        return self.claim is not None and self.claim in self.folded.claims.values()

    def leave(self) -> None:
        """Give back what is claimed, so that nobody has to wait for the lease to lapse."""
        self.failures.summary()
        with contextlib.suppress(Exception):
            # By the log: an interrupt may come between a claim's publication and its being noted here.
            while claim := next((c for c in self.folded.claims.values() if c.worker == self.name), None):
                if not self.publish(Entry(self.name, ends=claim.number)):
                    self.read()
