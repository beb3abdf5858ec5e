"""Tasks that misbehave, in a module of their own so that workers can import them."""

import math
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from hanging import hang

from pbt_core import Score
from pbt_core.testing import Hill


@dataclass(frozen=True)
class Faulty(Hill):
    """Members whose learning rate is above ``limit`` do ``what`` (see ``step``).

    With ``flag``, only while that file does not exist: as a bug that is mended between two starts.
    """

    what: str = "raise"
    limit: float = 0.1
    flag: str | None = None
    folder: str | None = None

    def step(self, state, hyperparameters, steps, seed):
        if hyperparameters["lr"] > self.limit and not (self.flag and Path(self.flag).exists()):
            if self.what == "raise":
                raise ArithmeticError(f"lr is {hyperparameters['lr']:.3f}")
            if self.what == "raise at length":
                raise ArithmeticError("first\nsecond " + "x" * 10**5)
            if self.what == "hang":
                hang(self.folder)
            if self.what == "die":
                os._exit(7)
            if self.what == "killed five times" and len(list(Path(self.folder).glob("killed-*"))) < 5:
                Path(self.folder, f"killed-{os.getpid()}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if self.what == "lose the folder":
                Path(self.folder, "checkpoints").rename(Path(self.folder, "lost"))
            if self.what == "diverge":
                state["x"] = state["x"] * math.nan
        return super().step(state, hyperparameters, steps, seed)

    def evaluate(self, state, seed):
        score = super().evaluate(state, seed)
        return Score(score.value, held_out=score.held_out, metrics=score.metrics)
