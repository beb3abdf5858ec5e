"""Tasks of the campaign, slow enough to be struck in the middle of an interval."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pbt_core.testing import Hill
from reproductions.toy.task import Toy

#: Seconds of an interval.
PAUSE = 0.03


@dataclass(frozen=True)
class SlowHill(Hill):
    """Gradient ascent with noise; its population form trains one member after the other."""

    pause: float = field(default=PAUSE, compare=False)

    def step(self, state, hyperparameters, steps, seed):
        time.sleep(self.pause)
        return super().step(state, hyperparameters, steps, seed)

    def step_all(self, states, hyperparameters, steps, seeds):
        return [self.step(s, h, steps, seed) for s, h, seed in zip(states, hyperparameters, seeds, strict=True)]


@dataclass(frozen=True)
class SlowToy(Toy):
    """The paper's toy problem."""

    def step(self, state, hyperparameters, steps, seed):
        time.sleep(PAUSE)
        return super().step(state, hyperparameters, steps, seed)

    def step_all(self, states, hyperparameters, steps, seeds):
        return [self.step(s, h, steps, seed) for s, h, seed in zip(states, hyperparameters, seeds, strict=True)]


TASKS = {"hill": SlowHill, "toy": SlowToy}
