"""A decision about one member: what the method says, checked, as the event that records it. Pure functions of the ledger."""

from __future__ import annotations

import dataclasses
from typing import Any

from pbt_core.ledger import Ledger, Slot, as_it_stands, as_published
from pbt_core.method import Clone, Continue, Method, Restart, Stop
from pbt_core.schema import Event
from pbt_core.seeds import Streams
from pbt_core.space import Space
from pbt_core.values import flag, identical, listed, shown, whole_number


class CannotReplace(Exception):
    """The method answered Continue for a failed member, whose weights are lost: it cannot replace it."""


@dataclasses.dataclass(frozen=True)
class Decider:
    """A method, and the streams that its decisions draw from.

    Everything a decision depends on is in these fields and in the ledger: replaying the events of a run up to a decision and
    deciding again gives the same event, which is what ``pbt_core.testing.check_decisions`` does.
    """

    method: Method
    space: Space
    streams: Streams
    synchronous: bool

    def decision(self, ledger: Ledger, member: int) -> Event | None:
        """The event that records what becomes of ``member``; None where it goes on unchanged.

        ValueError if the method broke its contract, CannotReplace if the member failed and the method cannot replace it.
        """
        slot = ledger.slots[member]
        seen = slot.published if self.synchronous else slot.member
        rng = self.streams.decide(seen.id, seen.step).generator()
        return self.event(ledger, slot, self.method.decide(seen, ledger.view(self.space), rng))

    def event(self, ledger: Ledger, slot: Slot, decision: Any) -> Event | None:
        """A decision of the method as an event, checked. Errors as in ``decision``."""
        if not isinstance(decision, Continue | Clone | Restart | Stop):
            what = f"must be Continue, Clone, Restart or Stop, not {type(decision).__name__}"
            raise ValueError(f"{self._name}: decision for member {slot.member.id} {what}")
        if slot.member.failed and isinstance(decision, Continue):
            raise CannotReplace
        changed: Any = None if isinstance(decision, Stop) else decision.hyperparameters
        unchanged = changed is None and isinstance(decision, Continue | Stop)  # the others say with what to go on
        try:
            if not unchanged:
                changed = self.space.restore(changed)
                self.space.check(changed)
            if isinstance(decision, Clone):
                return self._cloned(ledger, slot, decision, changed)
        except ValueError as error:
            raise ValueError(f"{self._name}: decision for member {slot.member.id}: {error}") from None
        where = {"member": slot.member.id, "step": slot.member.step}
        if isinstance(decision, Stop):
            return {"event": "stopped", **where}
        if isinstance(decision, Restart):
            return {"event": "restarted", **where, "hyperparameters": changed}
        if changed is None or identical(changed, slot.member.hyperparameters):
            return None
        return {"event": "changed", **where, "hyperparameters": changed}

    def _cloned(self, ledger: Ledger, slot: Slot, decision: Clone, changed: Any) -> Event:
        number, weights = decision.parent, decision.weights
        if number.__class__ is not int or weights.__class__ is not bool:  # nearly none
            number, weights = whole_number("Clone", "parent", number), flag("Clone", "weights", weights)
        parent = ledger.slots.get(number)
        if parent is None or number == slot.member.id:
            raise ValueError(f"parent {shown(number)} must be another member of the population")
        # The parent's checkpoint: in synchronous mode what it trained itself, otherwise what it trains on from.
        seen, source = (parent.published, parent.latest) if self.synchronous else (parent.member, parent.source)
        if not seen.healthy or source is None or seen.score is None:
            raise ValueError(f"parent {number} must have been evaluated with a finite score")
        if slot.member.failed and not weights:
            raise ValueError("a failed member must copy weights, its own are lost")
        return {
            "event": "cloned",
            "member": slot.member.id,
            "step": slot.member.step,
            "parent": number,
            "parent_step": seen.step,
            "weights": weights,
            "source": {"member": source.member, "step": source.step, "digest": source.digest},
            "age": seen.age,
            "score": seen.score,
            "samples": list(seen.samples),
            "history": list(seen.history),
            "hyperparameters": changed,
        }

    @property
    def _name(self) -> str:
        return type(self.method).__name__


def first_settings(method: Method, space: Space, size: int, streams: Streams) -> list[Event]:
    """The ``joined`` events of a new run; ValueError, naming method and member, for settings that the space refuses."""
    name = type(method).__name__
    given = listed(name, "start", method.start(space, size, streams.start().generator()), "one setting a member")
    if len(given) != size:
        raise ValueError(f"{name}: start gave {len(given)} of {size} members")
    settings = []
    for member, hyperparameters in enumerate(given):
        try:
            settings.append(space.restore(hyperparameters))
            space.check(settings[-1])
        except ValueError as error:
            raise ValueError(f"{name}: start of member {member}: {error}") from None
    return [{"event": "joined", "member": m, "step": 0, "hyperparameters": h} for m, h in enumerate(settings)]


def empty_ledger(synchronous: bool) -> Ledger:
    """A ledger whose members see each other as this mode prescribes."""
    return Ledger(seen=as_published if synchronous else as_it_stands)
