"""The budget and the mode of a run, apart from task, method and engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pbt_core.fields import Float, above, at_least, checked, within

#: A larger number is more likely a typing error.
MOST_MEMBERS, MOST_STEPS = 10**6, 2**53


@dataclass(frozen=True)
class Until:
    """When a run ends before its steps are done, with what it has.

    seconds: of wall-clock time, those of interrupted sessions counted in. When they are up no interval is begun, and those
        under way are finished: the run may take one interval longer. A round may be broken off.
    score: that some member's evaluation reaches; in synchronous mode the round is finished first.
    """

    seconds: Annotated[Float, above(0)] | None = None
    score: Float | None = None

    def __post_init__(self) -> None:
        checked(self)
        if self.seconds is None and self.score is None:
            raise ValueError("Until: seconds, score or both must be given")


@dataclass(frozen=True)
class Plan:
    """The budget and the mode of a run.

    population: number of members.
    steps: training steps charged to each member.
    interval: steps between two evaluations of a member; what a kill may cost.
    seed: from which every random stream is derived.
    synchronous: members wait for each other after every interval and decide on the same view (bit-identical for any
        number of workers). Otherwise each member decides when it is its turn, on what is published by then (the paper's
        asynchronous mode; bit-identical in the serial and the simulated engine only).
    stop: ends the run earlier, by time or score.
    durable: bring every event and checkpoint to the disk before going on. Without it a killed process loses at most the
        interval in flight, but a loss of power may cost more. It is not part of a run's identity.
    """

    population: Annotated[int, within(f"[1, {MOST_MEMBERS}]")]
    steps: Annotated[int, within(f"[1, {MOST_STEPS}]")]
    interval: Annotated[int, within(f"[1, {MOST_STEPS}]")]
    seed: Annotated[int, at_least(0)] = 0
    synchronous: bool = True
    stop: Until | None = None
    durable: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        checked(self)
        if self.interval > self.steps:
            raise ValueError(f"Plan: interval = {self.interval} must not exceed steps = {self.steps}")

    @property
    def budget(self) -> int:
        """Member-steps charged in total: the same for every method of a comparison."""
        return self.population * self.steps

    def first_decision(self, ready: int, warmup: int = 0) -> int | None:
        """The first step at which a member is evaluated, has passed a multiple of ``ready``, and has budget left.

        Not before ``warmup``. None if there is none: the method is asked about no such member.
        """
        end = max(1, -(-warmup // self.interval)) * self.interval
        if end // ready == (end - self.interval) // ready:
            end = -(-(end // ready + 1) * ready // self.interval) * self.interval
        return end if end < self.steps else None

    @classmethod
    def from_description(cls, data: Mapping[str, Any]) -> Plan:
        """The plan from its description by ``identity.described``. ValueError or TypeError if ``data`` is none."""
        values = {name: value for name, value in data.items() if name != "type"}
        stop = values.get("stop")
        if isinstance(stop, Mapping):
            values["stop"] = Until(**{name: value for name, value in stop.items() if name != "type"})
        return cls(**values)
