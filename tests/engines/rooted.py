"""A task whose members keep something of their own across clones."""

from dataclasses import dataclass

import numpy as np

from pbt_core import Score
from pbt_core.testing import Hill


@dataclass(frozen=True)
class Rooted(Hill):
    """Each state knows the member's place: how many steps were made there, and which draws they began with."""

    def init(self, seed, hyperparameters):
        root = np.array(seed.integer() % 2**31, dtype=np.int64)
        return {**super().init(seed, hyperparameters), "own.root": root, "own.steps": np.array(0)}

    def step(self, state, hyperparameters, steps, seed):
        state["own.steps"] = state["own.steps"] + steps
        return super().step(state, hyperparameters, steps, seed)

    def evaluate(self, state, seed):
        score = super().evaluate(state, seed)
        metrics = {"root": float(state["own.root"]), "steps": float(state["own.steps"])}
        return Score(score.value, score.samples, score.held_out, {**score.metrics, **metrics})
