"""The workers of a simulated run as data: how fast they are, how long intervals take, when workers are lost.

All times are virtual seconds since the run began. What is drawn comes from streams named by member, step and attempt, or by
worker: it does not depend on the order of events, so two ways to carry a run out meet the same stragglers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Protocol

from pbt_core.fields import Extended, Rule, above, at_least, checked, within
from pbt_core.seeds import Stream
from pbt_core.values import called, is_number, plain, shown, whole_number
from pbt_core.work import Work

#: A larger number is more likely a typing error.
MOST_WORKERS = 10**6
#: Seconds. A record counts in microseconds, and its clock is of twelve digits: 31,700 years.
SHORTEST, LONGEST = 1e-6, 1e12
#: A length of time, which may be none. Years of a step are more likely another unit.
Seconds = Annotated[float, Rule("0, or in [1e-09, 1e+09] seconds", lambda value: value == 0 or 1e-9 <= value <= 1e9)]
#: Between two losses of a worker, and until it is back. Shorter ones would be lost in the clock's rounding after some years.
Between = Annotated[float, within("[0.001, 1e+12]")]
_SPEEDS = Rule(f"a tuple of 1 to {MOST_WORKERS} numbers", bool)


class Durations(Protocol):
    """How long intervals take on a worker of speed 1: a dataclass of your own where ``IntervalTimes`` does not fit."""

    def seconds(self, work: Work, stream: Stream) -> float:
        """Virtual seconds of one interval, above 0 and finite; draws come from ``stream``, another one at each attempt."""
        ...


@dataclass(frozen=True)
class IntervalTimes:
    """``per_interval + steps * per_step`` seconds, times what is drawn for the interval.

    per_step: seconds of one training step. per_interval: seconds of one evaluation, with saving and loading.
    spread: standard deviation of the logarithm of a log-normal factor of mean 1; 0 for none, at most 5, where half of the
        factors are below 1 / 270,000.
    stragglers: share of the intervals that take ``slowdown`` times as long.
    """

    per_step: Seconds = 1.0
    per_interval: Seconds = 0.0
    spread: Annotated[float, within("[0, 5]")] = 0.0
    stragglers: Annotated[float, within("[0, 1]")] = 0.0
    slowdown: Annotated[float, within("[1, 1e+06]")] = 10.0

    def __post_init__(self) -> None:
        checked(self)
        if self.per_step == self.per_interval == 0:
            raise ValueError("IntervalTimes: per_step or per_interval must be above 0")

    def seconds(self, work: Work, stream: Stream) -> float:
        """See ``Durations.seconds``."""
        seconds = self.per_interval + (work.stop - work.start) * self.per_step
        if self.spread or self.stragglers:
            rng = stream.generator()
            seconds *= math.exp(self.spread * rng.standard_normal() - self.spread**2 / 2)
            seconds *= self.slowdown if rng.random() < self.stragglers else 1.0
        return seconds


@dataclass(frozen=True)
class Preemption:
    """``worker`` is lost at second ``at`` and is back ``away`` seconds later, or never."""

    worker: Annotated[int, at_least(0)]
    at: Annotated[float, within("[0, 1e+12]")]
    away: Annotated[Extended, above(0)] = math.inf

    def __post_init__(self) -> None:
        checked(self)


@dataclass(frozen=True)
class RandomPreemptions:
    """Every worker is lost now and then: after ``every`` seconds in the mean, exponentially distributed, for ``away``."""

    every: Between
    away: Between

    def __post_init__(self) -> None:
        checked(self)

    def next(self, stream: Stream) -> float:
        """Seconds until the next loss of a worker."""
        return float(stream.generator().exponential(self.every))


@dataclass(frozen=True)
class Cluster:
    """The workers that a run is simulated on.

    speeds: one number a worker; an interval takes the seconds of ``durations`` divided by it.
    preemptions: losses of workers, each at its second or at random: a worker that is lost loses its interval.
    seed: of all that is drawn here, beside the seed of the plan.
    """

    speeds: Annotated[tuple[Annotated[float, within("[1e-06, 1e+06]")], ...], _SPEEDS] = (1.0,)
    durations: Durations = field(default_factory=IntervalTimes)
    preemptions: tuple[Preemption, ...] | RandomPreemptions = ()
    seed: Annotated[int, at_least(0)] = 0

    def __post_init__(self) -> None:
        checked(self)
        if not isinstance(self.preemptions, RandomPreemptions):
            self._check_preemptions(self.preemptions)

    @classmethod
    def of(cls, workers: int, durations: Durations | None = None) -> Cluster:
        """``workers`` equal ones of speed 1, never lost."""
        number = whole_number("Cluster", "workers", workers)
        if not 1 <= number <= MOST_WORKERS:
            raise ValueError(f"Cluster: workers = {shown(number)} must be in [1, {MOST_WORKERS}]")
        return cls((1.0,) * number, IntervalTimes() if durations is None else durations)

    def seconds(self, worker: int, work: Work, stream: Stream) -> float:
        """Virtual seconds of one interval on ``worker``, at least ``SHORTEST``.

        ValueError if ``durations`` gave none that can be.
        """
        seconds = plain(called("durations", self.durations.seconds, work, stream))
        if not is_number(seconds) or seconds <= 0:
            name = type(self.durations).__name__
            raise ValueError(
                f"{name}.seconds = {shown(seconds)} for member {work.member} must be a finite number above 0"
            )
        return max(SHORTEST, float(seconds) / self.speeds[worker])

    def _check_preemptions(self, preemptions: Iterable[Preemption]) -> None:
        ordered = sorted(preemptions, key=lambda loss: (loss.worker, loss.at))
        for loss in ordered:
            if not 0 <= loss.worker < len(self.speeds):
                raise ValueError(
                    f"Cluster: preemptions: worker = {loss.worker} must be one of {len(self.speeds)} workers, from 0 on"
                )
        for one, other in pairwise(ordered):
            if one.worker == other.worker and other.at < one.at + one.away:
                raise ValueError(
                    f"Cluster: preemptions: worker {one.worker} is lost at {other.at} s, where it is away since {one.at} s"
                )
