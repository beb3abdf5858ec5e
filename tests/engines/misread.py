"""Tasks that break their contract in every member, in a module of their own so that workers can import them."""

import os
from dataclasses import dataclass

from pbt_core.testing import Hill


@dataclass(frozen=True)
class Misread(Hill):
    """Its ``load`` asks for a tensor that its ``save`` does not write."""

    def load(self, checkpoint, hyperparameters):
        return {"x": checkpoint.tensors["weights"]}


@dataclass(frozen=True)
class Broken(Hill):
    """The function ``what`` returns ``None``."""

    what: str = "evaluate"

    def step(self, state, hyperparameters, steps, seed):
        return None if self.what == "step" else super().step(state, hyperparameters, steps, seed)

    def evaluate(self, state, seed):
        return None if self.what == "evaluate" else super().evaluate(state, seed)

    def save(self, state):
        return None if self.what == "save" else super().save(state)


@dataclass(frozen=True)
class Leaving(Hill):
    """A process that makes it again ends at once."""

    def __reduce__(self):
        return os._exit, (5,)
