"""A run without a task, for the kit that checks methods: scores are drawn, members diverge and fail, and a method decides."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

from pbt_core.decisions import CannotReplace, Decider, empty_ledger, first_settings
from pbt_core.method import Method
from pbt_core.schema import Event, check
from pbt_core.seeds import Stream, Streams
from pbt_core.space import Space
from pbt_core.task_checks import must
from pbt_core.values import ChangedInPlace


class MadeUpRun:
    """What ``check_method`` plays out; ``unused`` is a copy of the method that has seen nothing yet.

    AssertionError and ValueError name the rule that the method breaks.
    """

    def __init__(self, method: Method, unused: Method, space: Space, synchronous: bool, interval: int) -> None:
        self._unused, self._interval = unused, interval
        self._decider = Decider(method, space, Streams(0), synchronous)
        self._ledger = empty_ledger(synchronous)
        self._rng = Stream(1, ("scores",)).generator()

    def play(self, size: int, rounds: int) -> None:
        """So many rounds of ``size`` members; in the third nobody has a finite score."""
        decider, slots = self._decider, self._ledger.slots
        joined, again = (
            first_settings(method, decider.space, size, decider.streams)
            for method in (decider.method, copy.deepcopy(self._unused))
        )
        must(joined == again, "start is not a function of rng")
        self._apply(*joined)
        for number in range(1, rounds + 1):
            going_on = [member for member, slot in slots.items() if not slot.stopped]
            for members in [going_on] if decider.synchronous else [[member] for member in going_on]:
                for member in members:
                    self._apply(*self._outcome(member, hopeless=number == 3))
                self._decide(members)

    def _decide(self, members: list[int]) -> None:
        """Decide about members on one view, as in a round; once more, where some failed that the method cannot replace."""
        decisions = self._decisions(self._decider, members)
        if self._decider.synchronous:
            other = replace(self._decider, method=copy.deepcopy(self._unused))
            again = self._decisions(other, members[::-1])
            for member, decided in decisions.items():
                rule = "decide is not a function of its arguments"
                must(decided == again[member], f"{rule}: it made {decided}, and of a copy {again[member]}")
        lost = [member for member, decided in decisions.items() if decided is CannotReplace]
        for member in lost:
            self._apply({"event": "retried", "member": member, "step": self._ledger.slots[member].member.step})
            self._apply(self._evaluated(member, 0.0))
        if lost:
            self._decide(members)
            return
        for member, decided in decisions.items():
            if isinstance(decided, dict):
                self._apply(decided)
            else:
                self._ledger.decided(member)

    def _decisions(self, decider: Decider, members: list[int]) -> dict[int, Event | type[CannotReplace] | None]:
        """What is decided about each; nothing is changed by it."""
        decisions: dict[int, Event | type[CannotReplace] | None] = {}
        for member in members:
            try:
                decisions[member] = decider.decision(self._ledger, member)
            except CannotReplace:
                decisions[member] = CannotReplace
            except ChangedInPlace as error:
                raise AssertionError(f"decide changed a member: {error}") from error
        return decisions

    def _outcome(self, member: int, hopeless: bool) -> list[Event]:
        """What became of an interval: in one of ten it failed, in another the member diverged."""
        luck, score = self._rng.random(), float(self._rng.normal())
        where = {"member": member, "step": self._ledger.slots[member].member.step + self._interval}
        if luck < 0.1:
            return [{"event": "failed", **where, "kind": "raised", "error": "made up", "traceback": ""}]
        if luck < 0.2 or hopeless:
            return [self._evaluated(member, math.nan), {"event": "diverged", **where}]
        return [self._evaluated(member, score)]

    def _evaluated(self, member: int, score: float) -> Event:
        stands = self._ledger.slots[member].member
        return {
            "event": "evaluated",
            "member": member,
            "step": (step := stands.step + self._interval),
            "score": score,
            "samples": [score + float(noise) for noise in self._rng.normal(size=10)],
            "held_out": None,
            "metrics": {},
            "hyperparameters": dict(stands.hyperparameters),
            "checkpoint": f"{member:016x}{step:016x}",
        }

    def _apply(self, *events: Event) -> None:
        for event in events:
            check(event)
            self._ledger.apply(event)
