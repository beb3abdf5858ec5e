"""The state of a run, folded from its events: the same code builds it while the run goes on and when it resumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pbt_core.events import Event
from pbt_core.population import HISTORY, Evaluation, Member
from pbt_core.store import Reference


@dataclass(frozen=True)
class Seat:
    """A member and what the run has to know of it besides.

    member: as it stands, with the last decision applied.
    published: as last evaluated, before any decision: what members see of each other in synchronous mode.
    latest: the checkpoint of its last evaluation; None before the first, and for a failed member.
    source: the checkpoint it trains on from (its own latest or a parent's); None stands for fresh weights.
    undecided: an interval ended and no recorded decision has followed yet.
    stopped: it trains no further.
    """

    member: Member
    published: Member
    latest: Reference | None = None
    source: Reference | None = None
    undecided: bool = False
    stopped: bool = False


class Ledger:
    """Seats by member id, and every evaluation so far. ``apply`` is the only way to change them.

    ``kept`` is the best training that a restart has ended: its weights remain an answer of the run.
    """

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.seats: dict[int, Seat] = {}
        self.evaluations: list[Evaluation] = []
        self.kept: Seat | None = None
        self.finished = False
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Fold one event into the state."""
        match event["event"]:
            case "joined":
                member = Member(event["member"], event["hyperparameters"])
                self.seats[member.id] = Seat(member, member)
            case "evaluated":
                self._evaluated(event)
            case "failed":
                self._failed(event)
            case "cloned":
                self._cloned(event)
            case "changed":
                self._changed(event)
            case "restarted":
                self._restarted(event)
            case "retried":
                self._retried(event)
            case "stopped":
                seat = self.seats[event["member"]]
                self.seats[event["member"]] = replace(seat, stopped=True, undecided=False)
            case "finished":
                self.finished = True

    def decided(self, member: int) -> None:
        """The member goes on unchanged, which is a decision without an event."""
        self.seats[member] = replace(self.seats[member], undecided=False)

    def best(self) -> Seat | None:
        """The healthy member with the highest last score, or the training that was kept; among equals the first."""
        seats = [*([self.kept] if self.kept else []), *self.seats.values()]
        healthy = [seat for seat in seats if seat.member.healthy]
        return max(healthy, key=lambda seat: (_score(seat), -seat.member.id), default=None)

    def holds(self, reference: Reference) -> bool:
        """Whether somebody may still read this checkpoint."""
        return reference in self.references()

    def references(self) -> set[Reference]:
        """Every checkpoint that somebody may still read."""
        held = {reference for seat in self.seats.values() for reference in (seat.latest, seat.source)}
        if self.kept is not None:
            held.add(self.kept.latest)
        return {reference for reference in held if reference is not None}

    def _evaluated(self, event: Event) -> None:
        seat = self.seats[event["member"]]
        steps = event["step"] - seat.member.step
        member = replace(
            seat.member,
            previous=seat.member.step,
            step=event["step"],
            age=seat.member.age + steps,
            score=event["score"],
            samples=tuple(event["samples"]),
            history=_remembered(seat.member.history, event["score"]),
            failed=False,
        )
        before, hyperparameters = seat.member.score, event["hyperparameters"]
        self.evaluations.append(
            Evaluation(member.id, member.step, steps, member.age, hyperparameters, event["score"], before)
        )
        reference = Reference(member.id, member.step, event["checkpoint"])
        self.seats[member.id] = Seat(member, member, latest=reference, source=reference, undecided=True)

    def _failed(self, event: Event) -> None:
        """The interval is charged, the weights are lost; the source stays, so that a retry could begin there."""
        seat = self.seats[event["member"]]
        member = replace(
            seat.member,
            previous=seat.member.step,
            step=event["step"],
            score=math.nan,
            samples=(),
            history=(),
            failed=True,
        )
        self.seats[member.id] = replace(seat, member=member, published=member, latest=None, undecided=True)

    def _cloned(self, event: Event) -> None:
        """With the parent's weights comes the parent's score: the same weights would be evaluated again (Algorithm 1)."""
        seat = self.seats[event["member"]]
        member = replace(
            seat.member, hyperparameters=event["hyperparameters"], parent=event["parent"], born=event["step"]
        )
        source = seat.source
        if event["weights"]:
            samples, history = tuple(event["samples"]), tuple(event["history"])
            member = replace(member, score=event["score"], samples=samples, history=history, failed=False)
            source = Reference(**event["source"])
            member = replace(member, age=self._age(source))
        self.seats[member.id] = replace(seat, member=member, source=source, undecided=False)

    def _retried(self, event: Event) -> None:
        seat = self.seats[event["member"]]
        member = replace(seat.member, step=seat.member.previous, score=None, failed=False)
        self.seats[member.id] = replace(seat, member=member, published=member, undecided=False)

    def _age(self, source: Reference) -> int:
        """The age of the weights in a checkpoint."""
        return next(e.age for e in reversed(self.evaluations) if (e.member, e.step) == (source.member, source.step))

    def _restarted(self, event: Event) -> None:
        """The training ends here; if it is the best that ever ended so, its weights are kept."""
        ended = self.seats[event["member"]]
        # What a member was evaluated with, which a decision may have changed since, is published.
        candidate = replace(ended, member=ended.published, source=None)
        if ended.published.healthy and (self.kept is None or _score(candidate) > _score(self.kept)):
            self.kept = candidate
        self._changed(event)
        seat = self.seats[event["member"]]
        member = replace(seat.member, age=0, failed=False, score=None, samples=(), history=())
        self.seats[member.id] = replace(seat, member=member, source=None)

    def _changed(self, event: Event) -> None:
        seat = self.seats[event["member"]]
        member = replace(seat.member, hyperparameters=event["hyperparameters"])
        self.seats[member.id] = replace(seat, member=member, undecided=False)


def _score(seat: Seat) -> float:
    return -math.inf if seat.member.score is None else seat.member.score


def _remembered(history: tuple[float, ...], score: float) -> tuple[float, ...]:
    return (*history, score)[-HISTORY:] if math.isfinite(score) else history
