"""What a learner needs of a batch of environments, and the record it keeps of their episodes.

The state of running environments is data, so that a member can be put aside, moved to another worker process and resumed
exactly. The machinery that steps them (emulators, simulators) is made once a process and shared by all members there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: Episodic returns that Welch's test compares (the paper, section 3), and those behind the reported score (our choice).
SELECTING, REPORTING = 10, 20


class Environments(Protocol):
    """``batch`` environments of one kind, stepped together.

    ``begin`` starts new episodes; ``load`` goes on with running ones that ``save`` took down, as named arrays. ``observe``
    gives what is seen now, uint8 [batch, channels, height, width], and is valid until the next ``step``. ``step`` takes
    actions, int [batch], and gives unclipped rewards, float [batch], and whether each episode ended, bool [batch]; an
    ended episode is followed by a new one at once, whose first observation is the one seen next.
    """

    batch: int
    actions: int

    def begin(self, seed: int) -> None: ...

    def observe(self) -> NDArray[np.uint8]: ...

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]: ...

    def save(self) -> dict[str, NDArray[Any]]: ...

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None: ...


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
        """Take one step of all environments."""
        self.running += rewards
        for index in np.flatnonzero(ended):
            kept, limit = (self.selecting, SELECTING) if index < len(ended) // 2 else (self.reporting, REPORTING)
            kept.append(float(self.running[index]))
            del kept[:-limit]
            self.running[index] = 0.0
            self.finished += 1

    def scores(self) -> tuple[float, tuple[float, ...], float]:
        """The selecting score, the returns behind it (oldest first), and the reported score: means of the last episodes.

        While no episode has ended, what has been collected in the running ones stands for it.
        """
        half = len(self.running) // 2
        selecting = self.selecting or self.running[:half].tolist()
        reporting = self.reporting or self.running[half:].tolist()
        return float(np.mean(selecting)), tuple(self.selecting), float(np.mean(reporting))
