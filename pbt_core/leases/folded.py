"""A run as its shared log tells it: the ledger of its events, and which worker has claimed which member."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pbt_core.decisions import empty_ledger
from pbt_core.leases.log import Entry
from pbt_core.ledger import Ledger
from pbt_core.plan import Plan
from pbt_core.schema import Event


@dataclass(frozen=True, slots=True)
class Claim:
    """A member's next interval is a worker's; ``number``: the place of the claim in the log, its fencing number."""

    number: int
    worker: str


class FoldedLog:
    """What the entries of the log come to, in their order: alike for every worker that has read as many.

    losses: how many claims on an interval, by member and the step at which it begins, were taken over from lost workers.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ledger: Ledger = empty_ledger(synchronous=False)
        self.identity: Mapping[str, Any] | None = None
        self.lease: float | None = None
        self.claims: dict[int, Claim] = {}
        self.losses: Counter[tuple[int, int]] = Counter()
        self.failures: dict[int, Event] = {}
        self.reached = False

    def apply(self, place: int, entry: Entry) -> None:
        """Fold an entry; ValueError if it cannot follow the entries before it."""
        if entry.ends is not None:
            self._end(entry.ends)
        for event in entry.events:
            self.ledger.apply(event)
            self._note(event)
        if entry.claims is not None:
            self._claim(entry.claims, Claim(place, entry.worker))
        if entry.lease is not None:
            self.lease = entry.lease

    @property
    def open(self) -> list[int]:
        """Members with budget left, those that come next first."""
        slots, steps = self.ledger.slots, self.plan.steps
        members = [m for m, slot in slots.items() if not slot.stopped and slot.member.step < steps]
        return sorted(members, key=lambda member: (slots[member].member.step, member))

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done but to say so."""
        return not self.claims and (self.reached or not self.open)

    def must_wait(self, member: int) -> bool:
        """Whether a failed member has to wait, while others may still become healthy."""
        slots = self.ledger.slots
        if not slots[member].member.failed or self.ledger.standing.healthy:
            return False
        return bool(self.claims) or any(not slots[other].undecided for other in self.open)

    def _end(self, number: int) -> None:
        member = next((m for m, claim in self.claims.items() if claim.number == number), None)
        if member is None:
            raise ValueError(f"ends claim {number}, which is none")
        del self.claims[member]

    def _claim(self, member: int, claim: Claim) -> None:
        slot = self.ledger.slots[member]
        if member in self.claims:
            self.losses[member, slot.member.step] += 1
        if slot.undecided:  # it goes on unchanged, which is a decision without an event
            self.ledger.decided(member)
        self.claims[member] = claim

    def _note(self, event: Event) -> None:
        kind = event["event"]
        if kind == "started":
            self.identity = event["run"]
        elif kind == "failed":
            self.failures[event["member"]] = event
        elif kind == "evaluated" and self.plan.stop is not None and self.plan.stop.score is not None:
            self.reached |= math.isfinite(event["score"]) and event["score"] >= self.plan.stop.score
