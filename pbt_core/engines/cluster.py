"""The workers of a simulated run as data: how fast they are, how long intervals take, when workers are lost.

All times are virtual seconds since the run began. What is drawn comes from streams named by member, step and attempt, or by
worker: it does not depend on the order of events, so two ways to carry a run out meet the same stragglers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from pbt_core.seeds import Stream
from pbt_core.values import is_number, number, whole_fields
from pbt_core.work import Work

#: A larger number is more likely a typing error.
MOST_WORKERS = 10**6


class Durations(Protocol):
    """How long intervals take on a worker of speed 1: a dataclass of your own where ``IntervalTimes`` does not fit."""

    def seconds(self, work: Work, stream: Stream) -> float:
        """Virtual seconds of one interval, above 0 and finite; draws come from ``stream``, another one at each attempt."""
        ...


@dataclass(frozen=True)
class IntervalTimes:
    """``per_interval + steps * per_step`` seconds, times what is drawn for the interval.

    per_step: seconds of one training step. per_interval: seconds of one evaluation, with saving and loading.
    spread: standard deviation of the logarithm of a log-normal factor of mean 1; 0 for none.
    stragglers: share of the intervals that take ``slowdown`` times as long.
    """

    per_step: float = 1.0
    per_interval: float = 0.0
    spread: float = 0.0
    stragglers: float = 0.0
    slowdown: float = 10.0

    def __post_init__(self) -> None:
        _check_each(self, ("per_step", "per_interval", "spread"), "at least 0", lambda value: value >= 0)
        _check_each(self, ("stragglers",), "in [0, 1]", lambda value: 0 <= value <= 1)
        _check_each(self, ("slowdown",), "at least 1", lambda value: value >= 1)
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

    worker: int
    at: float
    away: float = math.inf

    def __post_init__(self) -> None:
        _check_each(self, ("at",), "at least 0", lambda value: value >= 0)
        if isinstance(self.away, bool) or not isinstance(self.away, int | float) or not self.away > 0:
            raise ValueError(f"Preemption: away = {self.away!r} must be above 0")


@dataclass(frozen=True)
class RandomPreemptions:
    """Every worker is lost now and then: after ``every`` seconds in the mean, exponentially distributed, for ``away``."""

    every: float
    away: float

    def __post_init__(self) -> None:
        _check_each(self, ("every", "away"), "above 0", lambda value: value > 0)

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

    speeds: tuple[float, ...] = (1.0,)
    durations: Durations = field(default_factory=IntervalTimes)
    preemptions: tuple[Preemption, ...] | RandomPreemptions = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.speeds, tuple) or not 1 <= len(self.speeds) <= MOST_WORKERS:
            raise ValueError(f"Cluster: speeds must be a tuple of 1 to {MOST_WORKERS} numbers")
        for worker, speed in enumerate(self.speeds):
            if not number("Cluster", f"speeds[{worker}]", speed) > 0:
                raise ValueError(f"Cluster: speeds[{worker}] = {speed} must be above 0")
        if not isinstance(self.preemptions, RandomPreemptions):
            self._check_preemptions(self.preemptions)
        whole_fields(self, "seed")
        if self.seed < 0:
            raise ValueError(f"Cluster: seed = {self.seed} must be at least 0")

    @classmethod
    def of(cls, workers: int, durations: Durations | None = None) -> Cluster:
        """``workers`` equal ones of speed 1, never lost."""
        return cls((1.0,) * workers, IntervalTimes() if durations is None else durations)

    def seconds(self, worker: int, work: Work, stream: Stream) -> float:
        """Virtual seconds of one interval on ``worker``; ValueError if ``durations`` gave none that can be."""
        seconds = self.durations.seconds(work, stream)
        if not is_number(seconds) or seconds <= 0:
            name = type(self.durations).__name__
            raise ValueError(f"{name}.seconds = {seconds!r} for member {work.member} must be finite and above 0")
        return seconds / self.speeds[worker]

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


def _check_each(owner: object, names: Iterable[str], rule: str, holds: Callable[[float], bool]) -> None:
    """ValueError unless each of these fields is a finite number for which ``holds`` is true."""
    for name in names:
        value = number(type(owner).__name__, name, getattr(owner, name))
        if not holds(value):
            raise ValueError(f"{type(owner).__name__}: {name} = {value} must be {rule}")
