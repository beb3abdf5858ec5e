"""The toy problem: maximise a hidden quadratic by following the gradient of a surrogate (the paper, figure 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbt_core import Checkpoint, Hyperparameters, Score, Stream
from reproductions.shared.bounds import Positive
from reproductions.suite.study.domain import DomainTask
from reproductions.toy.sweep import SPACE

Theta = NDArray[np.float64]


@dataclass(frozen=True)
class Toy(DomainTask[Theta]):
    """Q(theta) = 1.2 - (theta0^2 + theta1^2) is hidden; training climbs 1.2 - (h0 theta0^2 + h1 theta1^2).

    A worker whose h0 or h1 is 0 cannot improve that coordinate, whatever it does: only by taking over the other
    worker's theta, or by changing its h, can the hidden Q reach its maximum of 1.2.
    """

    lr: Positive = 0.01
    origin: tuple[float, float] = (0.9, 0.9)
    space = SPACE

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> Theta:
        return np.array(self.origin)

    def step(self, state: Theta, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> Theta:
        h = np.array([hyperparameters["h0"], hyperparameters["h1"]], dtype=float)
        # `steps` times theta += lr * gradient, and the gradient of the surrogate is -2 h theta.
        for _ in range(steps):
            state = state - self.lr * 2 * h * state
        return state

    def evaluate(self, state: Theta, seed: Stream) -> Score:
        """Q itself, which is exact: there is nothing to hold out. The coordinates are kept for the figure."""
        q = 1.2 - float(np.square(state).sum())
        return Score(q, metrics={"theta0": float(state[0]), "theta1": float(state[1])})

    def save(self, state: Theta) -> Checkpoint:
        return Checkpoint({"theta": state})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> Theta:
        return np.array(checkpoint.tensors["theta"])


TASK = Toy
