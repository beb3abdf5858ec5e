"""The state of a run, folded from its events: the same code builds it while the run goes on and when it resumes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq
from typing import overload

from pbt_core.population import HISTORY, Evaluation, Member, Population, Standing
from pbt_core.schema import Event
from pbt_core.space import Hyperparameters, Space
from pbt_core.store import Reference
from pbt_core.values import Frozen, identical


@dataclass(frozen=True, slots=True)
class Slot:
    """A member, and what else the run has to know about it.

    member: as it stands, with the last decision applied.
    published: as last evaluated, before any decision: what members see of each other in synchronous mode.
    latest: the checkpoint of its last evaluation; None before the first, and for a failed member.
    source: the checkpoint it trains on from (its own latest or a parent's); None stands for fresh weights.
    undecided: an interval ended and no recorded decision has followed yet.
    stopped: it trains no further.
    before_failure: of a failed member, what it was before the interval that failed, so that it can be tried again.
    """

    member: Member
    published: Member
    latest: Reference | None = None
    source: Reference | None = None
    undecided: bool = False
    stopped: bool = False
    before_failure: Slot | None = None


class Evaluations(Sequence[Evaluation]):
    """All evaluations of a run, oldest first, in columns: 60 bytes each."""

    def __init__(self) -> None:
        self._members, self._steps, self._lengths, self._ages = array("q"), array("q"), array("q"), array("q")
        self._scores, self._before, self._fresh = array("d"), array("d"), bytearray()
        self._hyperparameters: list[Hyperparameters] = []

    def append(self, member: Member, length: int, score: float, before: float | None) -> None:
        """``member`` as it is after the evaluation, which ended an interval of ``length`` steps."""
        self._members.append(member.id)
        self._steps.append(member.step)
        self._lengths.append(length)
        self._ages.append(member.age)
        self._scores.append(score)
        self._fresh.append(before is None)
        self._before.append(0.0 if before is None else before)
        self._hyperparameters.append(member.hyperparameters)

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, index: int) -> Evaluation: ...

    @overload
    def __getitem__(self, index: slice) -> list[Evaluation]: ...

    def __getitem__(self, index: int | slice) -> Evaluation | list[Evaluation]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        before = None if self._fresh[index] else self._before[index]
        return Evaluation(
            self._members[index],
            self._steps[index],
            self._lengths[index],
            self._ages[index],
            self._hyperparameters[index],
            self._scores[index],
            before,
        )

    def __iter__(self) -> Iterator[Evaluation]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evaluations) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = object.__hash__  # by identity: it grows, so its content cannot be hashed


class _View(Mapping[int, Member]):
    """A view of the members, without a copy: as published, or as they stand."""

    def __init__(self, slots: Mapping[int, Slot], of: Callable[[Slot], Member]) -> None:
        self._slots, self._of = slots, of

    def __getitem__(self, member: int) -> Member:
        return self._of(self._slots[member])

    def __iter__(self) -> Iterator[int]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)


def as_published(slot: Slot) -> Member:
    """What the others see in synchronous mode: members as they ended the round."""
    return slot.published


def as_it_stands(slot: Slot) -> Member:
    """What the others see in asynchronous mode: members with their last decisions applied."""
    return slot.member


def as_evaluated(slot: Slot) -> Slot:
    """The slot as its last evaluation left it: of what a decision has changed since, nothing is trained yet."""
    return replace(slot, member=slot.published, source=None, before_failure=None)


class Ledger:
    """Slots by member id, and every evaluation so far. ``apply`` is the only way to change them.

    ``kept`` is the best training that a restart has ended: its weights remain an answer of the run. ``freed`` collects
    checkpoints that are needed no more, for the owner of the files to collect. What a decision or an evaluation costs
    does not depend on the number of members.

    events: those to begin with. seen: what other members see of a slot.
    """

    def __init__(self, events: Iterable[Event] = (), seen: Callable[[Slot], Member] = as_published) -> None:
        self.slots: dict[int, Slot] = {}
        self.evaluations = Evaluations()
        self.kept: Slot | None = None
        self.finished = False
        self.extension: Event | None = None  # the last one, if the run was extended
        self.freed: list[Reference] = []
        self._seen = seen
        self._view = _View(self.slots, seen)
        self._standing: Standing | None = None
        self._held: dict[Reference, int] = {}
        for event in events:
            self.apply(event)

    @property
    def standing(self) -> Standing:
        """The evaluated members in order: made when it is first asked for, kept up to date from then on."""
        if self._standing is None:
            self._standing = Standing([self._seen(slot) for slot in self.slots.values()])
        return self._standing

    def view(self, space: Space) -> Population:
        """The population as a method sees it. It changes with the ledger, so it is valid until the next event."""
        return Population(self._view, space, self.evaluations, self.standing)

    def apply(self, event: Event) -> None:
        """Fold one event into the state. ValueError if it cannot follow the events before it."""
        kind = event["event"]
        if kind == "finished":
            self.finished = True
        elif kind == "extended":
            self.finished, self.extension = False, event
        elif kind == "joined":
            member = Member(event["member"], Frozen(event["hyperparameters"]))
            if member.id != len(self.slots):
                raise ValueError(f"member {member.id} joined after {len(self.slots)} others")
            self._put(Slot(member, member))
        elif kind not in ("started", "diverged"):
            slot = self.slots.get(event["member"])
            if slot is None:
                raise ValueError(f"{kind} of member {event['member']}, which never joined")
            getattr(self, f"_{kind}")(slot, event)

    def must_follow(self, events: Iterable[Event]) -> None:
        """ValueError, as of ``apply``, unless these events can follow those before them. Nothing is changed."""
        trial = Ledger(seen=self._seen)
        trial.slots.update(self.slots)
        trial.kept, trial._held = self.kept, dict(self._held)
        for event in events:
            trial.apply(event)

    def decided(self, member: int) -> None:
        """The member goes on unchanged, which is a decision without an event."""
        slot = self.slots[member]
        self.slots[member] = Slot(slot.member, slot.published, slot.latest, slot.source, False, slot.stopped)

    def best(self) -> Slot | None:
        """The highest last evaluation, of a member or of the training that was kept, as it was made; among equals the first.

        A score that came with copied weights is the parent's: the child has none of its own until it was trained.
        """
        slots = [*([self.kept] if self.kept else []), *map(as_evaluated, self.slots.values())]
        healthy = [slot for slot in slots if slot.member.healthy]
        return max(healthy, key=lambda slot: (_score(slot), -slot.member.id), default=None)

    def holds(self, reference: Reference) -> bool:
        """Whether this checkpoint is still needed."""
        return reference in self._held

    def references(self) -> set[Reference]:
        """Every checkpoint that is still needed."""
        return set(self._held)

    # -- one method an event -----------------------------------------------------------------------------------------

    def _evaluated(self, slot: Slot, event: Event) -> None:
        old, step, score = slot.member, event["step"], event["score"]
        length = step - old.step
        if length <= 0:
            raise ValueError(f"member {old.id} was evaluated at step {step}, but stands at step {old.step} already")
        if not identical(event["hyperparameters"], old.hyperparameters):
            raise ValueError(
                f"member {old.id} was evaluated with {event['hyperparameters']}, but has {old.hyperparameters}"
            )
        member = Member(
            old.id,
            old.hyperparameters,  # equal hyperparameters are kept once
            step,
            old.step,
            score,
            tuple(event["samples"]),
            (*old.history, score)[-HISTORY:] if math.isfinite(score) else old.history,
            old.parent,
            old.born,
            old.age + length,
        )
        self.evaluations.append(member, length, score, old.score)
        reference = Reference(member.id, step, event["checkpoint"])
        self._put(Slot(member, member, reference, reference, True))

    def _failed(self, slot: Slot, event: Event) -> None:
        """The interval is charged, the weights are lost."""
        member = replace(
            slot.member,
            previous=slot.member.step,
            step=event["step"],
            score=math.nan,
            samples=(),
            history=(),
            failed=True,
        )
        self._put(Slot(member, member, None, slot.source, True, slot.stopped, before_failure=slot))

    def _cloned(self, slot: Slot, event: Event) -> None:
        """With the parent's weights comes the parent's score: the same weights would be evaluated again (Algorithm 1)."""
        if event["parent"] not in self.slots or event["parent"] == slot.member.id:
            raise ValueError(f"member {slot.member.id} was cloned from {event['parent']}, which is no other member")
        changes = {
            "hyperparameters": Frozen(event["hyperparameters"]),
            "parent": event["parent"],
            "born": event["step"],
        }
        if not event["weights"]:
            self._put(replace(slot, member=replace(slot.member, **changes), undecided=False))
            return
        samples, history = tuple(event["samples"]), tuple(event["history"])
        copied = {"score": event["score"], "samples": samples, "history": history, "age": event["age"], "failed": False}
        member = replace(slot.member, **changes, **copied)
        self._put(Slot(member, slot.published, slot.latest, Reference(**event["source"]), False, slot.stopped))

    def _retried(self, slot: Slot, event: Event) -> None:
        """The member is what it was before its interval failed: on the way are the same weights, with their score."""
        if slot.before_failure is None:
            raise ValueError(f"member {slot.member.id} is tried again, but has not failed")
        self._put(replace(slot.before_failure, undecided=False))

    def _restarted(self, slot: Slot, event: Event) -> None:
        """The training ends here; if it is the best that a restart has ended, its weights are kept."""
        candidate = as_evaluated(slot)
        if candidate.member.healthy and (self.kept is None or _score(candidate) > _score(self.kept)):
            before, self.kept = self.kept, candidate
            for reference in _held_by(candidate):
                self._held[reference] = self._held.get(reference, 0) + 1
            for reference in () if before is None else _held_by(before):
                self._release(reference)
        member = replace(
            slot.member,
            hyperparameters=Frozen(event["hyperparameters"]),
            age=0,
            failed=False,
            score=None,
            samples=(),
            history=(),
        )
        self._put(replace(slot, member=member, source=None, undecided=False, before_failure=None))

    def _changed(self, slot: Slot, event: Event) -> None:
        member = replace(slot.member, hyperparameters=Frozen(event["hyperparameters"]))
        self._put(replace(slot, member=member, undecided=False))

    def _stopped(self, slot: Slot, event: Event) -> None:
        self._put(replace(slot, stopped=True, undecided=False, before_failure=None))

    # -- what is kept up to date -------------------------------------------------------------------------------------

    def _put(self, slot: Slot) -> None:
        before = self.slots.get(slot.member.id)
        self.slots[slot.member.id] = slot
        if self._standing is not None:
            now = self._seen(slot)
            seen = None if before is None else self._seen(before)
            if now is not seen:
                self._standing.update(seen, now)
        for reference in _held_by(slot):
            self._held[reference] = self._held.get(reference, 0) + 1
        for reference in () if before is None else _held_by(before):
            self._release(reference)

    def _release(self, reference: Reference) -> None:
        held = self._held[reference] - 1
        if held:
            self._held[reference] = held
        else:
            del self._held[reference]
            self.freed.append(reference)


def _held_by(slot: Slot) -> tuple[Reference, ...]:
    """The checkpoints that a slot may still read."""
    latest, source = (slot.before_failure or slot).latest, slot.source
    if latest is None or source is None or latest is source:
        return tuple(reference for reference in (latest or source,) if reference is not None)
    return (latest, source)


def _score(slot: Slot) -> float:
    return -math.inf if slot.member.score is None else slot.member.score
