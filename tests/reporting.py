"""The toy's task with a final report, which is placed where its worker is."""

import os
from dataclasses import dataclass

import numpy as np

from pbt_core import Score, current_worker
from reproductions.toy.task import Toy


@dataclass(frozen=True)
class Reporting(Toy):
    """episodes: of the report, whose returns are below the score. evaluate tells which card its process sees."""

    episodes: int = 4
    devices = ("cpu", "cuda")

    def evaluate(self, state, seed):
        score = super().evaluate(state, seed)
        worker = current_worker()
        card = -1.0 if worker is None or not worker.isolated else float(os.environ["CUDA_VISIBLE_DEVICES"])
        return Score(score.value, held_out=score.value - 1, metrics={**score.metrics, "card": card})

    def report(self, state, seed):
        returns = super().evaluate(state, seed).value - 2 - seed.generator().random(self.episodes)
        returns += np.random.random() / 100  # noqa: NPY002 - a task that draws from a global generator repeats too
        return Score(float(returns.mean()), samples=tuple(returns))
