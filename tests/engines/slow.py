"""A task slow enough to be killed in the middle."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from pbt_core.testing import Hill


@dataclass(frozen=True)
class Slow(Hill):
    pause: float = field(default=0.03, compare=False)  # how slow it is makes no other run
    gate: str = field(default="", compare=False)  # a file before which no interval ends

    def step(self, state, hyperparameters, steps, seed):
        time.sleep(self.pause)
        while self.gate and not Path(self.gate).exists():
            time.sleep(0.01)
        return super().step(state, hyperparameters, steps, seed)
