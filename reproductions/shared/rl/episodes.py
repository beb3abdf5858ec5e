"""The record of episodes: which returns select a member, which are reported, and what stands for them at the beginning."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Episodic returns that Welch's test compares (the paper, section 3), and those behind the reported score (our choice).
SELECTING, REPORTING = 10, 20


@dataclass
class Episodes:
    """Episodic returns in raw score: what runs, what selects, what is reported.

    Returns of the first half of the environments select, those of the second half are reported, so that no episode that
    chose a member is told as its result. ``running`` belongs to the environments, the finished returns to the weights.
    """

    running: NDArray[np.float64]
    selecting: list[float]
    reporting: list[float]
    finished: int = 0

    @classmethod
    def none(cls, batch: int) -> Episodes:
        """No episode has ended yet in ``batch`` environments; ValueError for fewer than two, one of each half."""
        if batch < 2:
            raise ValueError(f"batch = {batch} must be at least 2: half of the environments select, half report")
        return cls(np.zeros(batch), [], [])

    def add(self, rewards: NDArray[np.float64], ended: NDArray[np.bool_]) -> None:
        """Take one step of all environments. An episode with a reward of NaN is void: it is not counted."""
        self.running += rewards
        for index in np.flatnonzero(ended):
            value = float(self.running[index])
            self.running[index] = 0.0
            if math.isnan(value):
                continue
            kept, limit = (self.selecting, SELECTING) if index < len(ended) // 2 else (self.reporting, REPORTING)
            kept.append(value)
            del kept[:-limit]
            self.finished += 1

    def scores(self) -> tuple[float, tuple[float, ...], float]:
        """The selecting score, the returns behind it (oldest first), and the reported score: means of the last episodes.

        While no episode has ended, what has been collected in the running ones stands for it.
        """
        half = len(self.running) // 2
        selecting = self.selecting or self.running[:half].tolist()
        reporting = self.reporting or self.running[half:].tolist()
        return float(np.mean(selecting)), tuple(self.selecting), float(np.mean(reporting))

    def cut(self) -> None:
        """The running episodes are given up: they never finish, so they count as none."""
        self.running[:] = 0.0
