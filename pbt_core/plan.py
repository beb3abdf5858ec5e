"""The budget and the mode of a run, apart from task, method and engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbt_core.values import flag, number, plain, shown

#: A larger number is more likely a typing error.
MOST_MEMBERS, MOST_STEPS = 10**6, 2**53


@dataclass(frozen=True)
class Until:
    """When a run ends before its steps are done, with what it has.

    seconds: of wall-clock time, those of interrupted sessions counted in. When they are up no interval is begun, and those
        under way are finished: the run may take one interval longer. A round may be broken off.
    score: that some member's evaluation reaches; in synchronous mode the round is finished first.
    """

    seconds: float | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "score"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, float(number("Until", name, value)))
        if self.seconds is None and self.score is None:
            raise ValueError("Until: seconds, score or both must be given")
        if self.seconds is not None and self.seconds <= 0:
            raise ValueError(f"Until: seconds = {self.seconds!r} must be above 0")


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

    population: int
    steps: int
    interval: int
    seed: int = 0
    synchronous: bool = True
    stop: Until | None = None
    durable: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        for name, most in (("population", MOST_MEMBERS), ("steps", MOST_STEPS), ("interval", MOST_STEPS)):
            value = plain(getattr(self, name))
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValueError(f"Plan: {name} = {shown(value)} must be a whole number in [1, {most}]")
            object.__setattr__(self, name, value)
        seed = plain(self.seed)
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
            raise ValueError(f"Plan: seed = {shown(seed)} must be a whole number in [0, 2**63)")
        object.__setattr__(self, "seed", seed)
        for name in ("synchronous", "durable"):
            object.__setattr__(self, name, flag("Plan", name, getattr(self, name)))
        if self.stop is not None and not isinstance(self.stop, Until):
            raise ValueError(f"Plan: stop = {self.stop!r} must be an Until")
        if self.interval > self.steps:
            raise ValueError(f"Plan: interval = {self.interval} must not exceed steps = {self.steps}")

    @property
    def budget(self) -> int:
        """Member-steps charged in total: the same for every method of a comparison."""
        return self.population * self.steps

    @classmethod
    def from_description(cls, data: Mapping[str, Any]) -> Plan:
        """The plan from its description by ``identity.described``. ValueError or TypeError if ``data`` is none."""
        values = {name: value for name, value in data.items() if name != "type"}
        stop = values.get("stop")
        if isinstance(stop, Mapping):
            values["stop"] = Until(**{name: value for name, value in stop.items() if name != "type"})
        return cls(**values)
