"""A task slow enough to be killed in the middle."""

import time
from dataclasses import dataclass, field

from pbt_core.testing import Hill


@dataclass(frozen=True)
class Slow(Hill):
    pause: float = field(default=0.03, compare=False)  # how slow it is makes no other run

    def step(self, state, hyperparameters, steps, seed):
        time.sleep(self.pause)
        return super().step(state, hyperparameters, steps, seed)
