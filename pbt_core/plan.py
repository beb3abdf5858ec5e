"""What is to be run: the size of a search, apart from task, method and engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The budget and the mode of a run.

    population: number of members.
    steps: training steps charged to each member.
    interval: steps between two evaluations of a member; what a kill may cost.
    seed: from which every random stream is derived.
    synchronous: members wait for each other after every interval and decide on the same view (bit-identical for any
        number of workers). Otherwise each member decides when it is its turn, on what is published by then (the paper's
        asynchronous mode; bit-identical in the serial engine only).
    """

    population: int
    steps: int
    interval: int
    seed: int = 0
    synchronous: bool = True

    def __post_init__(self) -> None:
        for name in ("population", "steps", "interval"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"Plan: {name} = {value!r} must be a whole number of at least 1")
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            raise ValueError(f"Plan: seed = {self.seed!r} must be a whole number of at least 0")
        if self.interval > self.steps:
            raise ValueError(f"Plan: interval = {self.interval} must not exceed steps = {self.steps}")

    @property
    def budget(self) -> int:
        """Member-steps charged in total: the same for every method of a comparison."""
        return self.population * self.steps
