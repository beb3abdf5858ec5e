"""The driver of a run: hands out intervals of training, records what came of them, asks the method what to do next.

Engines differ only in how they carry the work out. The driver is single-threaded, owns the record and the checkpoints,
and is rebuilt from the record when a run resumes.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pbt_core.events import FORMAT, Event, EventLog, RecordError, dump
from pbt_core.ledger import Ledger, Seat
from pbt_core.method import Clone, Continue, Decision, Method, Restart, Stop
from pbt_core.plan import Plan
from pbt_core.population import Member, Population
from pbt_core.seeds import Stream
from pbt_core.space import Space
from pbt_core.store import Reference, Store
from pbt_core.work import Done, Failed, Work, score_from_json, score_to_json

Observer = Callable[[Event], None]


class RunError(RuntimeError):
    """The run cannot go on; the message says why and what a new start of the same run will do."""


class Driver:
    """One run in one directory: ``events.jsonl``, ``timing.jsonl`` and ``checkpoints/``.

    ``next_work`` gives an interval to carry out, or None if there is none before some other is completed; ``complete``
    takes its outcome. The run is over when ``finished``. Raises RecordError if the directory holds another run.
    """

    def __init__(
        self, space: Space, method: Method, plan: Plan, directory: Path, observer: Observer | None = None
    ) -> None:
        self.space, self.method, self.plan, self.directory = space, method, plan, directory
        self.streams = Stream(plan.seed)
        self.store = Store(directory / "checkpoints")
        self._observer = observer
        self._log = EventLog(directory / "events.jsonl")
        self._timing = (directory / "timing.jsonl").open("a")
        self._flushed = 0.0
        self.note(session="begins")
        self._arrived: dict[int, Done | Failed] = {}
        self._in_flight: set[int] = set()
        # Checkpoints that nobody needs any more, by the member whose next one may take the file.
        self._spare: dict[int, Reference] = {}
        self.ledger = Ledger()
        # Members whose next interval may have been finished by a killed run without being recorded.
        self._unsure: set[int] = set()
        try:
            if self._log.events:
                self._resume()
            else:
                self._join()
            # First in, first out, so that members share fewer workers fairly; by progress when a run resumes.
            seats = self.ledger.seats
            self._queue = deque(sorted((m for m in seats if self._open(m)), key=lambda m: (seats[m].member.step, m)))
            self._finish_if_over()
        except BaseException:
            self.close()
            raise

    @property
    def events(self) -> list[Event]:
        return self._log.events

    @property
    def finished(self) -> bool:
        return self.ledger.finished

    def must_be_finished(self) -> None:
        """For engines that have nothing left to do: RunError, instead of an endless wait, if the run is not over."""
        if not self.finished:
            raise RunError(f"the run in {self.directory} has stalled: no member can go on; please report it")

    def close(self) -> None:
        self._log.close()
        self._timing.close()

    def next_work(self, prefer: Callable[[int], bool] = lambda member: False) -> Work | None:
        """The next interval to carry out. In synchronous mode, where order does not matter, preferred members go first.

        Raises RunError when a member failed that the method cannot replace.
        """
        while (work := self._take(prefer)) is not None:
            answer = self._answer(work)
            if answer is None:
                return work
            self.complete(answer)
        self._finish_if_over()
        return None

    def complete(self, outcome: Done | Failed) -> None:
        """Take the outcome of an interval. In synchronous mode it is recorded when those before it in the round are."""
        self._in_flight.discard(outcome.work.member)
        self._arrived[outcome.work.member] = outcome
        for member in list(self.ledger.seats) if self.plan.synchronous else list(self._arrived):
            if member in self._arrived:
                self._record(self._arrived.pop(member))
                if self._open(member):
                    self._queue.append(member)
            elif self._training(member):
                break
        self._finish_if_over()

    def note(self, **entry: Any) -> None:
        """Write a line about time or place (durations, lost workers) beside the record."""
        now = time.time()
        self._timing.write(dump({"at": round(now, 3), **entry}) + "\n")
        if now - self._flushed > 1:  # nothing depends on these lines: a kill may cost those of the last second
            self._timing.flush()
            self._flushed = now

    # -- decisions ---------------------------------------------------------------------------------------------------

    def _take(self, prefer: Callable[[int], bool]) -> Work | None:
        """Remove a member that may train from the queue; None if all have to wait."""
        member = self._next_in_round(prefer) if self.plan.synchronous else self._next_in_turn()
        if member is None:
            return None
        self._queue.remove(member)
        self._in_flight.add(member)
        seat = self.ledger.seats[member]
        start = seat.member.step
        stop = min(start + self.plan.interval, self.plan.steps)
        own = seat.latest if seat.source not in (None, seat.latest) else None
        return Work(member, start, stop, seat.member.hyperparameters, seat.source, own, self._spare.pop(member, None))

    def _next_in_round(self, prefer: Callable[[int], bool]) -> int | None:
        """Synchronous mode: once all have ended their interval, decide for all of them on the same view."""
        seats = self.ledger.seats
        waiting = sorted(m for m in self._queue if seats[m].undecided)
        together = len({seats[m].member.step for m in self._queue}) == 1
        if waiting and together and not self._in_flight and not self._arrived:
            members = {m: seat.published for m, seat in seats.items()}
            view = Population(members, self.space, self.ledger.evaluations)
            self._apply({m: self._ask(seats[m].published, view) for m in waiting})
        ready = [m for m in self._queue if not seats[m].undecided]
        return next((m for m in ready if prefer(m)), ready[0] if ready else None)

    def _next_in_turn(self) -> int | None:
        """Asynchronous mode: decide for the first in the queue on what is published when its turn has come."""
        for member in list(self._queue):
            seat = self.ledger.seats[member]
            if seat.undecided:
                members = {m: s.member for m, s in self.ledger.seats.items()}
                view = Population(members, self.space, self.ledger.evaluations)
                if seat.member.failed and not any(other.healthy for other in view) and self._others_to_come(member):
                    continue  # nobody to take over from yet
                self._apply({member: self._ask(seat.member, view)})
            if self._open(member):
                return member
        return None

    def _others_to_come(self, member: int) -> bool:
        seats = self.ledger.seats
        return any(m in self._in_flight or (m in self._queue and not seats[m].undecided) for m in seats if m != member)

    def _ask(self, member: Member, view: Population) -> Decision:
        return self.method.decide(member, view, self.streams.child("decide", member.id, member.step).generator())

    def _apply(self, decisions: dict[int, Decision]) -> None:
        """Check and record decisions made at once; ValueError if the method broke its contract."""
        seats = self.ledger.seats
        lost = [m for m, decision in decisions.items() if seats[m].member.failed and isinstance(decision, Continue)]
        if lost:
            self._give_up(lost)
        events = [self._event(seats[m], decision) for m, decision in decisions.items()]
        for member in decisions:
            # An unchanged member needs no record: a resumed run finds out by itself.
            self.ledger.decided(member)
        self._append(*(event for event in events if event is not None))
        for member in decisions:
            if not self._open(member):
                self._queue.remove(member)

    def _event(self, seat: Seat, decision: Decision) -> Event | None:
        """A decision as the event that records it; None for going on unchanged."""
        changed = None if isinstance(decision, Stop) else decision.hyperparameters
        try:
            if changed is not None:
                self.space.check(changed)
            if isinstance(decision, Clone):
                return self._cloned(seat, decision)
        except ValueError as error:
            name = type(self.method).__name__
            raise ValueError(f"{name}: decision for member {seat.member.id}: {error}") from None
        where = {"member": seat.member.id, "step": seat.member.step}
        if isinstance(decision, Stop):
            return {"event": "stopped", **where}
        if isinstance(decision, Restart):
            return {"event": "restarted", **where, "hyperparameters": dict(decision.hyperparameters)}
        if changed is None or dict(changed) == dict(seat.member.hyperparameters):
            return None
        return {"event": "changed", **where, "hyperparameters": dict(changed)}

    def _cloned(self, seat: Seat, decision: Clone) -> Event:
        parent = self.ledger.seats.get(decision.parent)
        if parent is None or decision.parent == seat.member.id:
            raise ValueError(f"parent {decision.parent!r} must be another member of the population")
        # What a member publishes: at a round's end what it trained itself, otherwise what it goes on from.
        seen, source = (parent.published, parent.latest) if self.plan.synchronous else (parent.member, parent.source)
        if not seen.healthy or source is None or seen.score is None:
            raise ValueError(f"parent {decision.parent} must have been evaluated with a finite score")
        if seat.member.failed and not decision.weights:
            raise ValueError("a failed member must copy weights, its own are lost")
        return {
            "event": "cloned",
            "member": seat.member.id,
            "step": seat.member.step,
            "parent": decision.parent,
            "weights": decision.weights,
            "source": dataclasses.asdict(source),
            "score": seen.score,
            "samples": list(seen.samples),
            "history": list(seen.history),
            "hyperparameters": dict(decision.hyperparameters),
        }

    def _give_up(self, lost: list[int]) -> None:
        """End the run over failed members that nobody can stand in for; the next start tries their interval again."""
        where = [{"member": m, "step": self.ledger.seats[m].member.step} for m in lost]
        errors = [next(e for e in reversed(self.events) if e["event"] == "failed" and e["member"] == m) for m in lost]
        self._append(*({"event": "retried", **place} for place in where))
        raise RunError(
            f"member {lost[0]} failed in the interval that ends at step {where[0]['step']} and "
            f"{type(self.method).__name__} cannot replace it: {errors[0]['error']} (traceback in {self._log.path}; "
            "the same command tries that interval again)"
        )

    # -- the record --------------------------------------------------------------------------------------------------

    def _record(self, outcome: Done | Failed) -> None:
        work = outcome.work
        where = {"member": work.member, "step": work.stop}
        if isinstance(outcome, Failed):
            what = {"kind": outcome.kind, "error": outcome.error, "traceback": outcome.traceback}
            self._append({"event": "failed", **where, **what})
            return
        evaluated = {
            "event": "evaluated",
            **where,
            **score_to_json(outcome.score),
            "hyperparameters": dict(work.hyperparameters),
            "checkpoint": outcome.checkpoint.digest,
        }
        diverged = [] if math.isfinite(outcome.score.value) else [{"event": "diverged", **where}]
        seat = self.ledger.seats[work.member]
        self._append(evaluated, *diverged)
        self.note(member=work.member, step=work.stop, steps=work.stop - work.start, **outcome.timing)
        for reference in {seat.latest, seat.source}:
            if reference is None or self.ledger.holds(reference):
                continue
            if work.member not in self._spare:
                self._spare[work.member] = reference
            else:
                self.store.remove(reference)

    def _append(self, *events: Event) -> None:
        if not events:
            return
        self._log.append(*events)
        for event in events:
            self.ledger.apply(event)
            if self._observer:
                self._observer(event)

    def _open(self, member: int) -> bool:
        """Whether the member trains on: it has budget left and was not stopped."""
        seat = self.ledger.seats[member]
        return not seat.stopped and seat.member.step < self.plan.steps

    def _training(self, member: int) -> bool:
        """Whether the member is in the middle of an interval, or may begin one without another decision."""
        return self._open(member) and not self.ledger.seats[member].undecided

    def _finish_if_over(self) -> None:
        if self.finished or self._arrived or self._in_flight or any(self._open(m) for m in self.ledger.seats):
            return
        best = self.ledger.best()
        answer = {"best": best.member.id, "step": best.member.step, "score": best.member.score} if best else {}
        self._append({"event": "finished", "best": None, "step": None, "score": None, **answer})
        self.store.keep(self.ledger.references())

    # -- beginning and resuming --------------------------------------------------------------------------------------

    def _header(self) -> Event:
        # A function's repr holds its address, which another process does not share.
        method = re.sub(r" at 0x[0-9a-f]+", "", repr(self.method))
        plan = {**dataclasses.asdict(self.plan), "method": method, "space": repr(self.space)}
        return {"event": "started", "format": FORMAT, "plan": plan}

    def _join(self) -> None:
        name, size = type(self.method).__name__, self.plan.population
        settings = self.method.start(self.space, size, self.streams.child("start").generator())
        if len(settings) != size:
            raise ValueError(f"{name}: start gave {len(settings)} of {size} members")
        for member, hyperparameters in enumerate(settings):
            try:
                self.space.check(hyperparameters)
            except ValueError as error:
                raise ValueError(f"{name}: start of member {member}: {error}") from None
        joined = [
            {"event": "joined", "member": m, "step": 0, "hyperparameters": dict(h)} for m, h in enumerate(settings)
        ]
        self._append(self._header(), *joined)

    def _resume(self) -> None:
        recorded, asked = self.events[0], self._header()
        if recorded.get("format") != FORMAT:
            raise RecordError(f"{self._log.path} has format {recorded.get('format')!r}; this version reads {FORMAT}")
        differing = [
            f"{key} was {recorded['plan'].get(key)!r} and is {value!r}"
            for key, value in asked["plan"].items()
            if recorded["plan"].get(key) != value
        ]
        if differing:
            raise RecordError(f"{self._log.path} holds another run: {'; '.join(differing)}. Choose another directory")
        if sum(event["event"] == "joined" for event in self.events) < self.plan.population:
            # Killed while it wrote its very first lines: nothing is lost by beginning again.
            self._log.clear()
            self._join()
            return
        self.ledger = Ledger(self.events)
        self._unsure = set(self.ledger.seats)
        last = self.events[-1]
        if last["event"] == "evaluated" and not math.isfinite(last["score"]):
            self._append({"event": "diverged", "member": last["member"], "step": last["step"]})
        if self.plan.synchronous:
            # If some members are ahead, all decisions of the round behind them were made; what is not recorded of
            # them is that the other members go on unchanged.
            steps = {m: seat.member.step for m, seat in self.ledger.seats.items() if self._open(m) or not seat.stopped}
            for member, step in steps.items():
                if step < max(steps.values()):
                    self.ledger.decided(member)

    def _answer(self, work: Work) -> Done | None:
        """What a killed run had finished of ``work`` without recording it: a checkpoint whose note asks for the same."""
        if work.member not in self._unsure:
            return None
        self._unsure.discard(work.member)
        for reference, note in self.store.notes(work.member, work.stop):
            if note.get("work") == work.fingerprint():
                return Done(work, score_from_json(note["score"]), reference, {})
        return None
