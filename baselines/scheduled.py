"""Hyperparameters that follow schedules fixed beforehand: hand-tuned settings, annealing sweeps, grids, replays."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

import numpy as np

from baselines.decay import decayed
from pbt_core.fields import ONE_OR_MORE, above, checked, within
from pbt_core.lineage import read_schedule
from pbt_core.method import Continue, Decision
from pbt_core.population import Member, Population
from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space, Value
from pbt_core.values import shown


class Schedule(Protocol):
    """Hyperparameters as a function of the steps taken."""

    def at(self, step: int) -> Hyperparameters: ...


@dataclass(frozen=True)
class Fixed:
    """The same values throughout."""

    values: Hyperparameters

    def __post_init__(self) -> None:
        checked(self)

    def at(self, step: int) -> Hyperparameters:
        return self.values


@dataclass(frozen=True)
class Annealed:
    """Constant for ``hold`` steps, then falling to ``final`` times the initial values at step ``end`` (paper, section 4.3).

    The paper sweeps ``hold`` and both kinds of decay; where the decay ends is not known (``final`` is our choice).
    Real numbers are annealed, of which ``only`` may name some (empty: all); whole numbers and categories stay.
    """

    values: Hyperparameters
    hold: int
    end: int
    decay: Literal["exponential", "linear"] = "exponential"
    final: Annotated[float, within("(0, 1]")] = 0.01
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked(self)
        if not 0 <= self.hold < self.end:
            raise ValueError(f"Annealed: hold = {self.hold!r} must be in [0, end = {self.end!r})")
        for name in self.only:
            if not isinstance(self.values.get(name), float):
                raise ValueError(f"Annealed: only = {shown(self.only)}: {shown(name)} is not the name of a real value")

    def at(self, step: int) -> Hyperparameters:
        factor = decayed(self.decay, (step - self.hold) / (self.end - self.hold), self.final)
        names = self.only or tuple(name for name, value in self.values.items() if isinstance(value, float))
        annealed: dict[str, Value] = {name: float(self.values[name]) * factor for name in names}
        return {**self.values, **annealed}


@dataclass(frozen=True)
class Noam:
    """One value rises linearly to ``peak`` over ``warmup`` steps, then falls with the root of the steps (Vaswani et al., 2017).

    ``name`` is the hyperparameter that rises and falls; the others, ``values``, stay. Values hold for a whole interval, so
    the schedule is read ``lead`` steps ahead: half an interval makes the mean right, and a rate of zero at step 0 is never
    used.
    """

    values: Hyperparameters
    peak: Annotated[float, above(0)]
    warmup: Annotated[int, above(0, "steps")]
    lead: Annotated[int, above(0, "steps")]
    name: str = "lr"

    def __post_init__(self) -> None:
        checked(self)

    def at(self, step: int) -> Hyperparameters:
        age = step + self.lead
        return {**self.values, self.name: self.peak * min(age / self.warmup, math.sqrt(self.warmup / age))}


@dataclass(frozen=True)
class Piecewise:
    """``points`` are (from this step on, these values), in rising order from step 0, such as the schedules that PBT finds."""

    points: tuple[tuple[int, Hyperparameters], ...]

    def __post_init__(self) -> None:
        checked(self)
        steps = [step for step, _ in self.points]
        if not steps or steps[0] != 0 or steps != sorted(set(steps)):
            raise ValueError(f"Piecewise: points: the steps {shown(steps)} must begin with 0 and rise")

    def at(self, step: int) -> Hyperparameters:
        return next(values for start, values in reversed(self.points) if start <= step)


@dataclass(frozen=True)
class Scheduled:
    """Member i follows schedule i (in turn, if there are fewer); values change at the evaluations.

    A schedule that leaves the space's bounds, or breaks its constraint, is an error and not clipped, so that what is
    reported is what ran.
    """

    schedules: Annotated[tuple[Schedule, ...], ONE_OR_MORE]

    def __post_init__(self) -> None:
        checked(self)

    def start(self, space: Space, size: int, rng: np.random.Generator) -> Sequence[Hyperparameters]:
        return [space.restore(self._of(member).at(0)) for member in range(size)]

    def decide(self, member: Member, population: Population, rng: np.random.Generator) -> Decision:
        # A failed member cannot be replaced here, which Continue says.
        if member.failed:
            return Continue()
        return Continue(population.space.restore(self._of(member.id).at(member.step)))

    def _of(self, member: int) -> Schedule:
        return self.schedules[member % len(self.schedules)]


def replay(lineage: Path | str, mode: Literal["schedule", "final", "shuffled"] = "schedule") -> Scheduled:
    """Train anew with the schedule that led to the best member of a run, from its ``lineage.json``.

    mode: "schedule", the settings of each interval when it was that interval's turn; "final", those of the last one from
        the beginning on; "shuffled", the settings of the schedule in another order, the control for its being a schedule.

    The order is drawn from a stream named by the schedule itself: ``lineage.json`` says all that a replay will do,
    whichever seed it trains with, and two schedules are not shuffled alike.
    """
    segments = read_schedule(lineage)
    settings = [segment.hyperparameters for segment in segments]
    match mode:
        case "final":
            return Scheduled((Fixed(settings[-1]),))
        case "shuffled":
            name = json.dumps([asdict(segment) for segment in segments], sort_keys=True)
            order = Stream(0, ("shuffled", name)).generator().permutation(len(settings))
            settings = [settings[i] for i in order]
        case "schedule":
            pass
        case _:
            raise ValueError(f"replay: mode = {shown(mode)} must be 'schedule', 'final' or 'shuffled'")
    points = [(segment.start, values) for segment, values in zip(segments, settings, strict=True)]
    return Scheduled((Piecewise(tuple(points)),))
